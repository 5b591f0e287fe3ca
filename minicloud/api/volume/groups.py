"""Groups of volumes over HTTP: made empty or from another, listed, changed, deleted."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.routes import Action, Get, Post, Put
from minicloud.api.volume import group_orders, lists, values
from minicloud.api.volume.lists import Resource
from minicloud.api.volume.values import Flag
from minicloud.base.errors import Invalid
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Condition, Transaction
from minicloud.core.volume import group_snapshots, group_types, groups
from minicloud.core.volume.groups import Group

OWNER = "group:group_project_attribute"
Choice = Annotated[str, msgspec.Meta(max_length=255)]
GROUPS = Resource(
    name="group",
    all_tenants=lists.there,
    collection="groups",
    links="group_links",
    filters=("name",),
    columns={
        **{name: name for name in ("id", "name", "description", "status", "group_type_id", "created_at", "updated_at")},
        **{name: name for name in ("group_snapshot_id", "source_group_id", "project_id", "user_id")},
        "availability_zone": "zone",
    },
)


class GroupCreate(Body, wrap="group"):
    """The body of POST /groups."""

    group_type: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    volume_types: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=255)]], msgspec.Meta(min_length=1)
    ]
    name: Choice | None = None
    description: Choice | None = None
    availability_zone: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None


class GroupUpdate(Body, wrap="group"):
    """The body of PUT /groups/{id}; volumes by their ids, with commas between them."""

    name: Choice | UnsetType | None = UNSET
    description: Choice | UnsetType | None = UNSET
    add_volumes: str | None = None
    remove_volumes: str | None = None


class Source(Body):
    """The body of ``create-from-src``."""

    name: Choice | None = None
    description: Choice | None = None
    group_snapshot_id: UUID | None = None
    source_group_id: UUID | None = None


class Deletion(Body):
    """The body of ``delete``."""

    delete_volumes: Flag | UnsetType = msgspec.field(name="delete-volumes", default=UNSET)


class ResetStatus(Body):
    """The body of ``reset_status``."""

    status: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Failover(Body):
    """The body of ``failover_replication``."""

    allow_attached_volume: Flag | UnsetType = UNSET
    secondary_backend_id: str | None = None


def generic(tx: Transaction, call: Call, group_id: str) -> Group:
    """A group that is no consistency group. Raises NotFound, Invalid."""
    found = groups.get(tx, call.context, group_id)
    group_types.check_generic(tx, found.group_type_id)
    return found


def brief(group: Group) -> dict[str, Any]:
    """A group in a plain listing."""
    return {"id": group.id, "name": group.name}


def detailed(call: Call, tx: Transaction, found: Sequence[Group]) -> list[dict[str, Any]]:
    """Groups with all that the version tells."""
    with_volumes = call.at_least("3.25") and values.parameter("list_volume", call.parameter("list_volume"))
    owners = call.at_least("3.58") and call.allows(OWNER)
    shown = []
    for group in found:
        one: dict[str, Any] = {
            **brief(group),
            "status": group.status,
            "availability_zone": group.zone,
            "created_at": group.created_at,
            "description": group.description,
            "group_type": group.group_type_id,
            "volume_types": group.volume_type_ids,
        }
        if call.at_least("3.14"):
            one |= {"group_snapshot_id": group.group_snapshot_id, "source_group_id": group.source_group_id}
        if with_volumes:
            one["volumes"] = [volume.id for volume in groups.members(tx, group.id)]
        if call.at_least("3.38"):
            one["replication_status"] = "disabled"
        if owners:
            one["project_id"] = group.project_id
        shown.append(one)
    return shown


async def _list(call: Call, *, long: bool) -> Any:
    wanted = lists.read(call, GROUPS, but=["list_volume"])

    def work(tx: Transaction) -> tuple[list[Group], list[dict[str, Any]]]:
        wanted.query.where.append(Condition("group_type_id", "!=", group_types.cgsnapshot_type_id(tx) or ""))
        found = lists.page(tx, wanted, groups.page, Group, groups.find)
        return found, detailed(call, tx, found) if long else [brief(group) for group in found]

    found, shown = await call.read(work)
    return lists.document(call, GROUPS, wanted, shown, [group.id for group in found], None)


async def index(call: Call) -> Any:
    """Groups, briefly."""
    return await _list(call, long=False)


async def detail(call: Call) -> Any:
    """Groups with all that they are."""
    return await _list(call, long=True)


async def show(call: Call, group_id: str) -> Any:
    """One group."""
    return {"group": await call.read(lambda tx: detailed(call, tx, [generic(tx, call, group_id)])[0])}


async def create(call: Call, body: GroupCreate) -> Any:
    """Make a group with nothing in it."""
    name, description = values.text("name", body.name), values.text("description", body.description)

    def work(tx: Transaction) -> Group:
        group_type = group_types.get(tx, call.context, body.group_type)
        group_types.check_generic(tx, group_type.id)
        kinds = groups.types_named(tx, call.context, body.volume_types)
        words = {"name": name, "description": description, "zone": body.availability_zone}
        return groups.create(tx, call.context, group_type, kinds, **words)

    return {"group": brief(await call.write(work))}


async def create_from_source(call: Call, body: Source) -> Any:
    """Make a group with copies of another one's volumes, or of what its snapshot kept."""
    name, description = values.text("name", body.name), values.text("description", body.description)
    if (body.group_snapshot_id is None) == (body.source_group_id is None):
        raise Invalid(
            "Invalid input for field/attribute create-from-src. Either group_snapshot_id or source_group_id must be given."
        )

    def work(tx: Transaction) -> Group:
        if body.group_snapshot_id is not None:
            kept = group_snapshots.get(tx, call.context, body.group_snapshot_id)
            group_types.check_generic(tx, kept.group_type_id)
            return group_orders.restore_group(call, tx, kept, name=name, description=description)
        source = generic(tx, call, body.source_group_id or "")
        return group_orders.copy_group(call, tx, source, name=name, description=description)

    return {"group": brief(await call.write(work))}


