"""Server groups over HTTP: which servers shall share a host, and which shall not (``/os-server-groups``)."""

from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import Body, Name
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.microversions import NotNull, RequiredSince, Since, Until
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import Invalid
from minicloud.core.compute import server_groups
from minicloud.core.compute.server_groups import Members
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN

POLICY = "os_compute_api:os-server-groups"
LARGEST = 1000
Policy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]


class Rules(Body):
    """What a policy is told further."""

    max_server_per_host: Annotated[Annotated[int, msgspec.Meta(ge=1)] | None, NotNull()] = None


class GroupCreate(Body, wrap="server_group"):
    """The body of POST /os-server-groups: one policy, in a list before 2.64."""

    name: Name
    policies: Annotated[list[Policy], Until("2.63")] = []
    policy: Annotated[Policy | None, Since("2.64"), RequiredSince("2.64")] = None
    rules: Annotated[Rules | None, Since("2.64"), NotNull()] = None


class GroupView(Body, wrap="server_group"):
    """A server group; members are the servers that are not deleted."""

    id: str
    name: str
    policies: Annotated[list[str], Until("2.63")]
    metadata: Annotated[dict[str, str], Until("2.63")]
    policy: Annotated[str, Since("2.64")]
    rules: Annotated[dict[str, int], Since("2.64")]
    members: list[str]
    project_id: Annotated[str, Since("2.13")]
    user_id: Annotated[str, Since("2.13")]


def _view(found: Members) -> GroupView:
    group = found.group
    return GroupView(
        id=group.id,
        name=group.name,
        policies=[group.policy],
        metadata={},
        policy=group.policy,
        rules=group.rules,
        members=found.servers,
        project_id=group.project_id,
        user_id=group.user_id,
    )


async def index(call: Call) -> Any:
    """The project's groups; an administrator may ask for everybody's."""
    queries.only(call, "all_projects", "limit", "offset")
    everybody = call.parameter("all_projects") is not None and call.context.is_admin
    if everybody:
        call.enforce(f"{POLICY}:index:all_projects")
    limit = queries.integer("limit", call.parameter("limit", "0"), 0)
    offset = queries.integer("offset", call.parameter("offset", "0"), 0)
    project_id = None if everybody else call.context.require_project()
    found = await call.read(
        lambda tx: server_groups.page(tx, project_id, limit=min(limit or LARGEST, LARGEST), offset=offset)
    )
    return {"server_groups": [_view(one) for one in found]}


async def create(call: Call, body: GroupCreate) -> Any:
    """A new group of the project."""
    name = queries.check_name("name", body.name)
    rules: dict[str, int] = {}
    if body.policy is not None:
        policy: str = body.policy
        if body.rules is not None and body.rules.max_server_per_host is not None:
            rules = {"max_server_per_host": body.rules.max_server_per_host}
    else:
        if len(body.policies) != 1:
            raise Invalid(
                f"Invalid input for field/attribute policies. Value: {body.policies}. There should be one policy",
                field="policies",
            )
        policy = body.policies[0]
        if policy.startswith("soft") and not call.at_least("2.15"):
            raise Invalid(
                f"Invalid input for field/attribute 0. Value: {policy}. {policy!r} is not one of "
                "['anti-affinity', 'affinity']",
                field="policies",
            )
    return _view(
        await call.write(lambda tx: server_groups.create(tx, call.context, name=name, policy=policy, rules=rules))
    )


async def show(call: Call, group_id: str) -> Any:
    """One group."""
    queries.only(call, since="2.102")
    found = await call.read(lambda tx: server_groups.get(tx, call.context, group_id))
    return _view(found)


async def delete(call: Call, group_id: str) -> None:
    """The group is gone; its servers stay where they are."""
    await call.write(lambda tx: server_groups.delete(tx, call.context, group_id))


EXTRA = [(f"{POLICY}:index:all_projects", ADMIN)]

routes = [
    Get("/os-server-groups", index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN, extra=EXTRA),
    Post("/os-server-groups", create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN),
    Get("/os-server-groups/{group_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
    Delete("/os-server-groups/{group_id}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN),
]
