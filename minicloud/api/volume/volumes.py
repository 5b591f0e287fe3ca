"""Volumes over HTTP: ask for one, list, show, change, delete."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call, Reply
from minicloud.api.microversions import Beside, Since
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.api.volume import lists, values, volume_views
from minicloud.api.volume.lists import Resource, Wanted
from minicloud.api.volume.values import Flag, Size
from minicloud.base.errors import Conflict, Invalid
from minicloud.conductor.volume import create_volume
from minicloud.conductor.volume.delete_volume import DeleteVolume
from minicloud.conductor.volume.restore_backup import RestoreBackup
from minicloud.core.compute import volumed_images
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import backups, deletions, search, volume_images, volume_requests, volumes
from minicloud.core.volume.volume_requests import VolumeRequest
from minicloud.core.volume.volumes import Volume

POLICY = "volume"
ENCRYPTION = "volume_extension:volume_encryption_metadata"
Choice = Annotated[str, msgspec.Meta(max_length=255)]
Zone = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_COLUMNS = {
    name: name
    for name in (
        *("id", "name", "description", "size", "status", "attach_status", "migration_status", "replication_status", "host"),
        *("volume_type_id", "snapshot_id", "source_volid", "group_id", "bootable", "multiattach", "metadata", "user_id"),
        *("project_id", "provider_id", "created_at", "updated_at", "launched_at", "encryption_key_id"),
    )
} | {
    "display_name": "name",
    "availability_zone": "zone",
    "glance_metadata": "image_metadata",
    "consumes_quota": "use_quota",
    "use_quota": "use_quota",
}  # fmt: skip
VOLUMES = Resource(
    name="volume",
    collection="volumes",
    filters=(
        *("name", "status", "metadata", "bootable", "migration_status", "availability_zone", "group_id", "size"),
        *("created_at", "updated_at", "consumes_quota"),
    ),
    columns=_COLUMNS,
    all_tenants=lists.strict,
    host="host",
    flags=frozenset({"bootable", "multiattach", "use_quota"}),
    maps=frozenset({"metadata", "image_metadata"}),
    times=frozenset({"created_at", "updated_at"}),
    since={
        "glance_metadata": "3.4",
        "group_id": "3.10",
        "created_at": "3.60",
        "updated_at": "3.60",
        "consumes_quota": "3.65",
    },
)


class VolumeCreate(Body, wrap="volume", open="3.52"):
    """The body of POST /volumes; fields that are none are refused from 3.53 on."""

    size: Size | None = None
    name: str | UnsetType | None = UNSET
    display_name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    display_description: str | UnsetType | None = UNSET
    volume_type: Choice | None = None
    metadata: dict[str, str] | None = None
    snapshot_id: UUID | None = None
    source_volid: UUID | None = None
    consistencygroup_id: UUID | None = None
    availability_zone: Zone | None = None
    multiattach: Flag | None = None
    image_id: Choice | None = None
    image_ref: Choice | None = msgspec.field(name="imageRef", default=None)
    group_id: Annotated[Choice | None, Since("3.13")] = None
    backup_id: Annotated[UUID | None, Since("3.47")] = None
    hints: Annotated[dict[str, Any] | None, Beside()] = msgspec.field(name="OS-SCH-HNT:scheduler_hints", default=None)


class VolumeUpdate(Body, wrap="volume"):
    """The body of PUT /volumes/{id}."""

    name: str | UnsetType | None = UNSET
    display_name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    display_description: str | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


async def create(call: Call, body: VolumeCreate) -> Any:
    """Promise a volume and begin to make it."""
    if values.truth("multiattach", body.multiattach):
        raise Invalid(
            "multiattach parameter has been removed. The default behavior is to use multiattach enabled volume types. "
            "Contact your administrator to create a multiattach enabled volume type and use it to create multiattach "
            "volumes."
        )
    image_ref = body.image_id or body.image_ref
    if image_ref:
        call.enforce("volume:create_from_image")
    request = VolumeRequest(
        size=None if body.size is None else values.size("size", body.size),
        name=values.text("name", values.either("name", body.name, body.display_name)),
        description=values.text(
            "description", values.either("description", body.description, body.display_description)
        ),
        zone=body.availability_zone,
        volume_type=body.volume_type or None,
        snapshot_id=body.snapshot_id,
        source_volid=body.source_volid,
        group_id=body.group_id or body.consistencygroup_id,
        metadata=values.metadata(body.metadata),
        scheduler_hints=body.hints or {},
    )

    def work(tx: Transaction) -> tuple[Volume, volume_views.Around]:
        if image_ref:
            request.image_id = volume_images.find(tx, call.context, image_ref).id
            snapshot_id = volumed_images.root_snapshot(tx, request.image_id)
            if snapshot_id is not None and call.at_least("3.46"):
                request.image_id, request.snapshot_id = None, snapshot_id
        backup = None if body.backup_id is None else backups.get(tx, call.context, body.backup_id)
        if backup is not None:
            request.size = request.size or backup.size
        volume = volume_requests.ask(tx, call.context, request)
        if backup is None:
            call.begin(tx, create_volume.saga_for(tx, volume, request.image_id))
        else:
            backups.take_for_restore(tx, backup, volume)
            call.begin(tx, RestoreBackup(backup_id=backup.id, volume_id=volume.id))
        return volume, volume_views.around(tx, [volume])

    volume, around = await call.write(work)
    return volume_views.detailed(call, [volume], around, extended=False)[0]


async def _list(call: Call) -> tuple[Wanted, list[Volume], volume_views.Around, int | None]:
    wanted = lists.read(call, VOLUMES)

    def work(tx: Transaction) -> tuple[list[Volume], volume_views.Around, int | None]:
        found = lists.page(tx, wanted, search.volumes_page, Volume, volumes.find)
        return found, volume_views.around(tx, found), search.count_volumes(tx, wanted.query) if wanted.count else None

    found, around, count = await call.read(work)
    return wanted, found, around, count


async def index(call: Call) -> Any:
    """Volumes, briefly."""
    wanted, found, _, count = await _list(call)
    shown = [volume_views.brief(call, volume) for volume in found]
    return lists.document(call, VOLUMES, wanted, shown, [volume.id for volume in found], count)


async def detail(call: Call) -> Any:
    """Volumes with all that they are."""
    wanted, found, around, count = await _list(call)
    shown = volume_views.detailed(call, found, around)
    return lists.document(call, VOLUMES, wanted, shown, [volume.id for volume in found], count)


async def summary(call: Call) -> Any:
    """How many volumes there are, and their size together."""
    every = values.parameter("all_tenants", call.parameter("all_tenants")) and call.context.is_admin
    count, size, metadata = await call.read(lambda tx: search.summary(tx, call.context, every=every))
    document: dict[str, Any] = {"total_count": count, "total_size": size}
    if call.at_least("3.36"):
        document["metadata"] = metadata
    return {"volume-summary": document}


async def show(call: Call, volume_id: str) -> Any:
    """One volume."""

    def work(tx: Transaction) -> tuple[Volume, volume_views.Around]:
        volume = volumes.get(tx, call.context, volume_id)
        return volume, volume_views.around(tx, [volume])

    volume, around = await call.read(work)
    return volume_views.detailed(call, [volume], around)[0]


async def encryption(call: Call, volume_id: str) -> Any:
    """How a volume is encrypted: none of this cloud's is."""
    volume = await call.read(lambda tx: volumes.get(tx, call.context, volume_id))
    return {"encryption_key_id": volume.encryption_key_id}


