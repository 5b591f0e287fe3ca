"""Rules of security groups: what may be one, making and deleting them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import address_groups, quotas, security_group_checks, security_groups, standard
from minicloud.core.network.rows import SecurityGroup, SecurityGroupRule
from minicloud.core.network.security_group_checks import PROTOCOLS as PROTOCOLS
from minicloud.core.network.security_group_checks import normalized as normalized
from minicloud.core.network.security_group_checks import number as number
from minicloud.core.records import AnyOf, Condition
from minicloud.engines.database import Transaction


def visible(tx: Transaction, context: Context) -> list[Condition | AnyOf]:
    """The condition under which a rule exists for whoever asks: that of its group."""
    return [] if context.is_admin else [Condition("project_id", "=", context.project_id or "")]


def get(tx: Transaction, context: Context, rule_id: str) -> SecurityGroupRule:
    """A rule that exists for whoever asks. Raises NotFound."""
    rule = records.find(tx, SecurityGroupRule, rule_id)
    if rule is None or not context.sees(rule.project_id):
        raise SecurityGroupRule.missing(rule_id)
    return rule


def page(tx: Transaction, context: Context, query: records.Query) -> list[SecurityGroupRule]:
    """A page of the rules that exist for whoever asks."""
    where = [*query.where, *visible(tx, context)]
    return records.page(tx, SecurityGroupRule, msgspec.structs.replace(query, where=where))


def create(tx: Transaction, context: Context, group: SecurityGroup, **values: Any) -> SecurityGroupRule:
    """A new rule of a group. Raises OverQuota, Invalid, NotFound (remote group), Conflict (``SecurityGroupRuleExists``)."""
    rule = SecurityGroupRule(
        id=tx.ids.uuid(),
        project_id=group.project_id,
        security_group_id=group.id,
        created_at=tx.now,
        updated_at=tx.now,
        **values,
    )
    rule = security_group_checks.canonical(rule)
    security_group_checks.check(rule)
    if rule.remote_group_id is not None:
        security_groups.get(tx, context, rule.remote_group_id)
    if rule.remote_address_group_id is not None:
        address_groups.get(tx, context, rule.remote_address_group_id)
    for other in security_groups.rules_of(tx, [group.id])[group.id]:
        if security_group_checks.same(rule, other):
            raise Conflict(
                f"Security group rule already exists. Rule id is {other.id}.", kind="SecurityGroupRuleExists"
            )
    quotas.check(tx, group.project_id, "security_group_rule")
    records.insert(tx, rule)
    standard.touch(tx, group)
    return rule


def delete(tx: Transaction, rule: SecurityGroupRule) -> None:
    """Take a rule away."""
    records.remove(tx, rule)
    standard.touch(tx, records.get(tx, SecurityGroup, rule.security_group_id))


def defaults_of(tx: Transaction, rules: Sequence[SecurityGroupRule]) -> set[str]:
    """The ids of those groups of rules that are a project's default one."""
    ids = sorted({rule.security_group_id for rule in rules})
    return {group.id for group in records.select_in(tx, SecurityGroup, "id", ids) if group.is_default}
