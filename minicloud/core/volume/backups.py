"""Backups: copies of volumes that outlive them, whole or only what changed since an older one; their record and how it moves."""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from minicloud.base import trace
from minicloud.base.errors import Invalid, OverQuota, Unavailable
from minicloud.core import quota, records
from minicloud.core.context import Context
from minicloud.core.records import Query
from minicloud.core.volume import quotas, services, snapshots, volumes
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

CREATING, AVAILABLE, ERROR = "creating", "available", "error"
DELETING, ERROR_DELETING, RESTORING = "deleting", "error_deleting", "restoring"
BACKING_UP = "backing-up"
RESTORING_VOLUME, ERROR_RESTORING = "restoring-backup", "error_restoring"
SETTABLE = ("available", "error")
CONTAINER = "volumebackups"
DATA, INDEX = "backup-", ".index"
"""Backups' blobs: ``backup-<data id>`` and the same with ``.index``."""


class Backup(records.Record, kw_only=True):
    """A backup. ``size`` in GiB; ``data_id`` names its blobs, which imported records share; ``format`` is what they hold."""

    TABLE = "volume_backups"
    MISSING: ClassVar[str] = "Backup {id} could not be found."

    id: str
    project_id: str
    user_id: str
    volume_id: str
    snapshot_id: str | None = None
    parent_id: str | None = None
    name: str | None = None
    description: str | None = None
    container: str | None = None
    zone: str | None = None
    status: str = CREATING
    fail_reason: str | None = None
    size: int
    object_count: int = 0
    format: str = ""
    data_id: str
    metadata: dict[str, str] = {}
    bootable: bool = False
    image_metadata: dict[str, str] = {}
    volume_metadata: dict[str, str] = {}
    restore_volume_id: str | None = None
    data_timestamp: str
    created_at: str
    updated_at: str | None = None
    generation: int = 0


def get(tx: Transaction, context: Context, backup_id: str) -> Backup:
    """A backup that exists for whoever asks. Raises NotFound."""
    found = find(tx, backup_id)
    if found is None or not context.sees(found.project_id):
        raise Backup.missing(backup_id)
    return found


def find(tx: Transaction, backup_id: str) -> Backup | None:
    """A backup, whoever asks."""
    return records.find(tx, Backup, backup_id)


def existing(tx: Transaction, backup_id: str) -> Backup:
    """A backup, whoever asks. Raises NotFound."""
    return records.get(tx, Backup, backup_id)


def page(tx: Transaction, query: Query) -> list[Backup]:
    """Backups that meet the query."""
    return records.page(tx, Backup, query)


def count(tx: Transaction, query: Query) -> int:
    """How many backups meet the query's conditions."""
    return records.count(tx, Backup, query.where)


def dependents(tx: Transaction, backup_id: str) -> int:
    """How many backups build on this one."""
    row = tx.one("SELECT count(*) FROM volume_backups WHERE parent_id = ?", [backup_id])
    return 0 if row is None else int(row[0])


def chain(tx: Transaction, backup: Backup) -> list[Backup]:
    """The backups that make up this one, the whole one first. Raises NotFound when one is missing."""
    found = [backup]
    while found[0].parent_id is not None:
        found.insert(0, existing(tx, found[0].parent_id))
    return found


def ask(
    tx: Transaction,
    context: Context,
    volume: Volume,
    snapshot: VolumeSnapshot | None,
    *,
    incremental: bool,
    force: bool,
    zone: str | None = None,
    **values: Any,
) -> Backup:
    """Promise a backup; a saga makes it.

    Raises:
        Invalid: the volume's or snapshot's status does not allow it, or there is nothing to build on.
        OverQuota: of backups or their gigabytes.
        Unavailable: backups are switched off.
    """
    require_service(tx, zone)
    if snapshot is not None:
        if snapshot.volume_id != volume.id:
            raise volumes.refused(f"Volume {volume.id} does not match with snapshot.volume_id {snapshot.volume_id}.")
        if snapshot.status != snapshots.AVAILABLE:
            raise Invalid(
                "Invalid snapshot: Snapshot to be backed up must be available, but the current status is "
                f'"{snapshot.status}".'
            )
    elif volume.status not in (volumes.AVAILABLE, volumes.IN_USE):
        raise volumes.refused(
            f'Volume to be backed up must be available or in-use, but the current status is "{volume.status}".'
        )
    elif volume.status == volumes.IN_USE and not force:
        raise volumes.refused("Backing up an in-use volume must use the force flag.")
    project_id = context.require_project()
    _check_quota(tx, project_id, volume.size)
    parent = _parent(tx, project_id, volume, snapshot) if incremental else None
    if snapshot is not None:
        snapshots.move(tx, snapshot, BACKING_UP)
    else:
        volumes.move(tx, volume, BACKING_UP, [volume.status], "")
    backup_id = tx.ids.uuid()
    made = Backup(
        id=backup_id,
        data_id=backup_id,
        project_id=project_id,
        user_id=context.user_id,
        volume_id=volume.id,
        snapshot_id=None if snapshot is None else snapshot.id,
        parent_id=None if parent is None else parent.id,
        size=volume.size,
        zone=zone,
        bootable=volume.bootable,
        image_metadata=volume.image_metadata,
        volume_metadata=volume.metadata,
        data_timestamp=tx.now if snapshot is None else snapshot.created_at,
        created_at=tx.now,
        **values,
    )
    trace.note("backup_asked", backup=made.id, volume=volume.id, parent=made.parent_id)
    return records.insert(tx, made)


