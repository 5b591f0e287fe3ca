"""Volumes and their snapshots as Nova showed them before 2.36: Cinder's, in Nova's own form (``/os-volumes``, ``/os-snapshots``)."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from minicloud.api.bodies import Body
from minicloud.api.call import Call, Reply
from minicloud.api.compute import queries
from minicloud.api.microversions import NotNull
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import Conflict, Forbidden, Invalid, OverQuota
from minicloud.conductor.volume import create_volume
from minicloud.conductor.volume.create_snapshot import CreateSnapshot
from minicloud.conductor.volume.delete_snapshot import DeleteSnapshot
from minicloud.conductor.volume.delete_volume import DeleteVolume
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Condition, Query, Transaction
from minicloud.core.volume import attachments, deletions, search, snapshots, types, volume_requests, volumes
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.volume_requests import VolumeRequest
from minicloud.core.volume.volumes import Volume

POLICY = "os_compute_api:os-volumes"
SNAPSHOTS = f"{POLICY}:snapshots"
LAST = "2.35"
T = TypeVar("T")


class VolumeCreate(Body, wrap="volume"):
    """The body of POST /os-volumes."""

    size: int | str
    volume_type: Annotated[str | None, NotNull()] = None
    metadata: dict[str, str] = {}
    snapshot_id: Annotated[str | None, NotNull()] = None
    availability_zone: Annotated[str | None, NotNull()] = None
    display_name: Annotated[str | None, NotNull()] = None
    display_description: Annotated[str | None, NotNull()] = None


class SnapshotCreate(Body, wrap="snapshot"):
    """The body of POST /os-snapshots."""

    volume_id: str
    display_name: Annotated[str | None, NotNull()] = None
    display_description: Annotated[str | None, NotNull()] = None
    force: bool | str = False


async def index(call: Call) -> Any:
    """The project's volumes."""

    first, last = queries.window(call)

    def work(tx: Transaction) -> list[dict[str, Any]]:
        return _views(tx, search.volumes_page(tx, _mine(call))[first:last])

    return {"volumes": await call.read(work)}


def _mine(call: Call) -> Query:
    where = [Condition("project_id", "=", call.context.project_id or "")]
    return Query(where=[*where], sort=[("created_at", True), ("id", True)])


async def show(call: Call, volume_id: str) -> Any:
    """One volume."""

    def work(tx: Transaction) -> dict[str, Any]:
        return _views(tx, [volumes.get(tx, call.context, volume_id)])[0]

    return {"volume": await call.read(work)}


async def create(call: Call, body: VolumeCreate) -> Any:
    """Promise a volume and begin to make it."""
    request = VolumeRequest(
        size=queries.integer("size", body.size, 1),
        name=body.display_name,
        description=body.display_description,
        zone=body.availability_zone,
        volume_type=body.volume_type,
        snapshot_id=body.snapshot_id,
        metadata=body.metadata,
    )

    def work(tx: Transaction) -> dict[str, Any]:
        volume = volume_requests.ask(tx, call.context, request)
        call.begin(tx, create_volume.saga_for(tx, volume))
        return _views(tx, [volume])[0]

    made = await _write(call, work)
    return Reply({"volume": made}, headers={"Location": call.url(f"/os-volumes/{made['id']}")})


async def delete(call: Call, volume_id: str) -> None:
    """Take a volume for deletion."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        if deletions.take(tx, call.context, volume):
            call.begin(tx, DeleteVolume(volume_id=volume.id))

    await _write(call, work)


async def _write(call: Call, work: Callable[[Transaction], T]) -> T:
    """Commit; a full quota is forbidden, and whoever comes second has made a bad request."""
    try:
        return await call.write(work)
    except OverQuota as error:
        raise Forbidden(error.message) from error
    except Conflict as error:
        raise Invalid(error.message) from error


def _views(tx: Transaction, found: list[Volume]) -> list[dict[str, Any]]:
    attached = attachments.of_volumes(tx, [volume.id for volume in found])
    names = types.of(tx, [volume.volume_type_id for volume in found])
    return [_view(volume, attached, names) for volume in found]


def _view(volume: Volume, attached: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    kind = names.get(volume.volume_type_id or "")
    held: dict[str, Any] = {}
    if volume.attach_status == volumes.ATTACHED and attached.get(volume.id):
        first = attached[volume.id][0]
        held = {"id": volume.id, "volumeId": volume.id, "serverId": first.server_id}
        if first.mountpoint:
            held["device"] = first.mountpoint
    return {
        "id": volume.id,
        "status": volume.status,
        "size": volume.size,
        "availabilityZone": volume.zone or "",
        "createdAt": volume.created_at,
        "attachments": [held],
        "displayName": volume.name,
        "displayDescription": volume.description,
        "volumeType": None if kind is None else kind.name,
        "snapshotId": volume.snapshot_id,
        "metadata": volumes.shown_metadata(volume),
    }


async def snapshots_index(call: Call) -> Any:
    """The project's snapshots."""
    first, last = queries.window(call)
    found = await call.read(lambda tx: search.snapshots_page(tx, _mine(call)))
    return {"snapshots": [_snapshot(one) for one in found[first:last]]}


async def snapshots_show(call: Call, snapshot_id: str) -> Any:
    """One snapshot."""
    return {"snapshot": _snapshot(await call.read(lambda tx: snapshots.get(tx, call.context, snapshot_id)))}


async def snapshots_create(call: Call, body: SnapshotCreate) -> Any:
    """Promise a snapshot and begin to take it."""
    force = queries.flag("force", body.force)

    def work(tx: Transaction) -> VolumeSnapshot:
        volume = volumes.get(tx, call.context, body.volume_id)
        name, description = body.display_name, body.display_description
        made = snapshots.ask(tx, call.context, volume, name=name, description=description, metadata={}, in_use=force)
        call.begin(tx, CreateSnapshot(snapshot_id=made.id, volume_id=volume.id, host=volume.host or ""))
        return made

    return {"snapshot": _snapshot(await _write(call, work))}


async def snapshots_delete(call: Call, snapshot_id: str) -> None:
    """Take a snapshot for deletion."""

    def work(tx: Transaction) -> None:
        taken = snapshots.take_for_deletion(tx, snapshots.get(tx, call.context, snapshot_id), force=False)
        volume = volumes.find(tx, taken.volume_id)
        call.begin(tx, DeleteSnapshot(snapshot_id=taken.id, host=None if volume is None else volume.host))

    await _write(call, work)


def _snapshot(one: VolumeSnapshot) -> dict[str, Any]:
    return {
        "id": one.id,
        "volumeId": one.volume_id,
        "status": one.status,
        "size": one.volume_size,
        "createdAt": one.created_at,
        "displayName": one.name,
        "displayDescription": one.description,
    }


routes = [
    Get("/os-volumes", index, policy=f"{POLICY}:list", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Get("/os-volumes/detail", index, policy=f"{POLICY}:detail", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Post("/os-volumes", create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST),
    Get("/os-volumes/{volume_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Delete("/os-volumes/{volume_id}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST, status=202),
    Get("/os-snapshots", snapshots_index, policy=f"{SNAPSHOTS}:list", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Get("/os-snapshots/detail", snapshots_index, policy=f"{SNAPSHOTS}:detail", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Post("/os-snapshots", snapshots_create, policy=f"{SNAPSHOTS}:create", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST),
    Get("/os-snapshots/{snapshot_id}", snapshots_show, policy=f"{SNAPSHOTS}:show", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Delete("/os-snapshots/{snapshot_id}", snapshots_delete, policy=f"{SNAPSHOTS}:delete", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST, status=202),
]  # fmt: skip
