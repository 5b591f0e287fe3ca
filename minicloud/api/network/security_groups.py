"""/security-groups."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from minicloud.api.call import Call
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import Attribute, Resource
from minicloud.api.network.kinds import Kind, common, five, shared
from minicloud.api.network.security_group_rules import view as rule_view
from minicloud.api.routes import Get
from minicloud.base.errors import Conflict
from minicloud.core.context import Context
from minicloud.core.network import rbac, security_groups
from minicloud.core.network.rows import SecurityGroup
from minicloud.core.records import Transaction


def _name(value: Any) -> str:
    name: str = values.name(value)
    if name.lower() == security_groups.DEFAULT:
        raise Conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
    return name


GROUP = Resource(
    "security_group",
    "security_groups",
    [
        Attribute("name", _name, "", filter="text", sort=True),
        Attribute("stateful", values.boolean, filter="flag"),
        Attribute("security_group_rules"),
        Attribute("shared", filter="special"),
        Attribute("tags", values.tags, [], change=False, ruled=True),
    ],
)


async def index(call: Call) -> Any:
    """Security groups that exist for whoever asks; the project's default one is made when it is not there yet."""
    wanted, sees = lists.read(call, GROUP), guard.sight(call, "get_security_group")
    await ensure_default(call)

    def load(tx: Transaction) -> list[dict[str, Any]]:
        if "shared" in wanted.special:
            wanted.query.where.append(shared(tx, call, "security_group", wanted.special["shared"]))
        found = security_groups.page(tx, call.context, wanted.query)
        return _view(tx, call.context, [one for one in found if sees(one.id, partial(_target, tx, call.context, one))])

    return await lists.answer(call, GROUP, wanted, load, lambda document: document)


async def ensure_default(call: Call) -> None:
    """Make the default group of the project that is looked at, where it has none yet."""
    project_id = call.parameter("project_id") or call.parameter("tenant_id") or call.context.project_id
    if project_id != call.context.project_id and not call.context.is_admin:
        project_id = call.context.project_id
    if project_id and await call.read(lambda tx: security_groups.default_of(tx, project_id)) is None:
        await call.write(lambda tx: security_groups.ensure_default(tx, project_id))


def _view(tx: Transaction, context: Context, found: Sequence[SecurityGroup]) -> list[dict[str, Any]]:
    rules = security_groups.rules_of(tx, [group.id for group in found])
    shared_ids = set(rbac.shared_ids(tx, context, "security_group"))
    return [
        common(group)
        | {
            "name": group.name,
            "stateful": group.stateful,
            "shared": group.id in shared_ids,
            "security_group_rules": [rule_view(rule, group.is_default) for rule in rules[group.id]],
        }
        for group in found
    ]


def _target(tx: Transaction, context: Context, group: SecurityGroup) -> dict[str, Any]:
    return {
        "project_id": group.project_id,
        "tenant_id": group.project_id,
        "shared": rbac.is_shared(tx, context, group.id),
    }


_FIVE = five(
    Kind(
        resource=GROUP,
        path="/security-groups",
        core=security_groups,
        view=_view,
        target=_target,
        read=f"{guard.ADMIN_OR_READER} or rule:shared_security_group",
        write=guard.ADMIN_OR_MEMBER,
        shared_as="security_group",
        wires=True,
    )
)

routes = [
    Get("/security-groups", index, policy=None, extra=[("shared_security_group", "field:security_groups:shared=True")]),
    *(route for route in _FIVE if (route.method, route.path) != ("GET", "/security-groups")),
]
