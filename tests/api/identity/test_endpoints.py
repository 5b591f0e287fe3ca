"""Endpoints of the catalog."""

from typing import Any

import pytest

from tests.support.identity import an_identity

pytestmark = pytest.mark.anyio


async def test_an_endpoint_may_name_its_region_in_the_old_manner() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        nova = (await admin.get("/services?name=nova"))["services"][0]["id"]
        body = {"service_id": nova, "interface": "public", "url": "http://moon.test/v2.1", "region": "Moon"}
        made = (await admin.post("/endpoints", {"endpoint": body}))["endpoint"]
        assert (made["region"], made["region_id"], made["enabled"]) == ("Moon", "Moon", True)
        assert (await admin.get("/regions/Moon"))["region"]["id"] == "Moon"
        listed = (await admin.get("/endpoints?region_id=Moon&interface=public"))["endpoints"]
        assert [endpoint["id"] for endpoint in listed] == [made["id"]]
        changed = (await admin.patch(f"/endpoints/{made['id']}", {"endpoint": {"enabled": False}}))["endpoint"]
        assert changed["enabled"] is False
        catalog = (await admin.get("/auth/catalog"))["catalog"]
        assert "http://moon.test/v2.1" not in {e["url"] for s in catalog for e in s["endpoints"]}
        await admin.delete(f"/endpoints/{made['id']}")
        await admin.get(f"/endpoints/{made['id']}", status=404)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "no-scheme"}, "url"),
        ({"url": "http://x/$(secret)s"}, "Cannot create an endpoint with an invalid URL"),
        ({"url": "http://x/$(project_id"}, "Cannot create an endpoint with an invalid URL"),
        ({"interface": "inner"}, "interface"),
        ({"service_id": "none"}, "Expecting to find endpoint service_id in service table."),
        ({"region_id": "none"}, "Expecting to find endpoint region_id in region table."),
    ],
)
async def test_endpoints_that_are_refused(change: dict[str, Any], message: str) -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        nova = (await admin.get("/services?name=nova"))["services"][0]["id"]
        good = {"service_id": nova, "interface": "public", "url": "http://x/"}
        refused = await admin.post("/endpoints", {"endpoint": {**good, **change}}, status=400)
        assert message in refused["error"]["message"]
        made = (await admin.post("/endpoints", {"endpoint": good}))["endpoint"]["id"]
        await admin.patch(f"/endpoints/{made}", {"endpoint": change}, status=400)
        demo = await cloud.as_("demo")
        await demo.post("/endpoints", {"endpoint": good}, status=403)
