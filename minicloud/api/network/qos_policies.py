"""/qos/policies and /qos/rule-types."""

from collections.abc import Sequence
from typing import Any

from minicloud.api.call import Call
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import Attribute, Resource
from minicloud.api.network.kinds import Kind, common, five
from minicloud.api.network.qos_rules import view as rule_view
from minicloud.api.routes import Get
from minicloud.base.errors import Forbidden, NotFound
from minicloud.core.context import Context
from minicloud.core.network import qos_policies, qos_rules, rbac
from minicloud.core.network.qos_rules import RuleType
from minicloud.core.network.rows import QosPolicy
from minicloud.core.records import Transaction

POLICY = Resource(
    "policy",
    "policies",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("shared", values.boolean, False, filter="special"),
        Attribute("is_default", values.boolean, False, filter="flag"),
        Attribute("rules"),
        Attribute("tags", values.tags, [], change=False, ruled=True),
    ],
)
MOST = 2147483647
DRIVER = "minicloud"


def _view(tx: Transaction, context: Context, found: Sequence[QosPolicy]) -> list[dict[str, Any]]:
    shared = set(rbac.shared_ids(tx, context, "qos_policy"))
    rules = qos_rules.of_policies(tx, [policy.id for policy in found])
    return [
        common(policy)
        | {
            "name": policy.name,
            "shared": policy.id in shared,
            "is_default": policy.is_default,
            "rules": [{**rule_view(rule), "type": rule.type, "qos_policy_id": policy.id} for rule in rules[policy.id]],
        }
        for policy in found
    ]


def target(tx: Transaction, context: Context, policy: QosPolicy) -> dict[str, Any]:
    """What policies look at."""
    return {
        "project_id": policy.project_id,
        "tenant_id": policy.project_id,
        "shared": rbac.is_shared(tx, context, policy.id),
    }


READ = f"{guard.ADMIN_OR_READER} or rule:shared_qos_policy"


async def rule_types(call: Call) -> Any:
    """The types of rules that hosts keep to; all that there are, if asked."""
    every = any(
        values.boolean(value) for name, value in call.parameters if name in ("all_rules", "all_supported") and value
    )
    wanted = [kind for kind in qos_rules.TYPES.values() if kind.supported or (every and call.parameter("all_rules"))]
    return {"rule_types": [lists.pick(call, {"type": kind.name}) for kind in wanted]}


async def rule_type(call: Call, rule_type: str) -> Any:
    """What may stand in rules of a type, and who keeps to it."""
    kind = qos_rules.TYPES.get(rule_type)
    if not call.context.is_admin:
        raise Forbidden("Not authorized.", kind="NotAuthorized")
    if kind is None:
        raise NotFound("The resource could not be found.", kind="HTTPNotFound")
    drivers = [{"name": DRIVER, "supported_parameters": _parameters(kind)}] if kind.supported else []
    return {"rule_type": lists.pick(call, {"type": kind.name, "drivers": drivers})}


def _parameters(kind: RuleType) -> list[dict[str, Any]]:
    span = {"start": 0, "end": MOST}
    found: list[dict[str, Any]] = []
    if kind.name == "dscp_marking":
        marks = list(qos_rules.DSCP_MARKS)
        return [{"parameter_name": kind.amount, "parameter_type": "choices", "parameter_values": marks}]
    for name in (kind.amount, kind.burst):
        if name is not None:
            found.append({"parameter_name": name, "parameter_type": "range", "parameter_values": span})
    return [
        *found,
        {
            "parameter_name": "direction",
            "parameter_type": "choices",
            "parameter_values": list(kind.directions),
        },
    ]


routes = [
    Get("/qos/rule-types", rule_types, policy="get_rule_type", allow="role:reader"),
    Get("/qos/rule-types/{rule_type}", rule_type, policy="get_rule_type", allow="role:reader"),
    *five(
        Kind(
            resource=POLICY,
            path="/qos/policies",
            core=qos_policies,
            view=_view,
            target=target,
            read=READ,
            write=guard.ADMIN_OR_MANAGER,
            shared_as="qos_policy",
            extra=[("shared_qos_policy", "field:policies:shared=True")],
        )
    ),
]
