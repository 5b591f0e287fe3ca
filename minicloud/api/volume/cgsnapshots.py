"""Snapshots of consistency groups over HTTP: the older name of groups' snapshots."""

from typing import Any

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Post
from minicloud.api.volume import group_orders, lists, values
from minicloud.api.volume.lists import Resource
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import group_snapshots, groups
from minicloud.core.volume.group_snapshots import GroupSnapshot

CGSNAPSHOTS = Resource(
    name="cgsnapshot",
    collection="cgsnapshots",
    filters=(),
    columns={name: name for name in ("id", "name", "description", "status", "created_at", "updated_at", "project_id")},
)


class CgsnapshotCreate(Body, wrap="cgsnapshot", open=True):
    """The body of POST /cgsnapshots."""

    consistencygroup_id: str
    name: str | None = None
    description: str | None = None


def brief(found: GroupSnapshot) -> dict[str, Any]:
    """A snapshot in a plain listing."""
    return {"id": found.id, "name": found.name}


def detailed(found: GroupSnapshot) -> dict[str, Any]:
    """A snapshot with all that is told of it."""
    return {
        **brief(found),
        "consistencygroup_id": found.group_id,
        "status": found.status,
        "created_at": found.created_at,
        "description": found.description,
    }


async def _list(call: Call, *, long: bool) -> Any:
    wanted = lists.read(call, CGSNAPSHOTS)
    find = group_snapshots.find
    found = await call.read(lambda tx: lists.page(tx, wanted, group_snapshots.page, GroupSnapshot, find))
    return {"cgsnapshots": [detailed(one) if long else brief(one) for one in found]}


async def index(call: Call) -> Any:
    """Snapshots of groups, briefly."""
    return await _list(call, long=False)


async def detail(call: Call) -> Any:
    """Snapshots of groups with all that is told of them."""
    return await _list(call, long=True)


async def show(call: Call, cgsnapshot_id: str) -> Any:
    """One."""
    return {"cgsnapshot": detailed(await call.read(lambda tx: group_snapshots.get(tx, call.context, cgsnapshot_id)))}


async def create(call: Call, body: CgsnapshotCreate) -> Any:
    """Promise a snapshot of every volume of a group, all of one moment."""
    name, description = values.text("name", body.name), values.text("description", body.description)

    def work(tx: Transaction) -> GroupSnapshot:
        group = groups.get(tx, call.context, body.consistencygroup_id)
        return group_orders.keep_group(call, tx, group, name=name, description=description)

    return {"cgsnapshot": brief(await call.write(work))}


async def delete(call: Call, cgsnapshot_id: str) -> None:
    """Take it for deletion, with the snapshots of its volumes."""
    await call.write(
        lambda tx: group_orders.drop_snapshot(call, tx, group_snapshots.get(tx, call.context, cgsnapshot_id))
    )


_ALL, _ONE = "/cgsnapshots", "/cgsnapshots/{cgsnapshot_id}"
_WRITE: dict[str, Any] = {"allow": PROJECT_MEMBER_OR_ADMIN, "status": 202}
routes = [
    Get(_ALL, index, policy="group:get_all_group_snapshots", allow=PROJECT_READER_OR_ADMIN),
    Get(f"{_ALL}/detail", detail, policy="group:get_all_group_snapshots", allow=PROJECT_READER_OR_ADMIN),
    Post(_ALL, create, policy="group:create_group_snapshot", **_WRITE),
    Get(_ONE, show, policy="group:get_group_snapshot", allow=PROJECT_READER_OR_ADMIN),
    Delete(_ONE, delete, policy="group:delete_group_snapshot", **_WRITE),
]
