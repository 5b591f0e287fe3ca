"""/agents: what of each host's agent is the network's, under the names by which administrators know the parts.

One agent does all of it on a host; it is alive when the host's heart beats. Parts can be switched off: a host whose DHCP or L3
part is off serves no addresses, or has no routers.
"""

import uuid
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import Attribute, Resource
from minicloud.api.routes import Delete, Get, Put
from minicloud.base.errors import NotFound
from minicloud.core.compute import hosts
from minicloud.core.compute.hosts import ComputeNode
from minicloud.core.network import hostings, zones
from minicloud.core.network.hostings import AgentSetting
from minicloud.core.records import Transaction

PARTS = {
    hostings.DHCP: ("neutron-dhcp-agent", "dhcp_agent", zones.ZONE),
    hostings.L3: ("neutron-l3-agent", "l3_agent", zones.ZONE),
    "Linux bridge agent": ("neutron-linuxbridge-agent", "N/A", None),
    "Metadata agent": ("neutron-metadata-agent", "N/A", None),
}
"""Binary, topic and availability zone of each part."""

AGENT = Resource(
    "agent",
    "agents",
    [
        *(
            Attribute(name, filter="special", sort=True)
            for name in ("id", "agent_type", "binary", "topic", "host", "availability_zone", "alive")
        ),
        Attribute("admin_state_up", values.boolean, filter="special", sort=True),
        Attribute("description", values.or_none(values.text(255)), filter="special", sort=True),
        Attribute("created_at", sort=True),
        Attribute("started_at", sort=True),
        Attribute("heartbeat_timestamp", sort=True),
        Attribute("configurations"),
    ],
    has=[],
)


async def index(call: Call) -> Any:
    """All parts on all hosts; whoever may not know of agents sees none."""
    call.judged = True
    wanted = lists.read(call, AGENT)
    if not call.allows("get_agent"):
        return {"agents": []}
    found = await everywhere(call)
    for name, texts in wanted.special.items():
        if name in ("alive", "admin_state_up"):
            truths = [values.boolean(text) for text in texts]
            found = [agent for agent in found if agent[name] in truths]
        else:
            found = [agent for agent in found if str(agent[name]) in texts]
    if call.parameter("sort_key"):
        for column, descending in reversed(wanted.query.sort):
            found.sort(key=lambda agent: str(agent[column]), reverse=descending)
    return {"agents": [lists.pick(call, agent) for agent in found]}


async def show(call: Call, agent_id: str) -> Any:
    """One part of one host's agent."""
    return {"agent": lists.pick(call, await one(call, agent_id))}


async def update(call: Call, agent_id: str, body: bytes) -> Any:
    """Switch a part on or off, or describe it."""
    agent = await one(call, agent_id)
    guard.permit(call, "update_agent", {})
    wanted = AGENT.read_change(body)

    def work(tx: Transaction) -> AgentSetting:
        there = hostings.setting(tx, agent["host"], agent["agent_type"])
        said = msgspec.structs.replace(there, **wanted.values)
        hostings.keep(tx, said)
        return said

    said = await guard.write(call, work)
    return {"agent": agent | {"admin_state_up": said.admin_state_up, "description": said.description}}


async def delete(call: Call, agent_id: str) -> Any:
    """Forget a part, until it is heard of again: one that is alive is back at its next heartbeat."""
    agent = await one(call, agent_id)
    guard.permit(call, "delete_agent", {})

    def work(tx: Transaction) -> None:
        hostings.keep(tx, AgentSetting(host=agent["host"], kind=agent["agent_type"], deleted_at=tx.now))

    await guard.write(call, work)
    return Reply()


async def one(call: Call, agent_id: str) -> dict[str, Any]:
    """One part. Raises NotFound, also for whoever may not know of it."""
    call.judged = True
    if call.allows("get_agent"):
        for agent in await everywhere(call):
            if agent["id"] == agent_id:
                return agent
    raise NotFound(f"Agent {agent_id} could not be found", kind="AgentNotFound")


async def everywhere(call: Call) -> list[dict[str, Any]]:
    """All parts on all hosts."""
    alive = await call.world.servicegroup.members()
    nodes, said = await call.read(lambda tx: (hosts.nodes(tx), hostings.settings(tx)))
    found = []
    for node in sorted(nodes, key=lambda node: node.host):
        beat = alive.get(hosts.member(node.host))
        up, seen = (False, node.updated_at) if beat is None else (beat.up, beat.seen)
        for kind in PARTS:
            setting = said.get((node.host, kind), AgentSetting(host=node.host, kind=kind))
            if setting.deleted_at is None or seen > setting.deleted_at:
                found.append(_view(node, kind, up, seen, setting))
    return found


def _view(node: ComputeNode, kind: str, up: bool, seen: str, setting: AgentSetting) -> dict[str, Any]:
    binary, topic, zone = PARTS[kind]
    return {
        "id": str(uuid.uuid5(uuid.UUID(node.uuid), kind)),
        "agent_type": kind,
        "binary": binary,
        "topic": topic,
        "host": node.host,
        "admin_state_up": setting.admin_state_up,
        "alive": up,
        "created_at": _moment(node.created_at),
        "started_at": _moment(node.created_at),
        "heartbeat_timestamp": _moment(seen),
        "description": setting.description,
        "configurations": {},
        "availability_zone": zone,
        "resource_versions": {},
        "resources_synced": None,
    }


def _moment(stamp: str) -> str:
    return stamp[:19].replace("T", " ")


routes = [
    Get("/agents", index, policy=None),
    Get("/agents/{agent_id}", show, policy="get_agent", allow=guard.ADMIN, late=True),
    Put("/agents/{agent_id}", update, policy="update_agent", allow=guard.ADMIN, late=True),
    Delete("/agents/{agent_id}", delete, policy="delete_agent", allow=guard.ADMIN, late=True),
]
