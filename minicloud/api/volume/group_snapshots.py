"""Snapshots of groups over HTTP."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.routes import Action, Delete, Get, Post
from minicloud.api.volume import group_orders, lists, values
from minicloud.api.volume.groups import ResetStatus
from minicloud.api.volume.lists import Resource
from minicloud.base.errors import Invalid
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Condition, Transaction
from minicloud.core.volume import group_snapshots, group_types, groups
from minicloud.core.volume.group_snapshots import GroupSnapshot

OWNER = "group:group_snapshot_project_attribute"
Choice = Annotated[str, msgspec.Meta(max_length=255)]
GROUP_SNAPSHOTS = Resource(
    name="group_snapshot",
    all_tenants=lists.there,
    collection="group_snapshots",
    links="group_snapshot_links",
    filters=("name", "status", "group_id"),
    columns={
        **{name: name for name in ("id", "name", "description", "status", "group_id", "group_type_id", "created_at")},
        **{name: name for name in ("updated_at", "project_id", "user_id")},
    },
)


class GroupSnapshotCreate(Body, wrap="group_snapshot"):
    """The body of POST /group_snapshots."""

    group_id: UUID
    name: Choice | None = None
    description: Choice | None = None


def brief(found: GroupSnapshot) -> dict[str, Any]:
    """A group's snapshot in a plain listing."""
    return {"id": found.id, "name": found.name}


def detailed(call: Call, found: GroupSnapshot) -> dict[str, Any]:
    """A group's snapshot with all that the version tells."""
    shown = {
        **brief(found),
        "group_id": found.group_id,
        "group_type_id": found.group_type_id,
        "status": found.status,
        "created_at": found.created_at,
        "description": found.description,
    }
    if call.at_least("3.58") and call.allows(OWNER):
        shown["project_id"] = found.project_id
    return shown


def _check(tx: Transaction, group_type_id: str) -> None:
    group_types.check_generic(tx, group_type_id, what="group snapshots", calls="CG snapshot")


def _generic(tx: Transaction, call: Call, group_snapshot_id: str) -> GroupSnapshot:
    found = group_snapshots.get(tx, call.context, group_snapshot_id)
    _check(tx, found.group_type_id)
    return found


async def _list(call: Call, *, long: bool) -> Any:
    wanted = lists.read(call, GROUP_SNAPSHOTS)

    def work(tx: Transaction) -> list[GroupSnapshot]:
        wanted.query.where.append(Condition("group_type_id", "!=", group_types.cgsnapshot_type_id(tx) or ""))
        return lists.page(tx, wanted, group_snapshots.page, GroupSnapshot, group_snapshots.find)

    found = await call.read(work)
    shown = [detailed(call, one) if long else brief(one) for one in found]
    return lists.document(call, GROUP_SNAPSHOTS, wanted, shown, [one.id for one in found], None)


async def index(call: Call) -> Any:
    """Snapshots of groups, briefly."""
    return await _list(call, long=False)


async def detail(call: Call) -> Any:
    """Snapshots of groups with all that they are."""
    return await _list(call, long=True)


async def show(call: Call, group_snapshot_id: str) -> Any:
    """One."""
    found = await call.read(lambda tx: _generic(tx, call, group_snapshot_id))
    return {"group_snapshot": detailed(call, found)}


async def create(call: Call, body: GroupSnapshotCreate) -> Any:
    """Promise a snapshot of every volume of a group and begin to take them."""
    name, description = values.text("name", body.name), values.text("description", body.description)

    def work(tx: Transaction) -> GroupSnapshot:
        group = groups.get(tx, call.context, body.group_id)
        _check(tx, group.group_type_id)
        return group_orders.keep_group(call, tx, group, name=name, description=description)

    made = await call.write(work)
    return {"group_snapshot": {**brief(made), "group_type_id": made.group_type_id}}


async def delete(call: Call, group_snapshot_id: str) -> None:
    """Take it for deletion, with the snapshots of its volumes."""

    def work(tx: Transaction) -> None:
        group_orders.drop_snapshot(call, tx, _generic(tx, call, group_snapshot_id))

    await call.write(work)


async def reset_status(call: Call, group_snapshot_id: str, body: ResetStatus) -> None:
    """Write a status down, whatever is really the case."""
    status = body.status.lower()

    def work(tx: Transaction) -> None:
        found = group_snapshots.get(tx, call.context, group_snapshot_id)
        if status not in group_snapshots.STATUSES:
            raise Invalid(
                f"Invalid GroupSnapshot Status: Group snapshot status: {status} is invalid, valid statuses are: "
                f"{group_snapshots.STATUSES}."
            )
        group_snapshots.reset(tx, found, status)

    await call.write(work)


_ONE = "/group_snapshots/{group_snapshot_id}"
_EXTRA = ((OWNER, ADMIN),)
_READ: dict[str, Any] = {"allow": PROJECT_READER_OR_ADMIN, "since": "3.14"}
_WRITE: dict[str, Any] = {"allow": PROJECT_MEMBER_OR_ADMIN, "since": "3.14", "status": 202}
routes = [
    Get("/group_snapshots", index, policy="group:get_all_group_snapshots", **_READ),
    Post("/group_snapshots", create, policy="group:create_group_snapshot", **_WRITE),
    Get("/group_snapshots/detail", detail, policy="group:get_all_group_snapshots", extra=_EXTRA, **_READ),
    Get(_ONE, show, policy="group:get_group_snapshot", extra=_EXTRA, **_READ),
    Delete(_ONE, delete, policy="group:delete_group_snapshot", **_WRITE),
    Action(
        "reset_status",
        reset_status,
        path=f"{_ONE}/action",
        policy="group:reset_group_snapshot_status",
        since="3.19",
        allow=ADMIN,
        status=202,
    ),
]
