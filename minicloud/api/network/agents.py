"""/agents: what of each host's agent is the network's, under the names by which administrators know the parts.

One agent does all of it on a host; it is alive when the host's heart beats. Lists and shows only: the parts cannot be switched
off one by one, and so the ``agent`` extension is not declared.
"""

import uuid
from typing import Any

from minicloud.api.call import Call
from minicloud.api.network import guard
from minicloud.api.network.lists import pick
from minicloud.api.network.values import boolean
from minicloud.api.routes import Get
from minicloud.base.errors import NotFound
from minicloud.core.compute import hosts
from minicloud.core.compute.hosts import ComputeNode
from minicloud.core.network import zones

PARTS = {
    "DHCP agent": ("neutron-dhcp-agent", "dhcp_agent", zones.ZONE),
    "L3 agent": ("neutron-l3-agent", "l3_agent", zones.ZONE),
    "Linux bridge agent": ("neutron-linuxbridge-agent", "N/A", None),
    "Metadata agent": ("neutron-metadata-agent", "N/A", None),
}
"""Binary, topic and availability zone of each part."""


async def index(call: Call) -> Any:
    """All parts on all hosts; whoever may not know of agents sees none."""
    if not call.allows("get_agent"):
        return {"agents": []}
    found = await _all(call)
    for name, value in call.parameters:
        if name in ("host", "agent_type", "binary", "topic", "id", "availability_zone"):
            found = [agent for agent in found if agent[name] == value]
        elif name in ("alive", "admin_state_up"):
            wanted = boolean(value)
            found = [agent for agent in found if agent[name] is wanted]
    return {"agents": [pick(call, agent) for agent in found]}


async def show(call: Call, agent_id: str) -> Any:
    """One part of one host's agent."""
    missing = NotFound(f"Agent {agent_id} could not be found", kind="AgentNotFound")
    call.judged = True
    if not call.allows("get_agent"):
        raise missing
    for agent in await _all(call):
        if agent["id"] == agent_id:
            return {"agent": pick(call, agent)}
    raise missing


async def _all(call: Call) -> list[dict[str, Any]]:
    alive = await call.world.servicegroup.members()
    nodes = await call.read(hosts.nodes)
    found = []
    for node in sorted(nodes, key=lambda node: node.host):
        beat = alive.get(hosts.member(node.host))
        up, seen = (False, node.updated_at) if beat is None else (beat.up, beat.seen)
        found += [_view(node, kind, up, seen) for kind in PARTS]
    return found


def _view(node: ComputeNode, kind: str, up: bool, seen: str) -> dict[str, Any]:
    binary, topic, zone = PARTS[kind]
    return {
        "id": str(uuid.uuid5(uuid.UUID(node.uuid), kind)),
        "agent_type": kind,
        "binary": binary,
        "topic": topic,
        "host": node.host,
        "admin_state_up": True,
        "alive": up,
        "created_at": _moment(node.created_at),
        "started_at": _moment(node.created_at),
        "heartbeat_timestamp": _moment(seen),
        "description": None,
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
]
