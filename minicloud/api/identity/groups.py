"""Groups and who is in them."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.documents import Id, Name
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER, OF_ALL, target
from minicloud.api.identity.views import View
from minicloud.api.listing import equal
from minicloud.api.routes import Delete, Get, Patch, Post, Put, scoped
from minicloud.core.identity import groups, users
from minicloud.core.identity.groups import Group
from minicloud.core.identity.users import User
from minicloud.core.records import Transaction

SHOW = f"{ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.group.domain_id)s)"
MANAGE = f"{ADMIN} or (role:manager and domain_id:%(target.group.domain_id)s)"
CHECK_MEMBER = (
    f"{ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.group.domain_id)s and "
    "domain_id:%(target.user.domain_id)s)"
)
MANAGE_MEMBERS = (
    f"{ADMIN} or (role:manager and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)"
)

GROUPS = lists.listing("groups", {"domain_id": equal("domain_id"), **lists.text_filter("name")})


class GroupDocument(Body, open=True):
    """A document with a group."""

    group: dict[str, Any]


class GroupFields(msgspec.Struct):
    """What a group has by the API's definition; anything else is kept as it comes."""

    name: Name | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class NewGroupFields(GroupFields, kw_only=True):
    """A new group has a name."""

    name: Name


def _judged(tx: Transaction, call: Call, group_id: str) -> Group:
    found = groups.find(tx, group_id)
    call.judge(target(group=found))
    return groups.get(tx, group_id) if found is None else found


async def index(call: Call) -> View:
    """``GET /v3/groups``"""
    own = call.context.domain_id
    call.judge({} if own is None else {"target.group.domain_id": own})
    return await lists.show(call, groups.page, views.group, *lists.own_domain(call))


async def create(call: Call, body: GroupDocument) -> View:
    """``POST /v3/groups``"""
    fields, extra = documents.read(NewGroupFields, body.group)
    call.judge(target(group=body.group))
    fields["domain_id"] = documents.domain_meant(call, fields.get("domain_id"))
    fields["description"] = fields.get("description") or ""
    made = await call.write(lambda tx: groups.create(tx, Group(id=tx.ids.hex(), extra=extra, **fields)))
    return {"group": views.group(call, made)}


async def show(call: Call, group_id: str) -> View:
    """``GET /v3/groups/{group_id}``"""
    return {"group": views.group(call, await call.read(lambda tx: _judged(tx, call, group_id)))}


async def update(call: Call, group_id: str, body: GroupDocument) -> View:
    """``PATCH /v3/groups/{group_id}``"""
    fields, extra = documents.read(GroupFields, body.group)

    def change(tx: Transaction) -> Group:
        _judged(tx, call, group_id)
        documents.require_same_id(body.group, group_id)
        return groups.update(tx, group_id, fields, extra)

    return {"group": views.group(call, await call.write(change))}


async def delete(call: Call, group_id: str) -> None:
    """``DELETE /v3/groups/{group_id}``"""

    def remove(tx: Transaction) -> None:
        _judged(tx, call, group_id)
        groups.delete(tx, group_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(remove)


async def list_members(call: Call, group_id: str) -> View:
    """``GET /v3/groups/{group_id}/users``"""

    def read(tx: Transaction) -> list[User]:
        _judged(tx, call, group_id)
        return groups.members(tx, group_id)

    own, name = call.context.domain_id, call.parameter("name")
    found = [
        user
        for user in await call.read(read)
        if (own is None or user.domain_id == own) and (name is None or user.name == name)
    ]
    return views.collection(call, "users", (views.user(call, user) for user in found))


def _judge_member(tx: Transaction, call: Call, group_id: str, user_id: str) -> None:
    call.judge(target(group=groups.find(tx, group_id), user=users.find(tx, user_id)))


async def check_member(call: Call, group_id: str, user_id: str) -> None:
    """``GET /v3/groups/{group_id}/users/{user_id}``"""

    def read(tx: Transaction) -> None:
        _judge_member(tx, call, group_id, user_id)
        groups.require_member(tx, group_id, user_id)

    await call.read(read)


async def add_member(call: Call, group_id: str, user_id: str) -> None:
    """``PUT /v3/groups/{group_id}/users/{user_id}``"""

    def change(tx: Transaction) -> None:
        _judge_member(tx, call, group_id, user_id)
        groups.add_member(tx, group_id, user_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(change)


async def remove_member(call: Call, group_id: str, user_id: str) -> None:
    """``DELETE /v3/groups/{group_id}/users/{user_id}``"""

    def change(tx: Transaction) -> None:
        _judge_member(tx, call, group_id, user_id)
        groups.remove_member(tx, group_id, user_id)
        tx.after_commit(call.means.forget_tokens)

    await call.write(change)


_ONE, _MEMBERS, _MEMBER = "/groups/{group_id}", "/groups/{group_id}/users", "/groups/{group_id}/users/{user_id}"

routes = scoped(
    OF_ALL,
    [
        Get("/groups", index, policy="identity:list_groups", allow=SHOW, late=True, listing=GROUPS),
        Post("/groups", create, policy="identity:create_group", allow=MANAGE, late=True, status=201),
        Get(_ONE, show, policy="identity:get_group", allow=SHOW, late=True),
        Patch(_ONE, update, policy="identity:update_group", allow=MANAGE, late=True),
        Delete(_ONE, delete, policy="identity:delete_group", allow=MANAGE, late=True),
        Get(_MEMBERS, list_members, policy="identity:list_users_in_group", allow=SHOW, late=True),
        Get(_MEMBER, check_member, policy="identity:check_user_in_group", allow=CHECK_MEMBER, late=True, status=204),
        Put(_MEMBER, add_member, policy="identity:add_user_to_group", allow=MANAGE_MEMBERS, late=True, status=204),
        Delete(_MEMBER, remove_member, policy="identity:remove_user_from_group", allow=MANAGE_MEMBERS, late=True),
    ],
)
