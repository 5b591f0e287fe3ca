"""Trunks: what carries what, each VLAN once, and no port in two of them."""

from typing import Any

import pytest

from tests.support.network import a_network_service, ann, bob, error, made, root

pytestmark = pytest.mark.anyio


def _sub(port: dict[str, Any], number: int) -> dict[str, Any]:
    return {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": number}


async def test_a_trunk_carries_ports() -> None:
    async with a_network_service() as door, ann(door) as http, bob(door) as stranger:
        network = await made(http, "network")
        parent, one, two = [await made(http, "port", network_id=network["id"]) for _ in range(3)]
        trunk = await made(http, "trunk", name="t", port_id=parent["id"], sub_ports=[_sub(one, 7)])
        assert (trunk["status"], trunk["sub_ports"]) == ("DOWN", [_sub(one, 7)])
        path = f"/trunks/{trunk['id']}"
        assert (await stranger.get(path)).status_code == 404
        taken = await http.put(f"{path}/add_subports", json={"sub_ports": [_sub(two, 7)]})
        assert error(taken) == (
            409,
            "DuplicateSubPort",
            f"segmentation_type vlan and segmentation_id 7 already in use on trunk {trunk['id']}.",
        )
        added = await http.put(f"{path}/add_subports", json={"sub_ports": [_sub(two, 8)]})
        assert added.json()["sub_ports"] == [_sub(one, 7), _sub(two, 8)]
        assert (await http.get(f"{path}/get_subports")).json() == {"sub_ports": [_sub(one, 7), _sub(two, 8)]}
        seen = (await http.get(f"/ports/{parent['id']}")).json()["port"]["trunk_details"]
        assert seen == {
            "trunk_id": trunk["id"],
            "sub_ports": [
                {**_sub(one, 7), "mac_address": one["mac_address"]},
                {**_sub(two, 8), "mac_address": two["mac_address"]},
            ],
        }
        for port, kind in ((parent, "PortInUseAsTrunkParent"), (one, "PortInUseAsSubPort")):
            assert error(await http.delete(f"/ports/{port['id']}"))[:2] == (409, kind)
        removed = await http.put(f"{path}/remove_subports", json={"sub_ports": [{"port_id": one["id"]}]})
        assert removed.json()["sub_ports"] == [_sub(two, 8)]
        again = await http.put(f"{path}/remove_subports", json={"sub_ports": [{"port_id": one["id"]}]})
        assert error(again)[:2] == (404, "SubPortNotFound")
        assert (await http.put(f"{path}/tags/x")).status_code == 201
        assert (await http.delete(path)).status_code == 204
        assert (await http.delete(f"/ports/{parent['id']}")).status_code == 204


async def test_a_port_is_in_one_trunk_only() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        network = await made(http, "network")
        one, two, three = [await made(http, "port", network_id=network["id"]) for _ in range(3)]
        await made(http, "trunk", port_id=one["id"], sub_ports=[_sub(two, 7)])

        async def refused(port: dict[str, Any], *subs: Any) -> Any:
            document = {"trunk": {"port_id": port["id"], "sub_ports": list(subs)}}
            return error(await http.post("/trunks", json=document))[:2]

        assert await refused(one) == (409, "ParentPortInUse")
        assert await refused(two) == (409, "TrunkPortInUse")
        assert await refused(three, _sub(three, 9)) == (409, "ParentPortInUse")
        assert await refused(three, _sub(two, 9)) == (409, "TrunkPortInUse")
        assert await refused(three, {"port_id": two["id"]}) == (400, "InvalidInput")
        bound = await made(admin, "port", network_id=network["id"], **{"binding:host_id": "one"})
        assert error(await admin.post("/trunks", json={"trunk": {"port_id": bound["id"]}}))[:2] == (
            409,
            "ParentPortInUse",
        )


async def test_a_trunk_that_is_off_is_left_alone() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        port = await made(http, "port", network_id=network["id"])
        trunk = await made(http, "trunk", port_id=port["id"], admin_state_up=False)
        path = f"/trunks/{trunk['id']}"
        assert error(await http.delete(path)) == (
            409,
            "TrunkDisabled",
            f"Trunk {trunk['id']} is currently disabled.",
        )
        assert (await http.put(path, json={"trunk": {"admin_state_up": True}})).status_code == 200
        assert (await http.delete(path)).status_code == 204
