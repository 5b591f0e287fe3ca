"""What a bearer may ask for itself."""

import pytest

from tests.support.identity import URL, an_identity

pytestmark = pytest.mark.anyio


async def test_the_scopes_a_user_could_have() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin", unscoped=True), await cloud.as_("demo", unscoped=True)
        found = await admin.get("/auth/projects")
        assert [p["name"] for p in found["projects"]] == ["admin", "demo"]
        assert found["links"] == {"next": None, "previous": None, "self": f"{URL}/identity/v3/auth/projects"}
        assert [p["name"] for p in (await demo.get("/auth/projects"))["projects"]] == ["demo"]
        assert (await admin.get("/auth/system"))["system"] == [{"all": True}]
        assert (await demo.get("/auth/system"))["system"] == []
        assert (await demo.get("/auth/domains"))["domains"] == []
        root = await cloud.as_("admin")
        await root.put(f"/domains/default/users/{cloud.ids.users['demo']}/roles/{cloud.ids.roles['reader']}")
        assert [d["id"] for d in (await demo.get("/auth/domains"))["domains"]] == ["default"]


async def test_a_catalog_needs_a_project() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        names = {service["name"] for service in (await demo.get("/auth/catalog"))["catalog"]}
        assert names == {"keystone", "nova", "glance", "neutron", "cinderv3", "cinder", "placement"}
        await (await cloud.as_("demo", unscoped=True)).get("/auth/catalog", status=403)


async def test_the_catalog_follows_the_address_that_was_asked() -> None:
    async with an_identity() as cloud:
        demo = await cloud.as_("demo")
        answer = await cloud.http.get("http://other.test:8080/v3/auth/catalog", headers={"X-Auth-Token": demo.secret})
        urls = {endpoint["url"] for service in answer.json()["catalog"] for endpoint in service["endpoints"]}
        assert "http://other.test:8080/placement" in urls
