"""Backups over HTTP: made whole or of what changed, restored, exported and imported as records."""

import base64
import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since
from minicloud.api.routes import Action, Delete, Get, Post, Put
from minicloud.api.volume import lists, values
from minicloud.api.volume.lists import Resource
from minicloud.api.volume.values import Flag
from minicloud.api.volume.volume_views import links
from minicloud.base.errors import Invalid
from minicloud.conductor.volume.create_backup import CreateBackup
from minicloud.conductor.volume.delete_backup import DeleteBackup
from minicloud.conductor.volume.restore_backup import RestoreBackup
from minicloud.core import records
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import backups, snapshots, volume_requests, volumes
from minicloud.core.volume.backups import Backup
from minicloud.core.volume.volume_requests import VolumeRequest
from minicloud.core.volume.volumes import Volume

ATTRIBUTES = "backup:backup_project_attribute"
SERVICE = "cinder.backup.drivers.minicloud.BlobsDriver"
"""What keeps backups, in the manner in which Cinder names its drivers: some clients look for the beginning."""

Choice = Annotated[str, msgspec.Meta(max_length=255)]


def _all_tenants(text: str) -> bool:
    if text.lower() not in values.WORDS:
        raise Invalid(f"all_tenants must be a boolean, got '{text}'.")
    return lists.lenient(text)


BACKUPS = Resource(
    name="backup",
    collection="backups",
    filters=("name", "status", "volume_id"),
    all_tenants=_all_tenants,
    columns={
        name: name
        for name in (
            *("id", "name", "description", "status", "volume_id", "snapshot_id", "size", "parent_id", "container"),
            *("created_at", "updated_at", "data_timestamp", "project_id", "user_id"),
        )
    },
)


class BackupCreate(Body, wrap="backup"):
    """The body of POST /backups."""

    volume_id: UUID
    container: Choice | None = None
    name: Choice | None = None
    description: Choice | None = None
    incremental: Flag | UnsetType = UNSET
    force: Flag | UnsetType = UNSET
    snapshot_id: UUID | None = None
    metadata: Annotated[dict[str, str] | None, Since("3.43")] = None
    availability_zone: Annotated[Choice | None, Since("3.51")] = None


class BackupUpdate(Body, wrap="backup"):
    """The body of PUT /backups/{id}."""

    name: Choice | UnsetType | None = UNSET
    description: Choice | UnsetType | None = UNSET
    metadata: Annotated[dict[str, str] | UnsetType, Since("3.43")] = UNSET


class Wanted(Body):
    """Where a backup is to be restored: into this volume, or into a new one of this name."""

    volume_id: UUID | None = None
    name: Choice | None = None


class Restore(Body):
    """The body of POST /backups/{id}/restore. Cinder's schema lets it say nothing, over which its own code stumbles."""

    restore: Wanted | None


class BackupRecord(Body, wrap="backup-record"):
    """The body of POST /backups/import_record."""

    backup_service: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    backup_url: Annotated[str, msgspec.Meta(min_length=1)]


class ResetStatus(Body):
    """The body of ``os-reset_status``."""

    status: str


def brief(call: Call, backup: Backup) -> dict[str, Any]:
    """A backup in a plain listing."""
    return {"id": backup.id, "name": backup.name, "links": links(call, "backups", backup.id)}


def detailed(call: Call, tx: Transaction, found: Sequence[Backup]) -> list[dict[str, Any]]:
    """Backups with all that they are, as the version has it."""
    owners = call.at_least("3.18") and call.allows(ATTRIBUTES)
    shown = []
    for backup in found:
        one = {
            **brief(call, backup),
            "status": backup.status,
            "size": backup.size,
            "object_count": backup.object_count,
            "availability_zone": backup.zone,
            "container": backup.container,
            "created_at": backup.created_at,
            "updated_at": backup.updated_at,
            "description": backup.description,
            "fail_reason": backup.fail_reason,
            "volume_id": backup.volume_id,
            "is_incremental": backup.parent_id is not None,
            "has_dependent_backups": backups.dependents(tx, backup.id) > 0,
            "snapshot_id": backup.snapshot_id,
            "data_timestamp": backup.data_timestamp,
        }
        if call.at_least("3.43"):
            one["metadata"] = backup.metadata
        if owners:
            one["os-backup-project-attr:project_id"] = backup.project_id
            if call.at_least("3.56"):
                one["user_id"] = backup.user_id
        shown.append(one)
    return shown