def require_service(tx: Transaction, zone: str | None) -> None:
    """Raises Unavailable when an administrator switched backups off, or there are none in the zone."""
    service = services.get(tx, services.BACKUP, services.CONTROL)
    if service.disabled or zone not in (None, "", service.zone):
        raise Unavailable("Service cinder-backup could not be found.")


def _check_quota(tx: Transaction, project_id: str, size: int) -> None:
    try:
        deltas = {"backups": 1, "backup_gigabytes": size}
        quota.check(tx, quotas.SERVICE, project_id, deltas, lambda: quotas.usage(tx, project_id))
    except OverQuota as error:
        overs, detail = error.detail["overs"], error.detail
        if "backup_gigabytes" in overs:
            asked, used, allowed = (detail[name]["backup_gigabytes"] for name in ("requested", "used", "allowed"))
            message = (
                f"VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. "
                f"Requested {asked}G, quota is {allowed}G and {used}G has been consumed."
            )
        else:
            message = (
                f"BackupLimitExceeded: Maximum number of backups allowed ({detail['allowed']['backups']}) exceeded"
            )
        raise OverQuota(message, kind="OverQuota", **detail) from error


def _parent(tx: Transaction, project_id: str, volume: Volume, snapshot: VolumeSnapshot | None) -> Backup:
    """The newest backup that an incremental one can build on."""
    found = records.select(
        tx,
        Backup,
        "volume_id = ? AND project_id = ? AND status = ? ORDER BY data_timestamp DESC, id",
        [volume.id, project_id, AVAILABLE],
    )
    for backup in found:
        if snapshot is None or backup.data_timestamp < snapshot.created_at:
            return backup
    raise Invalid("Invalid backup: No backups available to do an incremental backup.")


def change(tx: Transaction, backup: Backup, **changes: Any) -> Backup:
    """Swap values in. Raises Conflict (kind ``stale``)."""
    return records.change(tx, backup, **{"updated_at": tx.now, **changes})


def settle(tx: Transaction, backup_id: str, claimed: Collection[str], **changes: Any) -> None:
    """Work on a backup has ended; content when it was taken for something else meanwhile, or is gone."""
    backup = find(tx, backup_id)
    if backup is not None and backup.status in claimed:
        trace.note("backup_status", backup=backup.id, was=backup.status, now=changes.get("status", backup.status))
        change(tx, backup, **changes)


def take_for_deletion(tx: Transaction, backup: Backup, *, force: bool) -> Backup:
    """The backup is about to be deleted. Raises Invalid when its status, or another that builds on it, does not allow it."""
    if not force and backup.status not in (AVAILABLE, ERROR):
        raise Invalid("Invalid backup: Backup status must be available or error")
    if dependents(tx, backup.id):
        raise Invalid("Invalid backup: Incremental backups exist for this backup.")
    require_service(tx, None)
    return change(tx, backup, status=DELETING)


def take_for_restore(tx: Transaction, backup: Backup, volume: Volume) -> Backup:
    """The volume is about to be overwritten with the backup. Raises Invalid when either does not allow it."""
    if backup.status != AVAILABLE:
        raise Invalid("Invalid backup: Backup status must be available")
    if volume.status not in (volumes.AVAILABLE, volumes.CREATING):
        raise volumes.refused("Volume to be restored to must be available")
    if backup.size > volume.size:
        raise volumes.refused(f"volume size {volume.size} is too small to restore backup of size {backup.size}.")
    require_service(tx, None)
    volumes.move(tx, volume, RESTORING_VOLUME, [volume.status], "")
    return change(tx, backup, status=RESTORING, restore_volume_id=volume.id)


def shared(tx: Transaction, backup: Backup) -> bool:
    """Whether another record has the same data."""
    row = tx.one("SELECT 1 FROM volume_backups WHERE data_id = ? AND id != ?", [backup.data_id, backup.id])
    return row is not None


def forget(tx: Transaction, backup_id: str) -> None:
    """Nothing is left of the backup."""
    found = find(tx, backup_id)
    if found is not None:
        records.remove(tx, found)
        trace.note("backup_deleted", backup=backup_id)


def leftover_blobs(tx: Transaction, keys: Iterable[str]) -> list[str]:
    """Those of the keys that hold data of no backup any more: a crash came between the last of its steps."""
    by_data: dict[str, list[str]] = {}
    for key in keys:
        if key.startswith(DATA):
            by_data.setdefault(key.removeprefix(DATA).partition(".")[0], []).append(key)
    known = {backup.data_id for backup in records.select_in(tx, Backup, "data_id", set(by_data))}
    return sorted(key for data_id, found in by_data.items() if data_id not in known for key in found)
