"""/security-groups."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import Attribute, Resource
from minicloud.api.network.security_group_rules import view as rule_view
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Conflict
from minicloud.core.network import security_groups, standard
from minicloud.core.network.rows import SecurityGroup, SecurityGroupRule
from minicloud.core.records import Transaction

Found = tuple[SecurityGroup, list[SecurityGroupRule]]


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
        Attribute("stateful", values.boolean, True, filter="flag"),
        Attribute("security_group_rules"),
        Attribute("tags"),
    ],
)


async def index(call: Call) -> Any:
    """Security groups that exist for whoever asks; the project's default one is made when it is not there yet."""
    wanted = lists.read(call, GROUP)
    project_id = call.context.project_id
    if project_id and await call.read(lambda tx: security_groups.default_of(tx, project_id)) is None:
        await call.write(lambda tx: security_groups.ensure_default(tx, project_id))

    def load(tx: Transaction) -> list[Found]:
        return _with_rules(tx, security_groups.page(tx, call.context, wanted.query))

    return await lists.answer(call, GROUP, wanted, load, lambda row: view(*row))


async def show(call: Call, group_id: str) -> Any:
    """One security group."""

    def load(tx: Transaction) -> Found:
        return _with_rules(tx, [security_groups.get(tx, call.context, group_id)])[0]

    group, rules = await call.read(load)
    guard.permit(call, "get_security_group", {"project_id": group.project_id})
    return {"security_group": lists.pick(call, view(group, rules))}


async def create(call: Call, body: bytes) -> Any:
    """One security group, or several at once."""
    wanted, bulk = GROUP.read_new(call, body)
    for one in wanted:
        guard.permit(call, "create_security_group", {"project_id": one.project_id})

    def work(tx: Transaction) -> list[Found]:
        made = [security_groups.create(tx, project_id=one.project_id, **one.values) for one in wanted]
        return _with_rules(tx, made)

    found = [view(*pair) for pair in await guard.write(call, work)]
    return {"security_groups": found} if bulk else {"security_group": found[0]}


async def update(call: Call, group_id: str, body: bytes) -> Any:
    """Change a security group."""
    wanted = GROUP.read_change(body)
    revision = guard.revision(call)

    def work(tx: Transaction) -> Found:
        group = security_groups.get(tx, call.context, group_id)
        guard.permit(call, "update_security_group", {"project_id": group.project_id})
        standard.expect(group, revision)
        return _with_rules(tx, [security_groups.change(tx, group, **wanted.values)])[0]

    return {"security_group": view(*await guard.write(call, work))}


async def delete(call: Call, group_id: str) -> Any:
    """Delete a security group."""
    revision = guard.revision(call)

    def work(tx: Transaction) -> None:
        group = security_groups.get(tx, call.context, group_id)
        guard.permit(call, "delete_security_group", {"project_id": group.project_id})
        standard.expect(group, revision)
        security_groups.delete(tx, call.context, group)

    await guard.write(call, work)
    return Reply()


def view(group: SecurityGroup, rules: list[SecurityGroupRule]) -> dict[str, Any]:
    """A security group as clients read it."""
    return {
        "id": group.id,
        "name": group.name,
        "stateful": group.stateful,
        "tenant_id": group.project_id,
        "project_id": group.project_id,
        "description": group.description,
        "security_group_rules": [rule_view(rule, group.is_default) for rule in rules],
        "tags": group.tags,
        "created_at": f"{group.created_at[:19]}Z",
        "updated_at": f"{group.updated_at[:19]}Z",
        "revision_number": group.revision_number,
    }


def _with_rules(tx: Transaction, groups: list[SecurityGroup]) -> list[Found]:
    rules = security_groups.rules_of(tx, [group.id for group in groups])
    return [(group, rules[group.id]) for group in groups]


routes = [
    Get("/security-groups", index, policy=None),
    Post(
        "/security-groups",
        create,
        policy="create_security_group",
        allow=guard.ADMIN_OR_MEMBER,
        late=True,
        status=201,
    ),
    Get("/security-groups/{group_id}", show, policy="get_security_group", allow=guard.ADMIN_OR_READER, late=True),
    Put("/security-groups/{group_id}", update, policy="update_security_group", allow=guard.ADMIN_OR_MEMBER, late=True),
    Delete(
        "/security-groups/{group_id}", delete, policy="delete_security_group", allow=guard.ADMIN_OR_MEMBER, late=True
    ),
]
