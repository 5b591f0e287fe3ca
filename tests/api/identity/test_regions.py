"""Regions of the catalog."""

import pytest

from tests.support.identity import URL, an_identity

pytestmark = pytest.mark.anyio


async def test_regions_lie_in_regions_and_never_in_themselves() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        made = (await admin.put("/regions/Earth", {"region": {"description": "blue"}}, status=201))["region"]
        assert made == {
            "id": "Earth",
            "description": "blue",
            "parent_region_id": None,
            "links": {"self": f"{URL}/identity/v3/regions/Earth"},
        }
        await admin.post("/regions", {"region": {"id": "Moon", "parent_region_id": "Earth"}})
        assert len((await admin.post("/regions", {"region": {}}))["region"]["id"]) == 32
        assert [r["id"] for r in (await admin.get("/regions?parent_region_id=Earth"))["regions"]] == ["Moon"]
        await admin.post("/regions", {"region": {"id": "Moon"}}, status=409)
        await admin.post("/regions", {"region": {"id": "Io", "parent_region_id": "none"}}, status=404)
        await admin.put("/regions/Io", {"region": {"id": "Europa"}}, status=400)
        circle = await admin.patch("/regions/Earth", {"region": {"parent_region_id": "Moon"}}, status=400)
        assert "circular region hierarchy" in circle["error"]["message"]
        await admin.delete("/regions/Earth")
        await admin.get("/regions/Moon", status=404)


async def test_a_region_with_endpoints_stays_and_everybody_may_read() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        refused = await admin.delete("/regions/RegionOne", status=403)
        assert "have associated endpoints" in refused["error"]["message"]
        assert [r["id"] for r in (await demo.get("/regions"))["regions"]] == ["RegionOne"]
        await demo.get("/regions/RegionOne")
        await demo.post("/regions", {"region": {"id": "Mine"}}, status=403)
