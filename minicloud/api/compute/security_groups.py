"""Security groups and their rules as Nova offered them before 2.36: Neutron's, in Nova's own form."""

import ipaddress
from typing import Any

import msgspec

from minicloud.api.bodies import UUID, Body, Text
from minicloud.api.call import Call
from minicloud.api.compute import queries, security_group_views
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import CloudError, Conflict, Forbidden, Invalid, OverQuota
from minicloud.core.network import security_group_rules, security_groups
from minicloud.core.network.rows import SecurityGroup
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Condition, Query, Transaction

POLICY = "os_compute_api:os-security-groups"
LAST = "2.35"
NETWORK_CHANGES = "network_changes"


class Group(Body, wrap="security_group", open=True):
    """The body of POST and PUT /os-security-groups."""

    name: Text
    description: Text


class Rule(Body, wrap="security_group_rule", open=True):
    """The body of POST /os-security-group-rules: everything may be written as text."""

    parent_group_id: UUID
    group_id: UUID | None = None
    ip_protocol: Any = None
    from_port: Any = None
    to_port: Any = None
    cidr: Any = None


async def index(call: Call) -> Any:
    """The project's groups, by name; all projects' for an administrator who asks."""
    everybody = call.context.is_admin and call.parameter("all_tenants") is not None
    first, last = queries.window(call)

    def work(tx: Transaction) -> list[dict[str, Any]]:
        mine = [] if everybody else [Condition("project_id", "=", call.context.project_id or "")]
        found = security_groups.page(tx, call.context, Query(where=[*mine]))
        if not everybody and not any(group.is_default for group in found):
            security_groups.ensure_default(tx, call.context.require_project())
            found = security_groups.page(tx, call.context, Query(where=[*mine]))
        return _views(tx, found)

    views = await call.write(work)
    views.sort(key=lambda view: (view["tenant_id"], view["name"]))
    return {"security_groups": views[first:last]}


def _views(tx: Transaction, found: list[SecurityGroup]) -> list[dict[str, Any]]:
    rules = security_groups.rules_of(tx, [group.id for group in found])
    return security_group_views.groups(tx, [(group, rules[group.id]) for group in found])


async def show(call: Call, group_id: str) -> Any:
    """One group."""
    _check_id(group_id)

    def work(tx: Transaction) -> dict[str, Any]:
        return _views(tx, [security_groups.get(tx, call.context, group_id)])[0]

    return {"security_group": await call.read(work)}


def _check_id(text: str) -> None:
    try:
        msgspec.convert(text, UUID)
    except msgspec.ValidationError as error:
        raise Invalid("Security group id should be uuid") from error


async def create(call: Call, body: Group) -> Any:
    """A new group."""

    def work(tx: Transaction) -> dict[str, Any]:
        made = security_groups.create(
            tx, call.context, project_id=call.context.require_project(), name=body.name, description=body.description
        )
        return _views(tx, [made])[0]

    return {"security_group": await _write(call, work)}


async def update(call: Call, group_id: str, body: Group) -> Any:
    """Another name and description."""
    _check_id(group_id)

    def work(tx: Transaction) -> dict[str, Any]:
        group = security_groups.get(tx, call.context, group_id)
        changed = security_groups.change(tx, call.context, group, name=body.name, description=body.description)
        return _views(tx, [changed])[0]

    return {"security_group": await _write(call, work)}


async def delete(call: Call, group_id: str) -> None:
    """Remove a group that nobody uses."""
    _check_id(group_id)

    def work(tx: Transaction) -> None:
        security_groups.delete(tx, call.context, security_groups.get(tx, call.context, group_id))

    await _write(call, work)


async def create_rule(call: Call, body: Rule) -> Any:
    """Let something in."""
    values = _rule_values(body)

    def work(tx: Transaction) -> dict[str, Any]:
        group = security_groups.get(tx, call.context, body.parent_group_id)
        made = security_group_rules.create(tx, call.context, group, direction="ingress", **values)
        return security_group_views.rule(tx, made)

    return {"security_group_rule": await _write(call, work)}


