"""Agents are switched off and on, and serve what they are told; that makes a difference on their hosts."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx
import pytest

from minicloud.core.network import hostings, wishes
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.reconcilers.network_changes import BURST_S
from tests.support.clouds import a_cloud
from tests.support.network import error

pytestmark = pytest.mark.anyio
MOUNT = "/network/v2.0"


async def _made(http: httpx.AsyncClient, kind: str, **values: Any) -> dict[str, Any]:
    answer = await http.post(f"{MOUNT}/{kind}s", json={kind: values})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()[kind]
    return found


async def _agents(http: httpx.AsyncClient, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await http.get(f"{MOUNT}/agents", params={"agent_type": kind})).json()["agents"]
    return found


async def _agent(http: httpx.AsyncClient, kind: str) -> dict[str, Any]:
    return (await _agents(http, kind))[0]


async def test_dhcp_is_served_where_it_is_told_to_be() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        http = cloud.admin
        network = await _made(http, "network", name="n")
        agent = await _agent(http, "DHCP agent")
        path = f"{MOUNT}/agents/{agent['id']}/dhcp-networks"
        hosted = f"{MOUNT}/networks/{network['id']}/dhcp-agents"
        assert (await http.get(hosted)).json()["agents"] == []
        await _made(http, "subnet", network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
        assert [one["id"] for one in (await http.get(hosted)).json()["agents"]] == [agent["id"]]
        assert network["id"] in [one["id"] for one in (await http.get(path)).json()["networks"]]
        twice = await http.post(path, json={"network_id": network["id"]})
        assert error(twice)[:2] == (409, "NetworkHostedByDHCPAgent")

        async def served() -> bool:
            wish = await cloud.read(lambda tx: wishes.network_wish(tx, network["id"], agent["host"]))
            return wish.subnets[0].dhcp

        assert await served()
        assert (await http.delete(f"{path}/{network['id']}")).status_code == 204
        assert not await served()
        again = await http.delete(f"{path}/{network['id']}")
        assert error(again)[:2] == (409, "NetworkNotHostedByDhcpAgent")
        back = await http.post(path, json={"network_id": network["id"]})
        assert (back.status_code, back.text) == (201, "null")
        assert await served()
        off = await http.put(f"{MOUNT}/agents/{agent['id']}", json={"agent": {"admin_state_up": False}})
        assert off.json()["agent"]["admin_state_up"] is False
        assert not await served()
        other = await _agent(http, "L3 agent")
        wrong = await http.post(f"{MOUNT}/agents/{other['id']}/dhcp-networks", json={"network_id": network["id"]})
        assert error(wrong)[:2] == (400, "InvalidDHCPAgent")


async def test_routers_stand_where_they_are_told_to() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        http = cloud.admin
        router = await _made(http, "router", name="r")
        agent = await _agent(http, "L3 agent")
        path, hosted = f"{MOUNT}/agents/{agent['id']}/l3-routers", f"{MOUNT}/routers/{router['id']}/l3-agents"
        assert (await http.get(hosted)).json()["agents"] == []
        assert (await http.post(path, json={"router_id": router["id"]})).status_code == 201
        assert [one["id"] for one in (await http.get(hosted)).json()["agents"]] == [agent["id"]]
        assert router["id"] in [one["id"] for one in (await http.get(path)).json()["routers"]]
        assert (await http.delete(f"{path}/{router['id']}")).status_code == 204
        gone = await http.delete(f"{path}/{router['id']}")
        assert error(gone)[:2] == (409, "RouterNotHostedByL3Agent")


async def test_an_agent_that_lives_is_soon_back() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        http = cloud.admin
        agent = await _agent(http, "Metadata agent")
        path = f"{MOUNT}/agents/{agent['id']}"
        assert (await http.put(path, json={"agent": {"description": "mine"}})).json()["agent"]["description"] == "mine"
        assert (await http.put(path, json={"agent": {"host": "x"}})).status_code == 400
        assert (await http.delete(path)).status_code == 204
        assert error(await http.get(path))[:2] == (404, "AgentNotFound")


async def test_hosts_that_share_networks_need_one_agent_and_have_none_without() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        cloud.cloud.world.wiring.shared = True
        http = cloud.admin
        server = await cloud.a_server(name="web")
        [port] = (await http.get(f"{MOUNT}/ports?device_id={server['id']}")).json()["ports"]
        [interface] = (
            await http.get(
                f"{MOUNT}/ports?network_id={port['network_id']}&device_owner=network:router_interface&fields=device_id"
            )
        ).json()["ports"]
        fabric = cloud.cloud.agents[port["binding:host_id"]].fabric
        assert isinstance(fabric, FakeFabric)

        async def there() -> tuple[bool, bool]:
            """Whether the host has DHCP on the server's network, and its router."""
            await cloud.reconciled()
            state = fabric.state()
            wish = state.networks[port["network_id"]]
            assert bool(wish.leases) == wish.subnets[0].dhcp == (wish.subnets[0].dhcp_address is not None)
            return wish.subnets[0].dhcp, interface["device_id"] in state.routers

        dhcp, l3 = await _agents(http, "DHCP agent"), await _agents(http, "L3 agent")
        assert await there() == (True, True)
        for agent in dhcp:
            before = await there()
            path = f"{MOUNT}/agents/{agent['id']}/dhcp-networks/{port['network_id']}"
            assert (await http.delete(path)).status_code == 204
            assert before == (True, True)
        assert await there() == (False, True)
        # A port brings the network back to an agent, as upstream schedules it; a router comes back when it is changed.
        await _made(http, "port", network_id=port["network_id"])
        await anyio.sleep(2 * BURST_S)
        assert fabric.state().networks[port["network_id"]].subnets[0].dhcp
        serving = (await http.get(f"{MOUNT}/networks/{port['network_id']}/dhcp-agents")).json()["agents"]
        assert [one["host"] for one in serving] == [dhcp[0]["host"]]
        assert await there() == (True, True)
        for agent in l3:
            assert await there() == (True, True)
            path = f"{MOUNT}/agents/{agent['id']}/l3-routers/{interface['device_id']}"
            assert (await http.delete(path)).status_code == 204
        assert await there() == (True, False)
        changed = await http.put(f"{MOUNT}/routers/{interface['device_id']}", json={"router": {"name": "again"}})
        assert changed.status_code == 200, changed.text
        assert await there() == (True, True)
        for agent in (dhcp[0], l3[0]):
            off = await http.put(f"{MOUNT}/agents/{agent['id']}", json={"agent": {"admin_state_up": False}})
            assert off.status_code == 200, off.text
        assert await there() == (False, False)


async def test_a_router_that_was_taken_while_nobody_looked_is_taken_down() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await cloud.a_server(name="web")
        fabric = cloud.cloud.agents["host-1"].fabric
        assert isinstance(fabric, FakeFabric)
        [router_id] = fabric.state().routers
        [agent] = await _agents(cloud.admin, "L3 agent")
        cloud.cloud.world.wiring.forget("host-1")  # as after a restart of the control side
        await cloud.write(lambda tx: hostings.take(tx, "host-1", hostings.L3, router_id, ["host-1"]))
        assert f"router {router_id} was left on host-1" in (await cloud.reconciled())["fabric"]
        assert fabric.state().routers == {}
        given = await cloud.admin.post(f"{MOUNT}/agents/{agent['id']}/l3-routers", json={"router_id": router_id})
        assert given.status_code == 201, given.text
        await cloud.reconciled()
        assert list(fabric.state().routers) == [router_id]
