"""Snapshots over HTTP: ask for one, list, show, change, delete."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.api.volume import lists, values
from minicloud.api.volume.lists import Resource, Wanted
from minicloud.api.volume.values import Flag
from minicloud.base.errors import Conflict, Invalid
from minicloud.conductor.volume.create_snapshot import CreateSnapshot
from minicloud.conductor.volume.delete_snapshot import DeleteSnapshot
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import search, snapshots, volumes
from minicloud.core.volume.snapshots import VolumeSnapshot

POLICY = "volume"
EXTENDED = "volume_extension:extended_snapshot_attributes"
Choice = Annotated[str, msgspec.Meta(max_length=255)]
SNAPSHOTS = Resource(
    name="snapshot",
    collection="snapshots",
    filters=("name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"),
    columns={
        name: name
        for name in (
            *("id", "name", "description", "volume_id", "status", "progress", "metadata", "volume_size", "user_id"),
            *("project_id", "created_at", "updated_at", "group_snapshot_id", "volume_type_id"),
        )
    }
    | {"display_name": "name", "consumes_quota": "use_quota", "use_quota": "use_quota", "size": "volume_size"},
    flags=frozenset({"use_quota"}),
    maps=frozenset({"metadata"}),
    since={"metadata": "3.22", "consumes_quota": "3.65"},
)  # fmt: skip
_FORCE_IS_GONE = (
    "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward compatability, however, when "
    "the 'force' flag is passed with a value evaluating to True, it is silently ignored."
)


class SnapshotCreate(Body, wrap="snapshot"):
    """The body of POST /snapshots."""

    volume_id: UUID | None
    name: Choice | UnsetType | None = UNSET
    display_name: Choice | UnsetType | None = UNSET
    description: Choice | None = None
    force: Flag | UnsetType = UNSET
    metadata: dict[str, str] | None = None


class SnapshotUpdate(Body, wrap="snapshot"):
    """The body of PUT /snapshots/{id}."""

    name: Choice | UnsetType | None = UNSET
    display_name: Choice | UnsetType | None = UNSET
    description: Choice | UnsetType | None = UNSET
    display_description: Choice | UnsetType | None = UNSET


class SnapshotView(Body, wrap="snapshot"):
    """A snapshot. What is UNSET is left out."""

    id: str
    created_at: str
    updated_at: str | None
    name: str | None
    description: str | None
    volume_id: str
    status: str
    size: int
    metadata: dict[str, str]
    group_snapshot_id: Annotated[str | UnsetType | None, Since("3.14")] = UNSET
    user_id: Annotated[str | UnsetType, Since("3.41")] = UNSET
    consumes_quota: Annotated[bool | UnsetType, Since("3.65")] = UNSET
    project_id: str | UnsetType = msgspec.field(name="os-extended-snapshot-attributes:project_id", default=UNSET)
    progress: str | UnsetType = msgspec.field(name="os-extended-snapshot-attributes:progress", default=UNSET)


def view(snapshot: VolumeSnapshot) -> SnapshotView:
    """A snapshot in a plain listing."""
    return SnapshotView(
        id=snapshot.id,
        created_at=snapshot.created_at,
        updated_at=snapshot.updated_at,
        name=snapshot.name,
        description=snapshot.description,
        volume_id=snapshot.volume_id,
        status=snapshot.status,
        size=snapshot.volume_size,
        metadata=snapshot.metadata,
    )


def detailed(call: Call, found: Sequence[VolumeSnapshot], *, extended: bool = True) -> list[SnapshotView]:
    """Snapshots with all that they are; ``extended`` with what an extension adds when one is read."""
    shown = []
    for snapshot in found:
        one = view(snapshot)
        one.group_snapshot_id = snapshot.group_snapshot_id
        one.user_id = snapshot.user_id
        one.consumes_quota = snapshot.use_quota
        if extended and call.allows(EXTENDED, {"project_id": snapshot.project_id}):
            one.project_id, one.progress = snapshot.project_id, snapshot.progress
        shown.append(one)
    return shown


async def create(call: Call, body: SnapshotCreate) -> Any:
    """Promise a snapshot and begin to take it."""
    force = values.truth("force", body.force)
    newer = call.at_least("3.66")
    if newer and body.force is not UNSET and not force:
        raise Invalid(_FORCE_IS_GONE)
    metadata = values.metadata(body.metadata)
    name = values.text("name", values.either("name", body.name, body.display_name))
    description = values.text("description", body.description)

    def work(tx: Transaction) -> VolumeSnapshot:
        volume = volumes.get(tx, call.context, body.volume_id or "None")
        made = snapshots.ask(
            tx,
            call.context,
            volume,
            name=name,
            description=description,
            metadata=metadata,
            in_use=force or newer,
        )
        assert volume.host is not None
        call.begin(tx, CreateSnapshot(snapshot_id=made.id, volume_id=volume.id, host=volume.host))
        return made

    return detailed(call, [await call.write(work)], extended=False)[0]


async def _list(call: Call) -> tuple[Wanted, list[VolumeSnapshot], int | None]:
    wanted = lists.read(call, SNAPSHOTS)

    def work(tx: Transaction) -> tuple[list[VolumeSnapshot], int | None]:
        found = lists.page(tx, wanted, search.snapshots_page, VolumeSnapshot, snapshots.find)
        return found, search.count_snapshots(tx, wanted.query) if wanted.count else None

    found, count = await call.read(work)
    return wanted, found, count


async def index(call: Call) -> Any:
    """Snapshots, briefly."""
    wanted, found, count = await _list(call)
    return lists.document(call, SNAPSHOTS, wanted, [view(one) for one in found], [one.id for one in found], count)


async def detail(call: Call) -> Any:
    """Snapshots with all that they are."""
    wanted, found, count = await _list(call)
    return lists.document(call, SNAPSHOTS, wanted, detailed(call, found), [one.id for one in found], count)


async def show(call: Call, snapshot_id: str) -> Any:
    """One snapshot."""
    return detailed(call, [await call.read(lambda tx: snapshots.get(tx, call.context, snapshot_id))])[0]


async def update(call: Call, snapshot_id: str, body: SnapshotUpdate) -> Any:
    """Another name or description."""
    name = values.either("name", body.name, body.display_name)
    description = values.either("description", body.description, body.display_description)
    changes = {
        field: values.text(field, value)
        for field, value in (("name", name), ("description", description))
        if value is not UNSET
    }
    if not changes:
        raise Invalid("Invalid input for field/attribute snapshot. Value: {}. {} does not have enough properties")
    found = await call.write(lambda tx: snapshots.change(tx, snapshots.get(tx, call.context, snapshot_id), **changes))
    return detailed(call, [found], extended=False)[0]


async def delete(call: Call, snapshot_id: str) -> None:
    """Take a snapshot for deletion."""
    await remove(call, snapshot_id, force=False)


async def remove(call: Call, snapshot_id: str, *, force: bool) -> None:
    """Take a snapshot for deletion and begin with it."""

    def work(tx: Transaction) -> None:
        taken = snapshots.take_for_deletion(tx, snapshots.get(tx, call.context, snapshot_id), force=force)
        volume = volumes.find(tx, taken.volume_id)
        call.begin(tx, DeleteSnapshot(snapshot_id=taken.id, host=None if volume is None else volume.host))

    try:
        await call.write(work)
    except Conflict as error:
        raise Invalid(f"Invalid snapshot: {error.message}") from error


_EXTRA = ((EXTENDED, PROJECT_READER_OR_ADMIN),)
routes = [
    Get("/snapshots", index, policy=f"{POLICY}:get_all_snapshots", allow=PROJECT_READER_OR_ADMIN),
    Post("/snapshots", create, policy=f"{POLICY}:create_snapshot", allow=PROJECT_MEMBER_OR_ADMIN, status=202),
    Get("/snapshots/detail", detail, policy=f"{POLICY}:get_all_snapshots", allow=PROJECT_READER_OR_ADMIN, extra=_EXTRA),
    Get("/snapshots/{snapshot_id}", show, policy=f"{POLICY}:get_snapshot", allow=PROJECT_READER_OR_ADMIN),
    Put("/snapshots/{snapshot_id}", update, policy=f"{POLICY}:update_snapshot", allow=PROJECT_MEMBER_OR_ADMIN),
    Delete(
        "/snapshots/{snapshot_id}",
        delete,
        policy=f"{POLICY}:delete_snapshot",
        allow=PROJECT_MEMBER_OR_ADMIN,
        status=202,
    ),
]
