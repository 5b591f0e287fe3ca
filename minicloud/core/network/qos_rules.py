"""Rules of policies of quality of service: limits, marks and promises, at most one of a type and direction in each policy."""

from collections.abc import Sequence
from typing import Any

import msgspec

from minicloud.base.errors import Conflict, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import qos_policies, standard
from minicloud.core.network.rows import QosPolicy
from minicloud.core.records import Condition
from minicloud.engines.database import Transaction

EGRESS = "egress"
INGRESS = "ingress"
ANY = "any"


class QosRule(records.Record, kw_only=True):
    """A rule. ``amount`` and ``burst`` are in kbit/s or kpackets/s; the amount of a marking rule is its mark."""

    TABLE = "qos_rules"

    id: str
    policy_id: str
    type: str
    direction: str = EGRESS
    amount: int
    burst: int = 0


class RuleType(msgspec.Struct, frozen=True):
    """A type of rules: how its amount and burst are called, the directions it knows, and whether hosts keep to it."""

    name: str
    amount: str
    burst: str | None = None
    directions: tuple[str, ...] = (EGRESS, INGRESS)
    supported: bool = True


TYPES: dict[str, RuleType] = {
    one.name: one
    for one in (
        RuleType("bandwidth_limit", "max_kbps", "max_burst_kbps"),
        RuleType("dscp_marking", "dscp_mark", directions=()),
        RuleType("minimum_bandwidth", "min_kbps"),
        RuleType("packet_rate_limit", "max_kpps", "max_burst_kpps", supported=False),
        RuleType("minimum_packet_rate", "min_kpps", directions=(EGRESS, INGRESS, ANY), supported=False),
    )
}
"""What there is, by name. A minimum bandwidth is recorded; no host reserves it."""

DSCP_MARKS = (0, *range(8, 41, 2), 44, 46, 48, 56)


def get(tx: Transaction, context: Context, policy: QosPolicy, kind: RuleType, rule_id: str) -> QosRule:
    """A rule of a policy. Raises NotFound."""
    rule = records.find(tx, QosRule, rule_id)
    if rule is None or rule.policy_id != policy.id or rule.type != kind.name:
        raise missing(policy.id, rule_id)
    return rule


def policy_of(tx: Transaction, context: Context, kind: RuleType, rule_id: str) -> QosPolicy:
    """The policy that a rule is in. Raises NotFound."""
    rule = records.find(tx, QosRule, rule_id)
    if rule is None or rule.type != kind.name:
        raise missing("", rule_id)
    return qos_policies.get(tx, context, rule.policy_id)


def page(tx: Transaction, policy: QosPolicy, kind: RuleType, query: records.Query) -> list[QosRule]:
    """The rules of one type in a policy."""
    where = [*query.where, Condition("policy_id", "=", policy.id), Condition("type", "=", kind.name)]
    return records.page(tx, QosRule, msgspec.structs.replace(query, where=where))


def create(tx: Transaction, policy: QosPolicy, kind: RuleType, **values: Any) -> QosRule:
    """A new rule. Raises Conflict where it contradicts another one, or is not supported where the policy is in use."""
    rule = QosRule(id=tx.ids.uuid(), policy_id=policy.id, type=kind.name, **values)
    _check(tx, policy, rule)
    if not kind.supported:
        refuse_ports(tx, policy.id, kind.name)
    made = records.insert(tx, rule)
    standard.touch(tx, policy)
    return made


def change(tx: Transaction, policy: QosPolicy, rule: QosRule, **values: Any) -> QosRule:
    """Change a rule. Raises Conflict as ``create`` does."""
    if not values:
        return rule
    _check(tx, policy, rule.with_(**values))
    changed = records.change(tx, rule, **values)
    standard.touch(tx, policy)
    return changed


def delete(tx: Transaction, policy: QosPolicy, rule: QosRule) -> None:
    """Take a rule out of its policy."""
    records.remove(tx, rule)
    standard.touch(tx, policy)


def of_policies(tx: Transaction, policy_ids: Sequence[str]) -> dict[str, list[QosRule]]:
    """The rules of policies, by policy, in the order of their types and directions."""
    found: dict[str, list[QosRule]] = {policy_id: [] for policy_id in policy_ids}
    for rule in records.select_in(tx, QosRule, "policy_id", list(policy_ids)):
        found[rule.policy_id].append(rule)
    for rules in found.values():
        rules.sort(key=lambda rule: (rule.type, rule.direction, rule.id))
    return found


def refuse_unsupported(tx: Transaction, policy_id: str | None, *, what: str, object_id: str) -> None:
    """Raises Conflict (``QosRuleNotSupported``) when something gets a policy with a rule that no host keeps to."""
    if policy_id is None:
        return
    for rule in records.select(tx, QosRule, "policy_id = ?", [policy_id]):
        if not TYPES[rule.type].supported:
            raise _unsupported(rule.type, what, object_id)


def refuse_ports(tx: Transaction, policy_id: str, name: str) -> None:
    """Raises Conflict when a port has the policy, by itself or by its network: no host would keep to the rule."""
    row = tx.one(
        "SELECT id FROM ports WHERE qos_policy_id = ? OR (qos_policy_id IS NULL AND network_id IN "
        "(SELECT id FROM networks WHERE qos_policy_id = ?)) ORDER BY id LIMIT 1",
        [policy_id, policy_id],
    )
    if row is not None:
        raise _unsupported(name, "port", row[0])


def missing(policy_id: str, rule_id: str) -> NotFound:
    """The error for a rule that a policy has not."""
    return NotFound(f"QoS rule {rule_id} for policy {policy_id} could not be found.", kind="QosRuleNotFound")


def _unsupported(name: str, what: str, object_id: str) -> Conflict:
    if what == "network":
        return Conflict(f"Rule {name} is not supported by network {object_id}", kind="QosRuleNotSupportedByNetwork")
    return Conflict(f"Rule {name} is not supported by {what} {object_id}", kind="QosRuleNotSupported")


def _check(tx: Transaction, policy: QosPolicy, wanted: QosRule) -> None:
    for rule in records.select(tx, QosRule, "policy_id = ? AND id <> ?", [policy.id, wanted.id]):
        if rule.type == wanted.type == "minimum_packet_rate" and (rule.direction == ANY) != (wanted.direction == ANY):
            raise _contradiction(policy, wanted.direction, rule, rule.direction)
        if rule.type == wanted.type and rule.direction == wanted.direction:
            raise Conflict(
                f"Rule {wanted.type} conflicts with rule {rule.id} which already exists in QoS Policy {policy.id}.",
                kind="QoSRulesConflict",
            )
        if rule.direction != wanted.direction:
            continue
        pair = {rule.type: rule.amount, wanted.type: wanted.amount}
        if set(pair) == {"bandwidth_limit", "minimum_bandwidth"} and (
            pair["minimum_bandwidth"] > pair["bandwidth_limit"]
        ):
            raise _contradiction(policy, wanted.amount, rule, rule.amount)


def _contradiction(policy: QosPolicy, value: object, rule: QosRule, there: object) -> Conflict:
    return Conflict(
        f"Unable to add the rule with value {value} to the policy {policy.id} as the existing rule of type {rule.type} "
        f"has value {there}.",
        kind="QoSRuleParameterConflict",
    )