async def update(call: Call, group_id: str, body: GroupUpdate) -> None:
    """Another name or description; volumes that come and go."""
    add, remove = group_orders.split(body.add_volumes), group_orders.split(body.remove_volumes)
    given = (("name", body.name), ("description", body.description))
    changes = {field: values.text(field, value) for field, value in given if value is not UNSET and value is not None}

    def work(tx: Transaction) -> None:
        groups.update(tx, generic(tx, call, group_id), add=add, remove=remove, changes=changes)

    await call.write(work)


async def delete(call: Call, group_id: str, body: Deletion) -> None:
    """Delete a group, with its volumes where that is said."""
    with_volumes = values.truth("delete-volumes", body.delete_volumes)

    def work(tx: Transaction) -> None:
        group_orders.delete_group(call, tx, generic(tx, call, group_id), with_volumes=with_volumes)

    await call.write(work)


async def reset_status(call: Call, group_id: str, body: ResetStatus) -> None:
    """Write a status down, whatever is really the case."""
    status = body.status.lower()

    def work(tx: Transaction) -> None:
        group = groups.get(tx, call.context, group_id)
        if status not in groups.STATUSES:
            raise Invalid(
                f"Invalid Group Status: Group status: {status} is invalid, valid status are: {groups.STATUSES}."
            )
        groups.change(tx, group, status=status)

    await call.write(work)


class Nothing(Body):
    """The empty body of the actions of replication."""


async def replicate(call: Call, group_id: str, body: Nothing) -> None:
    """Refused: no backend keeps a second copy elsewhere."""
    group = await call.read(lambda tx: groups.get(tx, call.context, group_id))
    raise Invalid(f"Invalid group type: Group type {group.group_type_id} does not have replication enabled.")


async def failover(call: Call, group_id: str, body: Failover) -> None:
    """Refused, as all of replication."""
    await replicate(call, group_id, Nothing())


_ONE, _ACTION = "/groups/{group_id}", "/groups/{group_id}/action"
_EXTRA = ((OWNER, ADMIN),)
_READ: dict[str, Any] = {"allow": PROJECT_READER_OR_ADMIN, "since": "3.13"}
_WRITE: dict[str, Any] = {"allow": PROJECT_MEMBER_OR_ADMIN, "status": 202}
_REPLICATION: dict[str, Any] = {"path": _ACTION, "since": "3.38", **_WRITE}
routes = [
    Get("/groups", index, policy="group:get_all", **_READ),
    Post("/groups", create, policy="group:create", since="3.13", **_WRITE),
    Get("/groups/detail", detail, policy="group:get_all", extra=_EXTRA, **_READ),
    Action("create-from-src", create_from_source, path="/groups/action", policy="group:create", since="3.14", **_WRITE),
    Get(_ONE, show, policy="group:get", extra=_EXTRA, **_READ),
    Put(_ONE, update, policy="group:update", since="3.13", **_WRITE),
    Action("delete", delete, path=_ACTION, policy="group:delete", since="3.13", **_WRITE),
    Action(
        "reset_status", reset_status, path=_ACTION, policy="group:reset_status", since="3.20", allow=ADMIN, status=202
    ),
    Action("enable_replication", replicate, policy="group:enable_replication", **_REPLICATION),
    Action("disable_replication", replicate, policy="group:disable_replication", **_REPLICATION),
    Action("failover_replication", failover, policy="group:failover_replication", **_REPLICATION),
    Action("list_replication_targets", replicate, policy="group:list_replication_targets", **_REPLICATION),
]
