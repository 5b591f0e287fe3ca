"""What Nova has no more: gone at every version; what is left of bare metal says that there is none."""

import pytest

from minicloud.api.compute import gone
from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio


async def test_everything_that_is_gone_says_so() -> None:
    async with a_compute_service() as door:
        ann = door.as_(mount="/compute/v2.1")
        for version in ("2.1", "2.104"):
            at(ann, version)
            for route in gone.routes:
                path = route.path.format(thing="1", part="2")
                answer = await ann.request(route.method, path, json={route.action or "x": {}})
                assert answer.status_code == 410, (route.method, path, answer.text)
                assert answer.json()["computeFault"]["code"] == 410
        answer = await ann.post("/os-fixed-ips/1/action", json={"other": {}})
        assert answer.status_code == 400


async def test_bare_metal_is_not_offered_and_never_was_made_through_nova() -> None:
    async with a_compute_service() as door:
        root = door.as_("root", role="admin", mount="/compute/v2.1")
        assert (await root.get("/os-baremetal-nodes")).status_code == 501
        assert (await root.get("/os-baremetal-nodes/1")).status_code == 501
        assert (await root.post("/os-baremetal-nodes", json={"node": {}})).status_code == 400
        assert (await root.delete("/os-baremetal-nodes/1")).status_code == 400
        refused = await root.post("/os-baremetal-nodes/1/action", json={"add_interface": {}})
        assert "port-create" in refused.json()["badRequest"]["message"]
        assert (
            await root.get("/os-baremetal-nodes", headers={"OpenStack-API-Version": "compute 2.36"})
        ).status_code == 404
