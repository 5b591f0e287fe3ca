"""/address-groups at the door, and the rules that name them."""

from typing import Any

import pytest

from tests.support.network import a_network_service, ann, bob, error, made

pytestmark = pytest.mark.anyio
ADDRESSES = ["192.0.2.0/24", "2001:db8::/32"]


async def a_group(http: Any, **more: Any) -> dict[str, Any]:
    answer = await http.post("/address-groups", json={"address_group": {"name": "office", **more}})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["address_group"])


async def test_an_address_group_through_its_life() -> None:
    async with a_network_service() as door, ann(door) as http, bob(door) as stranger:
        group = await a_group(http, addresses=ADDRESSES, description="where we sit")
        path = f"/address-groups/{group['id']}"
        assert group == {
            "id": group["id"],
            "name": "office",
            "description": "where we sit",
            "tenant_id": "red",
            "project_id": "red",
            "addresses": ADDRESSES,
            "created_at": group["created_at"],
            "updated_at": group["updated_at"],
            "shared": False,
            "revision_number": 1,
        }
        assert (await http.get(path)).json()["address_group"] == group
        assert (await http.get("/address-groups?name=office")).json()["address_groups"] == [group]
        assert (await stranger.get("/address-groups")).json()["address_groups"] == []
        for request in (stranger.get(path), stranger.delete(path)):
            assert error(await request) == (
                404,
                "AddressGroupNotFound",
                f"Address group {group['id']} could not be found.",
            )
        added = await http.put(f"{path}/add_addresses", json={"addresses": ["198.51.100.7/32"]})
        assert added.json()["address_group"]["addresses"] == [*ADDRESSES, "198.51.100.7/32"]
        removed = await http.put(f"{path}/remove_addresses", json={"addresses": ["192.0.2.0/24"]})
        assert removed.json()["address_group"]["addresses"] == ["2001:db8::/32", "198.51.100.7/32"]
        assert removed.json()["address_group"]["revision_number"] == 3
        renamed = await http.put(path, json={"address_group": {"name": "home"}})
        assert (renamed.status_code, renamed.json()["address_group"]["name"]) == (200, "home")
        assert (await http.delete(path)).status_code == 204
        assert (await http.get(path)).status_code == 404


async def test_what_an_address_group_refuses() -> None:
    async with a_network_service() as door, ann(door) as http, bob(door) as stranger:
        group = await a_group(http, addresses=ADDRESSES)
        path = f"/address-groups/{group['id']}"
        assert error(await http.put(f"{path}/add_addresses", json={"addresses": ["192.0.2.0/24"]})) == (
            400,
            "AddressesAlreadyExist",
            f"Addresses ['192.0.2.0/24'] already exist in the address group {group['id']}.",
        )
        assert error(await http.put(f"{path}/remove_addresses", json={"addresses": ["192.0.3.0/24"]})) == (
            404,
            "AddressesNotFound",
            f"Addresses ['192.0.3.0/24'] not found in the address group {group['id']}.",
        )
        for wrong in (["x"], "x", [7], [None], [["192.0.2.0/24"]], ["192.0.4.0/24"] * 2):
            assert (await http.put(f"{path}/add_addresses", json={"addresses": wrong})).status_code == 400
        assert (await http.put(path, json={"address_group": {"addresses": []}})).status_code == 400
        assert (await stranger.put(f"{path}/add_addresses", json={"addresses": ["192.0.4.0/24"]})).status_code == 404
        assert (await http.get(path)).json()["address_group"] == group


async def test_rules_name_address_groups_and_hold_them() -> None:
    async with a_network_service() as door, ann(door) as http, bob(door) as stranger:
        group = await a_group(http, addresses=ADDRESSES)
        other = await made(http, "security_group", name="web")
        words = {"security_group_id": other["id"], "direction": "ingress", "remote_address_group_id": group["id"]}
        rule = await made(http, "security_group_rule", **words)
        assert (rule["remote_address_group_id"], rule["remote_group_id"]) == (group["id"], None)
        found = await http.get(f"/security-group-rules?remote_address_group_id={group['id']}")
        assert [one["id"] for one in found.json()["security_group_rules"]] == [rule["id"]]
        again = await http.post("/security-group-rules", json={"security_group_rule": words})
        assert error(again)[:2] == (409, "SecurityGroupRuleExists")
        both = await http.post(
            "/security-group-rules", json={"security_group_rule": words | {"remote_group_id": other["id"]}}
        )
        assert error(both)[:2] == (400, "SecurityGroupMultipleRemoteEntites")
        foreign = await made(stranger, "security_group", name="theirs")
        lost = await stranger.post(
            "/security-group-rules", json={"security_group_rule": words | {"security_group_id": foreign["id"]}}
        )
        assert error(lost)[:2] == (404, "AddressGroupNotFound")
        assert error(await http.delete(f"/address-groups/{group['id']}")) == (
            409,
            "AddressGroupInUse",
            f"Address group {group['id']} is in use on one or more security group rules.",
        )
        assert (await http.delete(f"/security-group-rules/{rule['id']}")).status_code == 204
        assert (await http.delete(f"/address-groups/{group['id']}")).status_code == 204
