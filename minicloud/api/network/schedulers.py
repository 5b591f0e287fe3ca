"""Which agents serve which networks and routers: /agents/{id}/dhcp-networks, /networks/{id}/dhcp-agents, and the like of L3."""

from collections.abc import Callable
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, networks, routers
from minicloud.api.network.agents import everywhere, one
from minicloud.api.network.attributes import parse
from minicloud.api.routes import Delete, Get, Post, Route
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute import hosts
from minicloud.core.context import Context, administrator
from minicloud.core.network import hostings
from minicloud.core.network import networks as core_networks
from minicloud.core.network import routers as core_routers
from minicloud.core.network.rows import Network, Router
from minicloud.core.records import Record, Transaction

NOTHING = Reply(b"null", headers={"Content-Type": "application/json"})
"""What upstream answers where there is nothing to tell: a document that says so."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What agents of a kind serve: how it is found and called, and how upstream words what does not fit."""

    kind: str
    named: str
    policy: str
    agents: str
    get: Callable[[Transaction, Context, str], Record]
    no_agent: tuple[str, str]
    not_hosted: tuple[str, str]
    hosted: tuple[str, str] | None = None


NETWORKS = Served(
    kind=hostings.DHCP,
    named="network_id",
    policy="dhcp-network",
    agents="dhcp-agents",
    get=core_networks.get,
    no_agent=("Agent {agent} is not a valid DHCP Agent or has been disabled", "InvalidDHCPAgent"),
    not_hosted=("The network {id} is not hosted by the DHCP agent {agent}.", "NetworkNotHostedByDhcpAgent"),
    hosted=("The network {id} has been already hosted by the DHCP Agent {agent}.", "NetworkHostedByDHCPAgent"),
)
ROUTERS = Served(
    kind=hostings.L3,
    named="router_id",
    policy="l3-router",
    agents="l3-agents",
    get=core_routers.get,
    no_agent=("Agent {agent} is not a L3 Agent or has been disabled", "InvalidL3Agent"),
    not_hosted=("The router {id} is not hosted by L3 agent {agent}.", "RouterNotHostedByL3Agent"),
)


async def dhcp_networks(call: Call, agent_id: str) -> Any:
    """The networks that an agent serves; none where there is no such agent."""
    guard.permit(call, "get_dhcp-networks", {})
    agent = await _agent(call, agent_id)

    def load(tx: Transaction) -> list[networks.Seen]:
        ids = [] if agent is None else hostings.served(tx, agent["host"], hostings.DHCP)
        return networks.with_all(tx, administrator(), records.select_in(tx, Network, "id", ids))

    look = networks.seeing(call)
    return {"networks": [look(found) for found in await call.read(load)]}


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


async def _agent(call: Call, agent_id: str) -> dict[str, Any] | None:
    try:
        return await one(call, agent_id)
    except NotFound:
        return None


def _named(raw: bytes, name: str) -> str:
    found = parse(raw).get(name)
    if not isinstance(found, str):
        raise Invalid("Invalid body: " + name + " is missing", kind="HTTPBadRequest")
    return found


def _conflict(words: tuple[str, str], agent_id: str, object_id: str) -> Conflict:
    text, kind = words
    return Conflict(text.format(agent=agent_id, id=object_id), kind=kind)


def _routes(served: Served, path: str, objects: str, index: Any) -> list[Route]:
    """The calls about what agents of a kind serve: ``path`` is below an agent, ``objects`` are those that are served."""

    async def add(call: Call, agent_id: str, body: bytes) -> Any:
        """Let an agent serve something. It may do so already, where upstream is content with that."""
        guard.permit(call, f"create_{served.policy}", {})
        object_id = _named(body, served.named)
        agent = await one(call, agent_id)
        if agent["agent_type"] != served.kind or not agent["admin_state_up"]:
            text, kind = served.no_agent
            raise Invalid(text.format(agent=agent_id), kind=kind)

        def work(tx: Transaction) -> None:
            served.get(tx, call.context, object_id)
            if served.hosted is not None and object_id in hostings.served(tx, agent["host"], served.kind):
                raise _conflict(served.hosted, agent_id, object_id)
            hostings.give(tx, agent["host"], served.kind, object_id)

        await guard.write(call, work)
        return NOTHING

    async def remove(call: Call, agent_id: str, object_id: str) -> Any:
        """Let an agent serve something no more."""
        guard.permit(call, f"delete_{served.policy}", {})
        agent = await one(call, agent_id)

        def work(tx: Transaction) -> None:
            if object_id not in hostings.served(tx, agent["host"], served.kind):
                raise _conflict(served.not_hosted, agent_id, object_id)
            hostings.take(tx, agent["host"], served.kind, object_id, [node.host for node in hosts.nodes(tx)])

        await guard.write(call, work)
        return Reply()

    async def agents_of(call: Call, object_id: str) -> Any:
        """The agents that serve something."""
        guard.permit(call, f"get_{served.agents}", {})
        await call.read(lambda tx: served.get(tx, call.context, object_id))
        agents = [agent for agent in await everywhere(call) if agent["agent_type"] == served.kind]

        def load(tx: Transaction) -> set[str]:
            return {agent["host"] for agent in agents if object_id in hostings.served(tx, agent["host"], served.kind)}

        serving = await call.read(load)
        return {"agents": [agent for agent in agents if agent["host"] in serving]}

    def words(policy: str, **more: Any) -> dict[str, Any]:
        return {"policy": policy, "allow": guard.ADMIN, "late": True, **more}

    below = f"/agents/{{agent_id}}/{path}"
    return [
        Get(below, index, **words(f"get_{path}")),
        Post(below, add, **words(f"create_{served.policy}", status=201)),
        Delete(f"{below}/{{object_id}}", remove, **words(f"delete_{served.policy}")),
        Get(f"/{objects}/{{object_id}}/{served.agents}", agents_of, **words(f"get_{served.agents}")),
    ]


routes = [
    *_routes(NETWORKS, "dhcp-networks", "networks", dhcp_networks),
    *_routes(ROUTERS, "l3-routers", "routers", l3_routers),
]
