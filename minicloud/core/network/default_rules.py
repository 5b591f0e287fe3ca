"""Templates of the rules that new security groups begin with; an administrator may change what they are."""

from typing import Any, ClassVar

import msgspec

from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import security_group_checks
from minicloud.core.network.rows import SecurityGroupRule
from minicloud.core.network.standard import Part
from minicloud.engines.database import Transaction

PARENT = "PARENT"
"""The remote group that means the new group itself."""


class DefaultRule(Part, kw_only=True):
    """A template, and whether default groups or others begin with such a rule."""

    TABLE = "default_security_group_rules"
    MISSING: ClassVar[str] = "Default Security Group rule {id} does not exist"
    MISSING_KIND: ClassVar[str | None] = "DefaultSecurityGroupRuleNotFound"

    description: str = ""
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    used_in_default_sg: bool = False
    used_in_non_default_sg: bool = True
    revision_number: int = 0


_SAME = (
    "direction",
    "ethertype",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_group_id",
    "remote_address_group_id",
)


def get(tx: Transaction, context: Context, rule_id: str) -> DefaultRule:
    """A template. Raises NotFound."""
    return records.get(tx, DefaultRule, rule_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[DefaultRule]:
    """A page of templates."""
    return records.page(tx, DefaultRule, query)


def create(tx: Transaction, context: Context, *, project_id: str, **values: Any) -> DefaultRule:
    """A new template. Raises Invalid as a rule would be refused, Conflict (``DefaultSecurityGroupRuleExists``)."""
    wanted = DefaultRule(id=tx.ids.uuid(), created_at=tx.now, updated_at=tx.now, **values)
    rule = security_group_checks.canonical(as_rule(wanted, group_id="", project_id="", rule_id=""))
    security_group_checks.check(rule)
    wanted = wanted.with_(**{name: getattr(rule, name) for name in _SAME})
    for other in records.select(tx, DefaultRule, "direction = ?", [wanted.direction]):
        if all(getattr(other, name) == getattr(wanted, name) for name in _SAME) and (
            (other.used_in_default_sg and wanted.used_in_default_sg)
            or (other.used_in_non_default_sg and wanted.used_in_non_default_sg)
        ):
            raise Conflict(
                f"Default Security group rule already exists. Rule id is {other.id}.",
                kind="DefaultSecurityGroupRuleExists",
            )
    return records.insert(tx, wanted)


def delete(tx: Transaction, context: Context, rule: DefaultRule) -> None:
    """Delete a template; rules that were made after it stay."""
    records.remove(tx, rule)


def of_new_group(tx: Transaction, *, default: bool) -> list[DefaultRule]:
    """The templates after which the rules of a new group are made: a project's default one, or another."""
    if default:
        return records.select(tx, DefaultRule, "used_in_default_sg = 1 ORDER BY created_at, id")
    return records.select(tx, DefaultRule, "used_in_non_default_sg = 1 ORDER BY created_at, id")


def as_rule(template: DefaultRule, *, group_id: str, project_id: str, rule_id: str) -> SecurityGroupRule:
    """The rule that a template makes in a group."""
    given = {name: value for name, value in msgspec.structs.asdict(template).items() if name in _SAME}
    if template.remote_group_id == PARENT and group_id:
        given["remote_group_id"] = group_id
    return SecurityGroupRule(
        id=rule_id,
        project_id=project_id,
        security_group_id=group_id,
        created_at=template.created_at,
        updated_at=template.updated_at,
        **given,
    )