async def create(call: Call, body: BackupCreate) -> Any:
    """Promise a backup and begin to make it."""
    incremental = values.truth("incremental", body.incremental)
    force = values.truth("force", body.force)
    if body.container is not None and not re.fullmatch(r"[^/]*", body.container):
        raise Invalid(f"Invalid input for field/attribute container. Value: {body.container}.", field="container")
    wanted = {
        "name": values.text("name", body.name),
        "description": values.text("description", body.description),
        "container": body.container,
        "metadata": values.metadata(body.metadata),
    }

    def work(tx: Transaction) -> Backup:
        volume = volumes.get(tx, call.context, body.volume_id)
        snapshot = None if body.snapshot_id is None else snapshots.get(tx, call.context, body.snapshot_id)
        if volume.host is None:
            raise volumes.refused(f"Volume {volume.id} is on no backend.")
        in_use = volume.status == volumes.IN_USE
        made = backups.ask(
            tx,
            call.context,
            volume,
            snapshot,
            incremental=incremental,
            force=force,
            zone=body.availability_zone,
            **wanted,
        )
        saga = CreateBackup(
            backup_id=made.id,
            volume_id=volume.id,
            host=volume.host,
            snapshot_id=made.snapshot_id,
            in_use=in_use and snapshot is None,
        )
        call.begin(tx, saga)
        return made

    return {"backup": brief(call, await call.write(work))}


async def _list(call: Call, *, long: bool) -> Any:
    wanted = lists.read(call, BACKUPS)

    def work(tx: Transaction) -> tuple[list[Backup], list[dict[str, Any]], int | None]:
        found = lists.page(tx, wanted, backups.page, Backup, backups.find)
        shown = detailed(call, tx, found) if long else [brief(call, backup) for backup in found]
        return found, shown, backups.count(tx, wanted.query) if wanted.count else None

    found, shown, count = await call.read(work)
    return lists.document(call, BACKUPS, wanted, shown, [backup.id for backup in found], count)


async def index(call: Call) -> Any:
    """Backups, briefly."""
    return await _list(call, long=False)


async def detail(call: Call) -> Any:
    """Backups with all that they are."""
    return await _list(call, long=True)


async def show(call: Call, backup_id: str) -> Any:
    """One backup."""
    found = await call.read(lambda tx: detailed(call, tx, [backups.get(tx, call.context, backup_id)]))
    return {"backup": found[0]}


async def update(call: Call, backup_id: str, body: BackupUpdate) -> Any:
    """Another name, description or metadata."""
    changes: dict[str, Any] = {
        name: values.text(name, value)
        for name, value in (("name", body.name), ("description", body.description))
        if value is not UNSET
    }
    if body.metadata is not UNSET:
        changes["metadata"] = values.metadata(body.metadata)
    found = await call.write(lambda tx: backups.change(tx, backups.get(tx, call.context, backup_id), **changes))
    return {"backup": brief(call, found)}


async def delete(call: Call, backup_id: str) -> None:
    """Take a backup for deletion and begin with it."""
    await _remove(call, backup_id, force=False)


async def force_delete(call: Call, backup_id: str) -> None:
    """Delete it in whatever status it is."""
    await _remove(call, backup_id, force=True)


async def _remove(call: Call, backup_id: str, *, force: bool) -> None:
    def work(tx: Transaction) -> None:
        taken = backups.take_for_deletion(tx, backups.get(tx, call.context, backup_id), force=force)
        call.begin(tx, DeleteBackup(backup_id=taken.id))

    await call.write(work)


async def restore(call: Call, backup_id: str, body: Restore) -> Any:
    """Overwrite a volume with the backup, or make a new one of it."""
    wanted = body.restore or Wanted()
    name = values.text("name", wanted.name)

    def work(tx: Transaction) -> Volume:
        backup = backups.get(tx, call.context, backup_id)
        if wanted.volume_id is not None:
            volume = volumes.get(tx, call.context, wanted.volume_id)
        else:
            request = VolumeRequest(
                size=backup.size,
                name=name or f"restore_backup_{backup_id}",
                description="auto-created_from_restore_from_backup",
            )
            volume = volume_requests.ask(tx, call.context, request)
        backups.take_for_restore(tx, backup, volume)
        call.begin(tx, RestoreBackup(backup_id=backup.id, volume_id=volume.id))
        return volume

    volume = await call.write(work)
    return {"restore": {"backup_id": backup_id, "volume_id": volume.id, "volume_name": volume.name}}