async def delete_rule(call: Call, rule_id: str) -> None:
    """Take a rule away."""
    _check_id(rule_id)

    def work(tx: Transaction) -> None:
        security_group_rules.delete(tx, security_group_rules.get(tx, call.context, rule_id))

    await _write(call, work)


async def _write(call: Call, work: Any) -> Any:
    """Commit; what Neutron calls a conflict is a bad request of Nova's, and a full quota is forbidden."""
    try:
        done = await call.write(work)
    except Conflict as error:
        raise Invalid(error.message) from error
    except OverQuota as error:
        raise Forbidden(error.message) from error
    call.means.poke(NETWORK_CHANGES)
    return done


def _rule_values(body: Rule) -> dict[str, Any]:
    """What Nova made of a rule for Neutron (nova/network/security_group_api.py)."""
    inside = body.group_id is not None
    cidr = None if inside else _cidr(body.cidr)
    protocol = None if body.ip_protocol in (None, "") else str(body.ip_protocol).upper()
    low, high = body.from_port, body.to_port
    if inside and low is None and high is None:
        low, high = {"ICMP": (-1, -1), "TCP": (1, 65535), "UDP": (1, 65535)}.get(protocol or "", (None, None))
    if protocol is None or low is None or high is None:
        if not inside or protocol is not None or low is not None or high is not None:
            raise Invalid("Not enough parameters to build a valid rule.")
        return {"remote_group_id": body.group_id, "ethertype": "IPv4"}
    low, high = _ports(protocol, low, high)
    six = cidr is not None and ":" in cidr
    return {
        "protocol": "icmpv6" if six and protocol == "ICMP" else protocol.lower(),
        "port_range_min": None if low == -1 else low,
        "port_range_max": None if high == -1 else high,
        "remote_group_id": body.group_id,
        "remote_ip_prefix": cidr,
        "ethertype": "IPv6" if six else "IPv4",
    }


def _ports(protocol: str, low: Any, high: Any) -> tuple[int, int]:
    try:
        first, last = int(low), int(high)
    except (TypeError, ValueError) as error:
        what = "Type and Code must be integers for ICMP protocol type"
        raise Invalid(what if protocol == "ICMP" else "To and From ports must be integers") from error
    if protocol not in ("TCP", "UDP", "ICMP"):
        raise Invalid(f"Invalid IP protocol {protocol}")
    if protocol == "ICMP":
        if not (-1 <= first <= 255 and -1 <= last <= 255):
            raise _bad_range(first, last, "For ICMP, the type:code must be valid")
        return first, last
    if first > last:
        raise _bad_range(first, last, "Former value cannot be greater than the later")
    if first < 1 or last > 65535:
        raise _bad_range(first, last, f"Valid {protocol} ports should be between 1-65535")
    return first, last


def _bad_range(first: int, last: int, why: str) -> CloudError:
    return Invalid(f"Invalid port range {first}:{last}. {why}")


def _cidr(asked: Any) -> str:
    """Everything where nothing is said. Raises Invalid for what is none."""
    if asked is None or asked == "":
        return "0.0.0.0/0"
    try:
        found = ipaddress.ip_network(str(asked), strict=False)
    except ValueError as error:
        raise Invalid(f"Invalid cidr {asked}.") from error
    if found.prefixlen == 0 and not found.network_address.is_unspecified:
        raise Invalid(f"Bad prefix for network in cidr {asked}")
    return str(asked) if "/" in str(asked) else str(found)


routes = [
    Get("/os-security-groups", index, policy=f"{POLICY}:get", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Post("/os-security-groups", create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST),
    Get("/os-security-groups/{group_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Put("/os-security-groups/{group_id}", update, policy=f"{POLICY}:update", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST),
    Delete("/os-security-groups/{group_id}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST, status=202),
    Post("/os-security-group-rules", create_rule, policy=f"{POLICY}:rule:create", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST),
    Delete("/os-security-group-rules/{rule_id}", delete_rule, policy=f"{POLICY}:rule:delete", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST, status=202),
]  # fmt: skip
