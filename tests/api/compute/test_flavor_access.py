"""Which projects may use a flavor that is not public."""

import pytest

from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
PRIVATE = {"name": "p", "ram": 1, "vcpus": 1, "disk": 0, "os-flavor-access:is_public": False, "id": "p"}


async def test_access_comes_and_goes() -> None:
    async with a_compute_service() as door:
        root, ann = door.as_("root", project="blue", role="admin", mount=V), door.as_(mount=V)
        await root.post("/flavors", json={"flavor": PRIVATE})
        assert (await ann.get("/flavors/p")).status_code == 404
        added = await root.post("/flavors/p/action", json={"addTenantAccess": {"tenant": "red"}})
        assert (added.status_code, added.json()) == (200, {"flavor_access": [{"flavor_id": "p", "tenant_id": "red"}]})
        assert (await ann.get("/flavors/p")).status_code == 200
        assert "p" in [flavor["id"] for flavor in (await ann.get("/flavors")).json()["flavors"]]
        assert (await root.get("/flavors/p/os-flavor-access")).json() == added.json()
        twice = await root.post("/flavors/p/action", json={"addTenantAccess": {"tenant": "red"}})
        assert twice.status_code == 409
        removed = await root.post("/flavors/p/action", json={"removeTenantAccess": {"tenant": "red"}})
        assert (removed.status_code, removed.json()) == (200, {"flavor_access": []})
        assert (await ann.get("/flavors/p")).status_code == 404
        again = await root.post("/flavors/p/action", json={"removeTenantAccess": {"tenant": "red"}})
        message = "Flavor access not found for p / red combination."
        assert (again.status_code, again.json()["itemNotFound"]["message"]) == (404, message)


async def test_access_is_refused() -> None:
    async with a_compute_service() as door:
        root, ann = door.as_("root", role="admin", mount=V), door.as_(mount=V)
        await root.post("/flavors", json={"flavor": PRIVATE})
        nobody = await root.post("/flavors/p/action", json={"addTenantAccess": {"tenant": "nobody"}})
        assert nobody.json()["badRequest"]["message"] == "Project ID nobody is not a valid project."
        assert (await root.post("/flavors/none/action", json={"addTenantAccess": {"tenant": "red"}})).status_code == 404
        assert (await root.post("/flavors/p/action", json={"addTenantAccess": {}})).status_code == 400
        assert (await root.post("/flavors/p/action", json={"dance": {}})).status_code == 400
        assert (await ann.post("/flavors/p/action", json={"addTenantAccess": {"tenant": "red"}})).status_code == 403
        assert (await ann.get("/flavors/p/os-flavor-access")).status_code == 403
        public = await root.get("/flavors/1/os-flavor-access")
        assert public.json()["itemNotFound"]["message"] == "Access list not available for public flavors."
        grant = {"addTenantAccess": {"tenant": "red"}}
        assert (await root.post("/flavors/1/action", json=grant)).status_code == 200
        assert (await at(root, "2.7").post("/flavors/2/action", json=grant)).status_code == 409
