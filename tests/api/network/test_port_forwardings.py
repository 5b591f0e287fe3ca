"""Ports of floating addresses that lead inside: where to, which ranges, and what keeps what."""

from typing import Any

import httpx
import pytest

from minicloud.core.network import router_wishes
from tests.support.doors import Door
from tests.support.network import a_network_service, a_way_out, ann, error, made, root

pytestmark = pytest.mark.anyio


async def _ready(door: Door, http: httpx.AsyncClient) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A floating address that leads nowhere, a port inside, and the router between."""
    inside, outside, router = await a_way_out(door)
    port = await made(http, "port", network_id=inside["id"])
    floating = await made(http, "floatingip", floating_network_id=outside["id"])
    return floating, port, router


async def test_a_port_leads_inside() -> None:
    async with a_network_service() as door, ann(door) as http:
        floating, port, router = await _ready(door, http)
        path = f"/floatingips/{floating['id']}"
        inside = port["fixed_ips"][0]["ip_address"]
        values = {
            "external_port": 2222,
            "internal_port": 22,
            "internal_port_id": port["id"],
            "internal_ip_address": inside,
            "protocol": "tcp",
        }
        answer = await http.post(f"{path}/port_forwardings", json={"port_forwarding": values})
        assert answer.status_code == 201, answer.text
        one = answer.json()["port_forwarding"]
        assert one == values | {
            "id": one["id"],
            "description": "",
            "external_port_range": "2222:2222",
            "internal_port_range": "22:22",
        }
        seen = (await http.get(path)).json()["floatingip"]
        assert (seen["router_id"], seen["port_id"], seen["status"]) == (router["id"], None, "ACTIVE")
        assert [each["external_port"] for each in seen["port_forwardings"]] == [2222]
        wish = await door.database.read(lambda tx: router_wishes.router_wish(tx, router["id"]))
        assert [(w.floating, w.first, w.last, w.fixed, w.fixed_first) for w in wish.forwards] == [
            (floating["floating_ip_address"], 2222, 2222, inside, 22)
        ]
        # The address as a whole belongs to its ports now.
        taken = await http.put(path, json={"floatingip": {"port_id": port["id"]}})
        assert error(taken)[:2] == (409, "FipInUseByPortForwarding")
        assert error(await http.delete(path))[:2] == (409, "FipInUseByPortForwarding")
        twice = await http.post(f"{path}/port_forwardings", json={"port_forwarding": values | {"internal_port": 23}})
        assert twice.status_code == 400
        assert "There is a port collision with the external_port_range" in error(twice)[2]
        moved = await http.put(
            f"{path}/port_forwardings/{one['id']}", json={"port_forwarding": {"external_port": 2223, "protocol": "udp"}}
        )
        assert (moved.json()["port_forwarding"]["external_port"], moved.json()["port_forwarding"]["protocol"]) == (
            2223,
            "udp",
        )
        assert (await http.delete(f"{path}/port_forwardings/{one['id']}")).status_code == 204
        assert (await http.get(path)).json()["floatingip"]["router_id"] is None


async def test_ranges_of_ports() -> None:
    async with a_network_service() as door, ann(door) as http:
        floating, port, router = await _ready(door, http)
        path = f"/floatingips/{floating['id']}/port_forwardings"
        base = {"internal_port_id": port["id"], "protocol": "tcp"}

        async def asked(outside: Any, inside: Any) -> httpx.Response:
            document = base | {"external_port_range": outside, "internal_port_range": inside}
            return await http.post(path, json={"port_forwarding": document})

        made_one = await asked("100:102", "200:202")
        assert made_one.status_code == 201, made_one.text
        assert "external_port" not in made_one.json()["port_forwarding"]
        assert (await asked("110:111", "300")).status_code == 201
        for outside, inside in (("102:104", "400:402"), ("120:121", "500:502"), ("9:3", "1:2"), ("0", "1"), ("x", "1")):
            assert (await asked(outside, inside)).status_code == 400, (outside, inside)
        wish = await door.database.read(lambda tx: router_wishes.router_wish(tx, router["id"]))
        assert [(w.first, w.last, w.fixed_first) for w in wish.forwards] == [
            (100, 102, 200),
            (110, 110, 300),
            (111, 111, 300),
        ]


async def test_a_port_that_goes_takes_what_leads_to_it_along() -> None:
    async with a_network_service() as door, ann(door) as http:
        floating, port, router = await _ready(door, http)
        path = f"/floatingips/{floating['id']}"
        values = {"external_port": 80, "internal_port": 80, "internal_port_id": port["id"], "protocol": "tcp"}
        assert (await http.post(f"{path}/port_forwardings", json={"port_forwarding": values})).status_code == 201
        subnet = port["fixed_ips"][0]["subnet_id"]
        kept = await http.put(f"/routers/{router['id']}/remove_router_interface", json={"subnet_id": subnet})
        assert error(kept)[:2] == (409, "RouterInterfaceInUseByFloatingIP")
        assert (await http.delete(f"/ports/{port['id']}")).status_code == 204
        seen = (await http.get(path)).json()["floatingip"]
        assert (seen["router_id"], seen["status"], seen["port_forwardings"]) == (None, "DOWN", [])
        assert (await http.delete(path)).status_code == 204


async def test_pools_of_floating_addresses() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        _, outside, _ = await a_way_out(door)
        pools = (await http.get("/floatingip_pools")).json()["floatingip_pools"]
        assert [(pool["network_id"], pool["cidr"]) for pool in pools] == [(outside["id"], "203.0.113.0/24")]
        assert len((await admin.get("/floatingip_pools?subnet_name=nothing")).json()["floatingip_pools"]) == 0