async def export_record(call: Call, backup_id: str) -> Any:
    """The record, to be imported elsewhere or again."""

    def work(tx: Transaction) -> Backup:
        backup = backups.get(tx, call.context, backup_id)
        if backup.status != backups.AVAILABLE:
            raise Invalid(f"Invalid backup: Backup status must be {backups.AVAILABLE} and not {backup.status}.")
        return backup

    url = base64.b64encode(msgspec.json.encode(await call.read(work))).decode()
    return {"backup-record": {"backup_service": SERVICE, "backup_url": url}}


async def import_record(call: Call, body: BackupRecord) -> Any:
    """Make a record known whose bytes are in this cloud's store."""
    if body.backup_service != SERVICE:
        raise Invalid(f"Invalid backup: Backup service {body.backup_service} is none of this cloud's: {SERVICE}")
    try:
        given = msgspec.json.decode(base64.b64decode(body.backup_url, validate=True), type=Backup)
    except (ValueError, msgspec.DecodeError) as error:
        raise Invalid("Invalid input received: Can't parse backup record.") from error
    if given.data_id and f"{backups.DATA}{given.data_id}" not in await call.means.blobs.keys():
        raise Invalid("Invalid backup: its data is not in this cloud's store")

    def work(tx: Transaction) -> Backup:
        if backups.find(tx, given.id) is not None:
            raise Invalid("Invalid backup: Backup already exists in database.")
        if given.parent_id is not None:
            backups.existing(tx, given.parent_id)
        made = given.with_(
            project_id=call.context.require_project(),
            user_id=call.context.user_id,
            status=backups.AVAILABLE,
            restore_volume_id=None,
            created_at=tx.now,
            updated_at=None,
            generation=0,
        )
        return records.insert(tx, made)

    return {"backup": brief(call, await call.write(work))}


async def reset_status(call: Call, backup_id: str, body: ResetStatus) -> None:
    """Write a status down, whatever is really the case."""
    if body.status not in backups.SETTABLE:
        raise Invalid(f"Invalid input for field/attribute status. Value: {body.status}.", field="status")
    await call.write(lambda tx: backups.change(tx, backups.get(tx, call.context, backup_id), status=body.status))


_ONE, _ACTION = "/backups/{backup_id}", "/backups/{backup_id}/action"
_EXTRA = ((ATTRIBUTES, ADMIN),)
_ADMIN_ACTIONS = "volume_extension:backup_admin_actions"
routes = [
    Get("/backups", index, policy="backup:get_all", allow=PROJECT_READER_OR_ADMIN),
    Post("/backups", create, policy="backup:create", allow=PROJECT_MEMBER_OR_ADMIN, status=202),
    Get("/backups/detail", detail, policy="backup:get_all", allow=PROJECT_READER_OR_ADMIN, extra=_EXTRA),
    Post("/backups/import_record", import_record, policy="backup:backup-import", allow=ADMIN, status=201),
    Get(_ONE, show, policy="backup:get", allow=PROJECT_READER_OR_ADMIN, extra=_EXTRA),
    Put(_ONE, update, since="3.9", policy="backup:update", allow=PROJECT_MEMBER_OR_ADMIN),
    Delete(_ONE, delete, policy="backup:delete", allow=PROJECT_MEMBER_OR_ADMIN, status=202),
    Post(f"{_ONE}/restore", restore, policy="backup:restore", allow=PROJECT_MEMBER_OR_ADMIN, status=202),
    Get(f"{_ONE}/export_record", export_record, policy="backup:export-import", allow=ADMIN),
    Action("os-reset_status", reset_status, path=_ACTION, policy=f"{_ADMIN_ACTIONS}:reset_status", allow=ADMIN),
    Action("os-force_delete", force_delete, path=_ACTION, policy=f"{_ADMIN_ACTIONS}:force_delete", allow=ADMIN),
]
