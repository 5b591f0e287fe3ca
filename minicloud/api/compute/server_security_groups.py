"""Security groups of a server: the list, and the actions addSecurityGroup and removeSecurityGroup."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Action, Get
from minicloud.core.compute import interfaces
from minicloud.core.network.rows import SecurityGroup, SecurityGroupRule
from minicloud.core.network.security_groups import names_of
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-security-groups"
NETWORK_CHANGES = "network_changes"


class GroupName(Body):
    """The body of both actions; the name may also be an id."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


async def index(call: Call, server_id: str) -> Any:
    """The groups of a server with their rules for what comes in."""
    queries.only(call, since="2.102")

    def work(tx: Transaction) -> list[dict[str, Any]]:
        found = interfaces.groups(tx, call.context, server_id)
        sources = names_of(tx, [rule.remote_group_id for _, rules in found for rule in rules if rule.remote_group_id])
        return [_group(group, rules, sources) for group, rules in found]

    return {"security_groups": await call.read(work)}


def _group(group: SecurityGroup, rules: list[SecurityGroupRule], sources: dict[str, str]) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.project_id,
        "rules": [_rule(rule, sources) for rule in rules if rule.direction == "ingress"],
    }


def _rule(rule: SecurityGroupRule, sources: dict[str, str]) -> dict[str, Any]:
    low, high = rule.port_range_min, rule.port_range_max
    if rule.protocol is not None and low is None and high is None:
        low, high = (1, 65535) if rule.protocol.lower() in ("tcp", "udp") else (-1, -1)
    everywhere = "0.0.0.0/0" if rule.ethertype == "IPv4" else "::/0"
    inside = rule.remote_group_id is not None
    return {
        "id": rule.id,
        "parent_group_id": rule.security_group_id,
        "ip_protocol": None if rule.protocol is None else rule.protocol.upper(),
        "from_port": low,
        "to_port": high,
        "group": {"name": sources.get(rule.remote_group_id or "", ""), "tenant_id": rule.project_id} if inside else {},
        "ip_range": {} if inside else {"cidr": rule.remote_ip_prefix or everywhere},
    }


async def add(call: Call, server_id: str, body: GroupName) -> None:
    """Put the server's ports into a group."""
    await call.write(lambda tx: interfaces.add_group(tx, call.context, server_id, body.name))
    call.means.poke(NETWORK_CHANGES)


async def remove(call: Call, server_id: str, body: GroupName) -> None:
    """Take the server's ports out of a group."""
    await call.write(lambda tx: interfaces.remove_group(tx, call.context, server_id, body.name))
    call.means.poke(NETWORK_CHANGES)


routes = [
    Get("/servers/{server_id}/os-security-groups", index, policy=f"{POLICY}:list", allow=PROJECT_READER_OR_ADMIN),
    Action("addSecurityGroup", add, policy=f"{POLICY}:add", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("removeSecurityGroup", remove, policy=f"{POLICY}:remove", allow=PROJECT_MEMBER_OR_ADMIN),
]