async def encryption_item(call: Call, volume_id: str, key: str) -> Any:
    """One fact of how a volume is encrypted."""
    found = await encryption(call, volume_id)
    if key not in found:
        raise call.absent()
    return Reply(msgspec.json.encode(found[key]), headers={"Content-Type": "application/json"})


async def update(call: Call, volume_id: str, body: VolumeUpdate) -> Any:
    """Another name, description or metadata."""
    name = values.either("name", body.name, body.display_name)
    description = values.either("description", body.description, body.display_description)
    changes: dict[str, Any] = {}
    if name is not UNSET:
        changes["name"] = values.text("name", name)
    if description is not UNSET:
        changes["description"] = values.text("description", description)
    if body.metadata is not UNSET:
        changes["metadata"] = values.metadata(body.metadata)
    if not changes and call.at_least("3.53"):
        raise Invalid("Invalid input for field/attribute volume. Value: {}. {} does not have enough properties")

    def work(tx: Transaction) -> tuple[Volume, volume_views.Around]:
        volume = volumes.update(tx, volumes.get(tx, call.context, volume_id), **changes)
        return volume, volume_views.around(tx, [volume])

    volume, around = await call.write(work)
    return volume_views.detailed(call, [volume], around, extended=False)[0]


async def delete(call: Call, volume_id: str) -> None:
    """Take a volume, and with ``cascade`` its snapshots, for deletion."""
    cascade = values.parameter("cascade", call.parameter("cascade"))
    force = call.at_least("3.23") and values.parameter("force", call.parameter("force"))
    if force:
        call.enforce("volume:force_delete")
    await remove(call, volume_id, force=force, cascade=cascade)


async def remove(call: Call, volume_id: str, *, force: bool, cascade: bool = False) -> None:
    """Take a volume for deletion and begin with it."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        if deletions.take(tx, call.context, volume, force=force, cascade=cascade):
            call.begin(tx, DeleteVolume(volume_id=volume.id))

    try:
        await call.write(work)
    except Conflict as error:
        # Somebody moved it between the read and the swap: its status is another one now.
        raise volumes.refused(error.message) from error


routes = [
    Get("/volumes", index, policy=f"{POLICY}:get_all", allow=PROJECT_READER_OR_ADMIN),
    Post("/volumes", create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN, status=202, extra=(("volume:create_from_image", PROJECT_MEMBER_OR_ADMIN),)),
    Get("/volumes/detail", detail, policy=f"{POLICY}:get_all", allow=PROJECT_READER_OR_ADMIN, extra=volume_views.EXTRA),
    Get("/volumes/summary", summary, policy=f"{POLICY}:get_all", allow=PROJECT_READER_OR_ADMIN, since="3.12"),
    Get("/volumes/{volume_id}", show, policy=f"{POLICY}:get", allow=PROJECT_READER_OR_ADMIN),
    Get("/volumes/{volume_id}/encryption", encryption, policy=ENCRYPTION, allow=PROJECT_READER_OR_ADMIN),
    Get("/volumes/{volume_id}/encryption/{key}", encryption_item, policy=ENCRYPTION, allow=PROJECT_READER_OR_ADMIN),
    Put("/volumes/{volume_id}", update, policy=f"{POLICY}:update", allow=PROJECT_MEMBER_OR_ADMIN),
    Delete("/volumes/{volume_id}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN, status=202, extra=(("volume:force_delete", ADMIN),)),
]  # fmt: skip
