"""/security-group-rules."""

import ipaddress
from functools import partial
from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import REQUIRED, Attribute, Resource
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.network import security_group_rules, security_groups
from minicloud.core.network.rows import SecurityGroup, SecurityGroupRule
from minicloud.core.network.security_group_rules import PROTOCOLS
from minicloud.core.records import Transaction


def _protocol(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and value.lower() in ("", "any", "-1")) or value == -1:
        return None
    word = str(value).lower()
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        if word.isdigit() and len(word) <= 3 and int(word) <= 255:
            return str(int(word))
        if word in PROTOCOLS:
            return word
    raise Invalid(
        f"Security group rule protocol {value} not supported. Only protocol values [{', '.join(sorted(PROTOCOLS))}] and "
        "integer representations [0 to 255] are supported.",
        kind="SecurityGroupRuleInvalidProtocol",
    )


def _ethertype(value: Any) -> str:
    for word in ("IPv4", "IPv6"):
        if isinstance(value, str) and value.lower() == word.lower():
            return word
    raise Invalid(
        f"Security group rule for ethertype '{value}' not supported. Allowed values are ['IPv4', 'IPv6'].",
        kind="SecurityGroupRuleInvalidEtherType",
    )


def _port(value: Any) -> int | None:
    if value is None:
        return None
    word = str(value)
    if isinstance(value, bool) or not word.isdecimal() or len(word) > 5 or int(word) > 65535:
        raise Invalid(f"Invalid value for port {value}", kind="SecurityGroupInvalidPortValue")
    return int(word)


def _prefix(value: Any) -> str | None:
    if not value:
        return None
    try:
        found = ipaddress.ip_interface(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise Invalid(f"Invalid CIDR {value} given as IP prefix.", kind="InvalidCIDR")
    return str(found)


MATCHES = [
    Attribute("direction", values.one_of("ingress", "egress"), REQUIRED, filter="text", sort=True),
    Attribute("ethertype", _ethertype, "IPv4", filter="text", sort=True),
    Attribute("protocol", _protocol, None, filter="text", sort=True),
    Attribute("port_range_min", _port, None, filter="number", sort=True),
    Attribute("port_range_max", _port, None, filter="number", sort=True),
    Attribute("remote_ip_prefix", _prefix, None, filter="text", sort=True),
    Attribute("remote_group_id", values.or_none(values.text(36)), None, filter="text", sort=True),
    Attribute("remote_address_group_id", values.or_none(values.text(36)), None, filter="text", sort=True),
]
"""What a rule says of the packets that it lets pass; templates of rules say the same."""

RULE = Resource(
    "security_group_rule",
    "security_group_rules",
    [
        Attribute("security_group_id", values.text(36), REQUIRED, filter="text", sort=True),
        *MATCHES,
        Attribute("normalized_cidr"),
        Attribute("belongs_to_default_sg"),
    ],
)


async def index(call: Call) -> Any:
    """Rules that exist for whoever asks."""
    wanted, sees = lists.read(call, RULE), guard.sight(call, "get_security_group_rule")
    project_id = call.context.project_id
    if project_id and await call.read(lambda tx: security_groups.default_of(tx, project_id)) is None:
        await call.write(lambda tx: security_groups.ensure_default(tx, project_id))

    def load(tx: Transaction) -> list[tuple[SecurityGroupRule, bool]]:
        found = security_group_rules.page(tx, call.context, wanted.query)
        rules = [rule for rule in found if sees(rule.project_id, partial(_target, rule.project_id))]
        defaults = security_group_rules.defaults_of(tx, rules)
        return [(rule, rule.security_group_id in defaults) for rule in rules]

    return await lists.answer(call, RULE, wanted, load, lambda row: view(*row))


async def show(call: Call, rule_id: str) -> Any:
    """One rule."""

    def load(tx: Transaction) -> tuple[SecurityGroupRule, bool]:
        rule = security_group_rules.get(tx, call.context, rule_id)
        return rule, bool(security_group_rules.defaults_of(tx, [rule]))

    rule, default = await call.read(load)
    guard.permit(call, "get_security_group_rule", _target(rule.project_id))
    return {"security_group_rule": lists.pick(call, view(rule, default))}


async def create(call: Call, body: bytes) -> Any:
    """One rule, or several at once."""
    wanted, bulk = RULE.read_new(call, body)

    def work(tx: Transaction) -> list[tuple[SecurityGroupRule, bool]]:
        made = []
        for one in wanted:
            given = dict(one.values)
            group = security_groups.get(tx, call.context, given.pop("security_group_id"))
            guard.permit(call, "create_security_group_rule", _target(group.project_id))
            group = records.get(tx, SecurityGroup, group.id)
            made.append((security_group_rules.create(tx, call.context, group, **given), group.is_default))
        return made

    found = [view(*pair) for pair in await guard.write(call, work)]
    return {"security_group_rules": found} if bulk else {"security_group_rule": found[0]}


async def delete(call: Call, rule_id: str) -> Any:
    """Take a rule away."""

    def work(tx: Transaction) -> None:
        rule = security_group_rules.get(tx, call.context, rule_id)
        guard.permit(call, "delete_security_group_rule", _target(rule.project_id))
        security_group_rules.delete(tx, rule)

    await guard.write(call, work)
    return Reply()


def view(rule: SecurityGroupRule, default: bool) -> dict[str, Any]:
    """A rule as clients read it."""
    return {
        "id": rule.id,
        "tenant_id": rule.project_id,
        "project_id": rule.project_id,
        "security_group_id": rule.security_group_id,
        "ethertype": rule.ethertype,
        "direction": rule.direction,
        "protocol": rule.protocol,
        "port_range_min": rule.port_range_min,
        "port_range_max": rule.port_range_max,
        "remote_ip_prefix": rule.remote_ip_prefix,
        "normalized_cidr": security_group_rules.normalized(rule.remote_ip_prefix),
        "remote_group_id": rule.remote_group_id,
        "remote_address_group_id": rule.remote_address_group_id,
        "belongs_to_default_sg": default,
        "description": rule.description,
        "created_at": f"{rule.created_at[:19]}Z",
        "updated_at": f"{rule.updated_at[:19]}Z",
        "revision_number": rule.revision_number,
    }


def _target(project_id: str) -> dict[str, Any]:
    return {"project_id": project_id, "tenant_id": project_id, "security_group:project_id": project_id}


_MEMBER = f"({guard.ADMIN}) or (role:member and rule:sg_owner)"
_READER = f"({guard.ADMIN}) or (role:reader and rule:sg_owner)"

routes = [
    Get("/security-group-rules", index, policy=None),
    Post("/security-group-rules", create, policy="create_security_group_rule", allow=_MEMBER, late=True, status=201),
    Get("/security-group-rules/{rule_id}", show, policy="get_security_group_rule", allow=_READER, late=True),
    Delete("/security-group-rules/{rule_id}", delete, policy="delete_security_group_rule", allow=_MEMBER, late=True),
]
