"""Services of the catalog; endpoints and regions have files of their own."""

import pytest

from tests.support.identity import URL, an_identity

pytestmark = pytest.mark.anyio


async def test_a_service_comes_into_the_catalog_and_goes_with_its_endpoints() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        made = await admin.post("/services", {"service": {"type": "toaster", "name": "bread", "description": "x"}})
        service = made["service"]
        assert service == {
            "id": service["id"],
            "type": "toaster",
            "name": "bread",
            "enabled": True,
            "description": "x",
            "links": {"self": f"{URL}/identity/v3/services/{service['id']}"},
        }
        endpoint = await admin.post(
            "/endpoints",
            {"endpoint": {"service_id": service["id"], "interface": "public", "url": "http://t/%(tenant_id)s"}},
        )
        project = cloud.ids.projects["admin"]

        async def urls() -> list[str]:
            catalog = (await admin.get("/auth/catalog"))["catalog"]
            return [e["url"] for s in catalog if s["type"] == "toaster" for e in s["endpoints"]]

        assert await urls() == [f"http://t/{project}"]
        await admin.patch(f"/services/{service['id']}", {"service": {"enabled": False}})
        assert await urls() == []
        assert [s["name"] for s in (await admin.get("/services?type=toaster"))["services"]] == ["bread"]
        await admin.delete(f"/services/{service['id']}")
        await admin.get(f"/services/{service['id']}", status=404)
        await admin.get(f"/endpoints/{endpoint['endpoint']['id']}", status=404)


async def test_services_are_for_administrators() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        await admin.post("/services", {"service": {"name": "no type"}}, status=400)
        await admin.post("/services", {"service": {"type": ""}}, status=400)
        await demo.get("/services", status=403)
        await demo.post("/services", {"service": {"type": "mine"}}, status=403)
        system = await cloud.as_("admin", system=True)
        assert len((await system.get("/services"))["services"]) == 7
