"""Which agents serve which networks and routers: /agents/{id}/dhcp-networks, /networks/{id}/dhcp-agents, and the like of L3."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, networks, routers
from minicloud.api.network.agents import everywhere, one
from minicloud.api.network.attributes import parse
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute import hosts
from minicloud.core.context import administrator
from minicloud.core.network import hostings
from minicloud.core.network import networks as core_networks
from minicloud.core.network import routers as core_routers
from minicloud.core.network.rows import Network, Router
from minicloud.core.records import Transaction

NOTHING = Reply(b"null", headers={"Content-Type": "application/json"})
"""What upstream answers where there is nothing to tell: a document that says so."""


async def dhcp_networks(call: Call, agent_id: str) -> Any:
    """The networks that an agent serves; none where there is no such agent."""
    guard.permit(call, "get_dhcp-networks", {})
    agent = await _agent(call, agent_id)

    def load(tx: Transaction) -> list[networks.Seen]:
        ids = [] if agent is None else hostings.served(tx, agent["host"], hostings.DHCP)
        return networks.with_all(tx, administrator(), records.select_in(tx, Network, "id", ids))

    look = networks.seeing(call)
    return {"networks": [look(found) for found in await call.read(load)]}


async def add_network(call: Call, agent_id: str, body: bytes) -> Any:
    """Let an agent serve a network."""
    guard.permit(call, "create_dhcp-network", {})
    network_id = _named(body, "network_id")
    agent = await one(call, agent_id)
    if agent["agent_type"] != hostings.DHCP or not agent["admin_state_up"]:
        raise Invalid(f"Agent {agent_id} is not a valid DHCP Agent or has been disabled", kind="InvalidDHCPAgent")

    def work(tx: Transaction) -> None:
        core_networks.get(tx, call.context, network_id)
        if network_id in hostings.served(tx, agent["host"], hostings.DHCP):
            raise Conflict(
                f"The network {network_id} has been already hosted by the DHCP Agent {agent_id}.",
                kind="NetworkHostedByDHCPAgent",
            )
        hostings.give(tx, agent["host"], hostings.DHCP, network_id)

    await guard.write(call, work)
    return NOTHING


async def remove_network(call: Call, agent_id: str, network_id: str) -> Any:
    """Let an agent serve a network no more."""
    guard.permit(call, "delete_dhcp-network", {})
    agent = await one(call, agent_id)

    def work(tx: Transaction) -> None:
        if network_id not in hostings.served(tx, agent["host"], hostings.DHCP):
            raise Conflict(
                f"The network {network_id} is not hosted by the DHCP agent {agent_id}.",
                kind="NetworkNotHostedByDhcpAgent",
            )
        hostings.take(tx, agent["host"], hostings.DHCP, network_id, _hosts(tx))

    await guard.write(call, work)
    return Reply()


async def agents_of_network(call: Call, network_id: str) -> Any:
    """The agents that serve a network."""
    guard.permit(call, "get_dhcp-agents", {})
    await call.read(lambda tx: core_networks.get(tx, call.context, network_id))
    return {"agents": await _serving(call, hostings.DHCP, network_id)}


async def l3_routers(call: Call, agent_id: str) -> Any:
    """The routers that an agent serves; none where there is no such agent."""
    guard.permit(call, "get_l3-routers", {})
    agent = await _agent(call, agent_id)

    def load(tx: Transaction) -> list[dict[str, Any]]:
        ids = [] if agent is None else hostings.served(tx, agent["host"], hostings.L3)
        found = records.select_in(tx, Router, "id", ids)
        gateways = core_routers.gateways_of(tx, found)
        return [routers.view(router, gateways.get(router.id)) for router in found]

    return {"routers": await call.read(load)}


async def add_router(call: Call, agent_id: str, body: bytes) -> Any:
    """Let an agent serve a router; content where it does already."""
    guard.permit(call, "create_l3-router", {})
    router_id = _named(body, "router_id")
    agent = await one(call, agent_id)
    if agent["agent_type"] != hostings.L3 or not agent["admin_state_up"]:
        raise Invalid(f"Agent {agent_id} is not a L3 Agent or has been disabled", kind="InvalidL3Agent")

    def work(tx: Transaction) -> None:
        core_routers.get(tx, call.context, router_id)
        hostings.give(tx, agent["host"], hostings.L3, router_id)

    await guard.write(call, work)
    return NOTHING


async def remove_router(call: Call, agent_id: str, router_id: str) -> Any:
    """Let an agent serve a router no more."""
    guard.permit(call, "delete_l3-router", {})
    agent = await one(call, agent_id)

    def work(tx: Transaction) -> None:
        if router_id not in hostings.served(tx, agent["host"], hostings.L3):
            raise Conflict(
                f"The router {router_id} is not hosted by L3 agent {agent_id}.", kind="RouterNotHostedByL3Agent"
            )
        hostings.take(tx, agent["host"], hostings.L3, router_id, _hosts(tx))

    await guard.write(call, work)
    return Reply()


async def agents_of_router(call: Call, router_id: str) -> Any:
    """The agents that serve a router."""
    guard.permit(call, "get_l3-agents", {})
    await call.read(lambda tx: core_routers.get(tx, call.context, router_id))
    return {"agents": await _serving(call, hostings.L3, router_id)}


async def _agent(call: Call, agent_id: str) -> dict[str, Any] | None:
    try:
        return await one(call, agent_id)
    except NotFound:
        return None


async def _serving(call: Call, kind: str, object_id: str) -> list[dict[str, Any]]:
    agents = [agent for agent in await everywhere(call) if agent["agent_type"] == kind]

    def load(tx: Transaction) -> set[str]:
        return {agent["host"] for agent in agents if object_id in hostings.served(tx, agent["host"], kind)}

    serving = await call.read(load)
    return [agent for agent in agents if agent["host"] in serving]


def _hosts(tx: Transaction) -> list[str]:
    return [node.host for node in hosts.nodes(tx)]


def _named(raw: bytes, name: str) -> str:
    found = parse(raw).get(name)
    if not isinstance(found, str):
        raise Invalid("Invalid body: " + name + " is missing", kind="HTTPBadRequest")
    return found


def _routes() -> list[Any]:
    def words(policy: str, **more: Any) -> dict[str, Any]:
        return {"policy": policy, "allow": guard.ADMIN, "late": True, **more}

    dhcp, l3 = "/agents/{agent_id}/dhcp-networks", "/agents/{agent_id}/l3-routers"
    return [
        Get(dhcp, dhcp_networks, **words("get_dhcp-networks")),
        Post(dhcp, add_network, **words("create_dhcp-network", status=201)),
        Delete(f"{dhcp}/{{network_id}}", remove_network, **words("delete_dhcp-network")),
        Get("/networks/{network_id}/dhcp-agents", agents_of_network, **words("get_dhcp-agents")),
        Get(l3, l3_routers, **words("get_l3-routers")),
        Post(l3, add_router, **words("create_l3-router", status=201)),
        Delete(f"{l3}/{{router_id}}", remove_router, **words("delete_l3-router")),
        Get("/routers/{router_id}/l3-agents", agents_of_router, **words("get_l3-agents")),
    ]


routes = _routes()
