"""Agents are switched off and on, and serve what they are told; that makes a difference on their hosts."""

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from minicloud.core.network import wishes
from tests.support.clouds import a_cloud
from tests.support.network import error

pytestmark = pytest.mark.anyio
MOUNT = "/network/v2.0"


async def _made(http: httpx.AsyncClient, kind: str, **values: Any) -> dict[str, Any]:
    answer = await http.post(f"{MOUNT}/{kind}s", json={kind: values})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()[kind]
    return found


async def _agent(http: httpx.AsyncClient, kind: str) -> dict[str, Any]:
    agents = (await http.get(f"{MOUNT}/agents", params={"agent_type": kind})).json()["agents"]
    found: dict[str, Any] = agents[0]
    return found


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
