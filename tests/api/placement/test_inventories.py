"""Inventories, traits and aggregates of a provider: generations, bounds, and what is in use."""

import pytest

from tests.support.placement_api import a_placement, at

pytestmark = pytest.mark.anyio

ID = "4e8e5957-649f-477b-9e5b-f1f75b21c03c"
HERE = f"/resource_providers/{ID}"
AGGREGATE = "6e8e5957-649f-477b-9e5b-f1f75b21c03c"


async def test_inventories_come_change_and_go_with_the_generation() -> None:
    async with a_placement() as door, at(door) as http:
        await http.post("/resource_providers", json={"name": "node", "uuid": ID})
        made = await http.post(
            f"{HERE}/inventories", json={"resource_class": "VCPU", "total": 4, "allocation_ratio": 2.5}
        )
        assert made.status_code == 201
        assert made.headers["location"].endswith(f"{HERE}/inventories/VCPU")
        assert made.json() == {
            "total": 4,
            "reserved": 0,
            "min_unit": 1,
            "max_unit": 2147483647,
            "step_size": 1,
            "allocation_ratio": 2.5,
            "resource_provider_generation": 1,
        }
        stale = await http.put(f"{HERE}/inventories/VCPU", json={"total": 8, "resource_provider_generation": 0})
        assert (stale.status_code, stale.json()["errors"][0]["code"]) == (409, "placement.concurrent_update")
        full = {"resource_provider_generation": 1, "inventories": {"VCPU": {"total": 8}, "DISK_GB": {"total": 9}}}
        changed = await http.put(f"{HERE}/inventories", json=full)
        assert changed.json()["resource_provider_generation"] == 2
        assert list(changed.json()["inventories"]) == ["VCPU", "DISK_GB"]
        assert (await http.delete(f"{HERE}/inventories/DISK_GB")).status_code == 204
        assert (await http.delete(f"{HERE}/inventories/DISK_GB")).status_code == 404
        assert (await http.get(f"{HERE}/inventories/DISK_GB")).status_code == 404
        assert (await http.delete(f"{HERE}/inventories")).status_code == 204
        assert (await http.get(f"{HERE}/inventories")).json()["inventories"] == {}


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        ({"total": 0}, "0 is less than the minimum of 1  Failed validating 'minimum' in schema['properties']['total']"),
        ({"total": 2**31}, "Failed validating 'maximum'"),
        ({"total": "1"}, "'1' is not of type 'integer'"),
        ({"total": 1, "allocation_ratio": "x"}, "'x' is not of type 'number'"),
        ({"total": 1, "colour": "blue"}, "('colour' was unexpected)"),
        ({"total": 1, "reserved": 2}, "The reserved value is greater than total."),
    ],
)
async def test_bad_amounts_are_refused(amounts: dict[str, object], told: str) -> None:
    async with a_placement() as door, at(door) as http:
        await http.post("/resource_providers", json={"name": "node", "uuid": ID})
        answer = await http.post(f"{HERE}/inventories", json={"resource_class": "VCPU", **amounts})
        assert answer.status_code == 400
        assert told in answer.json()["errors"][0]["detail"]
        unknown = await http.post(f"{HERE}/inventories", json={"resource_class": "NONSENSE", "total": 1})
        assert unknown.status_code == 400
        assert "No such resource class NONSENSE." in unknown.json()["errors"][0]["detail"]


async def test_all_may_be_reserved_since_1_26() -> None:
    async with a_placement() as door, at(door, "1.25") as old, at(door, "1.26") as new:
        await new.post("/resource_providers", json={"name": "node", "uuid": ID})
        full = {"resource_class": "VCPU", "total": 1, "reserved": 1}
        assert (await old.post(f"{HERE}/inventories", json=full)).status_code == 400
        assert (await new.post(f"{HERE}/inventories", json=full)).status_code == 201


async def test_traits_and_aggregates_of_a_provider() -> None:
    async with a_placement() as door, at(door) as http, at(door, "1.18") as old:
        await http.post("/resource_providers", json={"name": "node", "uuid": ID})
        assert (await http.put("/traits/CUSTOM_FAST")).status_code == 201
        assert (await http.put("/traits/CUSTOM_FAST")).status_code == 204
        assert (await http.put("/traits/fast")).status_code == 400
        given = {"resource_provider_generation": 0, "traits": ["CUSTOM_FAST", "HW_CPU_X86_VMX"]}
        assert (await http.put(f"{HERE}/traits", json=given)).json() == {
            "traits": ["CUSTOM_FAST", "HW_CPU_X86_VMX"],
            "resource_provider_generation": 1,
        }
        assert (await http.get("/traits?name=startswith:CUSTOM_")).json() == {"traits": ["CUSTOM_FAST"]}
        assert (await http.get("/traits?associated=true")).json()["traits"] == ["HW_CPU_X86_VMX", "CUSTOM_FAST"]
        assert (await http.delete("/traits/CUSTOM_FAST")).status_code == 409
        assert (await http.delete("/traits/HW_CPU_X86_VMX")).status_code == 400
        assert (await http.put(f"{HERE}/traits", json=given)).status_code == 409
        assert (await http.delete(f"{HERE}/traits")).status_code == 204
        assert (await http.delete("/traits/CUSTOM_FAST")).status_code == 204
        unguarded = await old.put(f"{HERE}/aggregates", json=[AGGREGATE])
        assert unguarded.json() == {"aggregates": [AGGREGATE]}
        guarded = await http.put(f"{HERE}/aggregates", json={"aggregates": [], "resource_provider_generation": 2})
        assert guarded.json() == {"aggregates": [], "resource_provider_generation": 3}


async def test_custom_resource_classes() -> None:
    async with a_placement() as door, at(door) as http, at(door, "1.6") as old:
        assert (await http.put("/resource_classes/CUSTOM_GOLD")).status_code == 201
        assert (await http.put("/resource_classes/CUSTOM_GOLD")).status_code == 204
        assert (await http.put("/resource_classes/VCPU")).status_code == 400
        assert (await http.post("/resource_classes", json={"name": "CUSTOM_GOLD"})).status_code == 409
        names = [one["name"] for one in (await http.get("/resource_classes")).json()["resource_classes"]]
        assert (names[0], names[-1], len(names)) == ("VCPU", "CUSTOM_GOLD", 22)
        await http.post("/resource_providers", json={"name": "node", "uuid": ID})
        await http.post(f"{HERE}/inventories", json={"resource_class": "CUSTOM_GOLD", "total": 3})
        consumer = "7e8e5957-649f-477b-9e5b-f1f75b21c03c"
        wish = {
            "allocations": {ID: {"resources": {"CUSTOM_GOLD": 2}}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
            "consumer_type": "MINE",
        }
        assert (await http.put(f"/allocations/{consumer}", json=wish)).status_code == 204
        renamed = await old.put("/resource_classes/CUSTOM_GOLD", json={"name": "CUSTOM_SILVER"})
        assert renamed.json()["name"] == "CUSTOM_SILVER"
        had = (await http.get(f"/allocations/{consumer}")).json()["allocations"]
        assert had[ID]["resources"] == {"CUSTOM_SILVER": 2}
        found = await http.get("/allocation_candidates?resources=CUSTOM_SILVER:1")
        assert len(found.json()["allocation_requests"]) == 1
        assert (await http.delete("/resource_classes/CUSTOM_SILVER")).status_code == 409
