"""/allocations, /usages, /reshaper: who has how much of what, in every shape that documents had."""

from typing import Any

import httpx
import pytest

from tests.support.placement_api import a_placement, at

pytestmark = pytest.mark.anyio

ID = "4e8e5957-649f-477b-9e5b-f1f75b21c03c"
OTHER = "5e8e5957-649f-477b-9e5b-f1f75b21c03c"
CONSUMER = "7e8e5957-649f-477b-9e5b-f1f75b21c03c"


async def two_hosts(http: httpx.AsyncClient) -> None:
    for name, provider in (("one", ID), ("two", OTHER)):
        await http.post("/resource_providers", json={"name": name, "uuid": provider})
        inventories = {"VCPU": {"total": 4}, "MEMORY_MB": {"total": 1024}}
        await http.put(
            f"/resource_providers/{provider}/inventories",
            json={"resource_provider_generation": 0, "inventories": inventories},
        )


def wish(amount: int, generation: int | None, provider: str = ID, **more: Any) -> dict[str, Any]:
    return {
        "allocations": {provider: {"resources": {"VCPU": amount}}} if amount else {},
        "project_id": "red",
        "user_id": "ann",
        "consumer_generation": generation,
        "consumer_type": "INSTANCE",
        **more,
    }


async def test_an_allocation_in_the_newest_shape() -> None:
    async with a_placement() as door, at(door) as http:
        await two_hosts(http)
        assert (await http.put(f"/allocations/{CONSUMER}", json=wish(3, None))).status_code == 204
        shown = await http.get(f"/allocations/{CONSUMER}")
        assert shown.json() == {
            "allocations": {ID: {"generation": 2, "resources": {"VCPU": 3}}},
            "project_id": "red",
            "user_id": "ann",
            "consumer_generation": 1,
            "consumer_type": "INSTANCE",
        }
        assert (await http.get(f"/resource_providers/{ID}/allocations")).json() == {
            "allocations": {CONSUMER: {"resources": {"VCPU": 3}, "consumer_generation": 1}},
            "resource_provider_generation": 2,
        }
        assert (await http.get(f"/resource_providers/{ID}/usages")).json()["usages"] == {"MEMORY_MB": 0, "VCPU": 3}
        late = await http.put(f"/allocations/{CONSUMER}", json=wish(1, None))
        assert (late.status_code, late.json()["errors"][0]["code"]) == (409, "placement.concurrent_update")
        much = await http.put(f"/allocations/{CONSUMER}", json=wish(5, 1))
        assert much.status_code == 409
        assert "The requested amount would exceed the capacity." in much.json()["errors"][0]["detail"]
        nowhere = await http.put(f"/allocations/{CONSUMER}", json=wish(1, 1, CONSUMER))
        assert nowhere.status_code == 400
        assert (await http.delete(f"/resource_providers/{ID}")).status_code == 409
        assert (await http.put(f"/allocations/{CONSUMER}", json=wish(0, 1))).status_code == 204
        assert (await http.get(f"/allocations/{CONSUMER}")).json() == {"allocations": {}}
        assert (await http.delete(f"/allocations/{CONSUMER}")).status_code == 404


async def test_the_first_shape_was_a_list() -> None:
    async with a_placement() as door, at(door) as new, at(door, "1.0") as old:
        await two_hosts(new)
        document = {"allocations": [{"resource_provider": {"uuid": ID}, "resources": {"VCPU": 1}}]}
        assert (await old.put(f"/allocations/{CONSUMER}", json=document)).status_code == 204
        assert (await old.get(f"/allocations/{CONSUMER}")).json() == {
            "allocations": {ID: {"generation": 2, "resources": {"VCPU": 1}}}
        }
        assert (await new.get(f"/allocations/{CONSUMER}")).json()["consumer_type"] == "unknown"
        assert (await old.put(f"/allocations/{CONSUMER}", json=wish(1, None))).status_code == 400


async def test_several_consumers_change_at_once_or_not_at_all() -> None:
    async with a_placement() as door, at(door) as http:
        await two_hosts(http)
        await http.put(f"/allocations/{CONSUMER}", json=wish(4, None))
        moved = {CONSUMER: wish(4, 1, OTHER), OTHER: wish(4, None)}
        too_much = {CONSUMER: wish(4, 1, OTHER), OTHER: wish(5, None)}
        assert (await http.post("/allocations", json=too_much)).status_code == 409
        assert list((await http.get(f"/allocations/{CONSUMER}")).json()["allocations"]) == [ID]
        assert (await http.post("/allocations", json=moved)).status_code == 204
        assert list((await http.get(f"/allocations/{CONSUMER}")).json()["allocations"]) == [OTHER]


async def test_usages_of_a_project_by_type_and_for_its_readers() -> None:
    async with a_placement() as door, at(door) as http, at(door, "1.37") as old, at(door, role="reader") as reader:
        await two_hosts(http)
        await http.put(f"/allocations/{CONSUMER}", json=wish(1, None))
        await http.put(f"/allocations/{OTHER}", json=wish(2, None, consumer_type="MIGRATION"))
        assert (await old.get("/usages?project_id=red")).json() == {"usages": {"VCPU": 3}}
        assert (await reader.get("/usages?project_id=red")).json()["usages"] == {
            "INSTANCE": {"VCPU": 1, "consumer_count": 1},
            "MIGRATION": {"VCPU": 2, "consumer_count": 1},
        }
        total = await http.get("/usages?project_id=red&user_id=ann&consumer_type=all")
        assert total.json()["usages"] == {"all": {"VCPU": 3, "consumer_count": 2}}
        assert (await reader.get("/usages?project_id=blue")).status_code == 403
        assert (await http.get("/usages")).status_code == 400


async def test_only_services_reshape() -> None:
    async with a_placement() as door, at(door) as http:
        await two_hosts(http)
        assert (await http.post("/reshaper", json={})).status_code == 403
