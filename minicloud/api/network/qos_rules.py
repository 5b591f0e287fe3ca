"""/qos/policies/{id}/bandwidth_limit_rules and its like, and the same rules without their policy: /qos/alias_..._rules."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import OMITTED, OWNED, REQUIRED, Attribute, Resource
from minicloud.api.network.children import Child, five
from minicloud.api.routes import Delete, Get, Put, Route
from minicloud.core.context import Context
from minicloud.core.network import qos_policies, qos_rules
from minicloud.core.network.qos_rules import DSCP_MARKS, TYPES, QosRule, RuleType
from minicloud.core.network.rows import QosPolicy
from minicloud.core.records import Query, Transaction

_NUMBER = values.number_in(0, 2147483647)
ALIASED = ("bandwidth_limit", "dscp_marking", "minimum_bandwidth", "minimum_packet_rate")


def _mark(value: Any) -> int:
    number = values.integer(value)
    if number not in DSCP_MARKS:
        raise ValueError(f"{number} is not in {list(DSCP_MARKS)}")
    return number


def _resource(kind: RuleType, name: str) -> Resource:
    reader = _mark if kind.name == "dscp_marking" else _NUMBER
    attributes = [Attribute(kind.amount, reader, REQUIRED, column="amount", filter="number", sort=True)]
    if kind.burst is not None:
        attributes.append(Attribute(kind.burst, _NUMBER, 0, column="burst", filter="number", sort=True))
    if kind.directions:
        attributes.append(
            Attribute("direction", values.one_of(*kind.directions), kind.directions[0], filter="text", sort=True)
        )
    has = [attribute for attribute in OWNED if attribute.name == "id"]
    # Upstream takes an owner with a new rule and forgets it: a rule is its policy's.
    has += [Attribute(name, values.project, OMITTED, change=False) for name in ("tenant_id", "project_id")]
    return Resource(name, f"{name}s", attributes, has=has)


def view(rule: QosRule) -> dict[str, Any]:
    """A rule as clients read it."""
    kind = TYPES[rule.type]
    found: dict[str, Any] = {"id": rule.id, kind.amount: rule.amount}
    if kind.burst is not None:
        found[kind.burst] = rule.burst
    if kind.directions:
        found["direction"] = rule.direction
    return found


class _Rules:
    """The rules of one type, as children of policies."""

    def __init__(self, kind: RuleType) -> None:
        self._kind = kind

    def get(self, tx: Transaction, context: Context, policy: QosPolicy, rule_id: str) -> QosRule:
        """A rule of a policy."""
        return qos_rules.get(tx, context, policy, self._kind, rule_id)

    def page(self, tx: Transaction, context: Context, policy: QosPolicy, query: Query) -> list[QosRule]:
        """The rules of this type in a policy."""
        return qos_rules.page(tx, policy, self._kind, query)

    def create(self, tx: Transaction, context: Context, policy: QosPolicy, *, project_id: str, **given: Any) -> QosRule:
        """A new rule."""
        given.pop("tenant_id", None)
        return qos_rules.create(tx, policy, self._kind, **given)

    def change(self, tx: Transaction, context: Context, policy: QosPolicy, rule: QosRule, **given: Any) -> QosRule:
        """Change a rule."""
        return qos_rules.change(tx, policy, rule, **given)

    def delete(self, tx: Transaction, context: Context, policy: QosPolicy, rule: QosRule) -> None:
        """Delete a rule."""
        qos_rules.delete(tx, policy, rule)


def _below(kind: RuleType) -> list[Route]:
    return five(
        Child(
            resource=_resource(kind, f"{kind.name}_rule"),
            path="/qos/policies",
            policy=f"policy_{kind.name}_rule",
            parent=qos_policies.get,
            core=_Rules(kind),
            view=view,
            read=guard.PARENT_READER,
            write=guard.PARENT_MANAGER,
        )
    )


def _aliases(kind: RuleType) -> list[Route]:
    name = f"alias_{kind.name}_rule"
    resource = _resource(kind, name)

    def found(tx: Transaction, call: Call, verb: str, rule_id: str) -> tuple[QosPolicy, QosRule]:
        policy = qos_rules.policy_of(tx, call.context, kind, rule_id)
        target = {"project_id": policy.project_id, "ext_parent:project_id": policy.project_id}
        if verb == "get":
            guard.permit_seeing(call, f"get_{name}", target)
        else:
            guard.permit(call, f"{verb}_{name}", target)
        return policy, qos_rules.get(tx, call.context, policy, kind, rule_id)

    async def show(call: Call, rule_id: str) -> Any:
        _, rule = await call.read(lambda tx: found(tx, call, "get", rule_id))
        return {name: lists.pick(call, view(rule))}

    async def update(call: Call, rule_id: str, body: bytes) -> Any:
        wanted = resource.read_change(body)

        def work(tx: Transaction) -> QosRule:
            return qos_rules.change(tx, *found(tx, call, "update", rule_id), **wanted.values)

        return {name: view(await guard.write(call, work))}

    async def delete(call: Call, rule_id: str) -> Any:
        await guard.write(call, lambda tx: qos_rules.delete(tx, *found(tx, call, "delete", rule_id)))
        return Reply()

    path = f"/qos/alias_{kind.name}_rules/{{rule_id}}"
    return [
        Get(path, show, policy=f"get_{name}", allow=guard.PARENT_READER, late=True),
        Put(path, update, policy=f"update_{name}", allow=guard.PARENT_MANAGER, late=True),
        Delete(path, delete, policy=f"delete_{name}", allow=guard.PARENT_MANAGER, late=True),
    ]


routes = [
    *(route for kind in TYPES.values() for route in _below(kind)),
    *(route for name in ALIASED for route in _aliases(TYPES[name])),
]
