"""Snapshots: what a volume held at one moment; their record, how one is asked for, and how their status moves."""

from collections.abc import Collection
from typing import Any, ClassVar

from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.volume import membership, quotas, volumes
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

CREATING, AVAILABLE, ERROR = "creating", "available", "error"
DELETING, ERROR_DELETING, RESTORING = "deleting", "error_deleting", "restoring"
STATUSES = (
    "error", "available", "creating", "deleting", "deleted", "updating", "error_deleting", "unmanaging", "backing-up",
    "restoring",
)  # fmt: skip


class VolumeSnapshot(records.Record, kw_only=True):
    """A snapshot. ``volume_size`` in GiB."""

    TABLE = "volume_snapshots"
    MISSING: ClassVar[str] = "Snapshot {id} could not be found."

    id: str
    project_id: str
    user_id: str
    volume_id: str
    name: str | None = None
    description: str | None = None
    volume_size: int
    volume_type_id: str | None = None
    status: str = CREATING
    progress: str = "0%"
    metadata: dict[str, str] = {}
    group_snapshot_id: str | None = None
    use_quota: bool = True
    created_at: str
    updated_at: str | None = None
    generation: int = 0


def get(tx: Transaction, context: Context, snapshot_id: str) -> VolumeSnapshot:
    """A snapshot that exists for whoever asks. Raises NotFound."""
    found = records.find(tx, VolumeSnapshot, snapshot_id)
    if found is None or not context.sees(found.project_id):
        raise VolumeSnapshot.missing(snapshot_id)
    return found


def find(tx: Transaction, snapshot_id: str) -> VolumeSnapshot | None:
    """A snapshot, whoever asks; for work that goes on by itself."""
    return records.find(tx, VolumeSnapshot, snapshot_id)


def existing(tx: Transaction, snapshot_id: str) -> VolumeSnapshot:
    """A snapshot, whoever asks. Raises NotFound."""
    return records.get(tx, VolumeSnapshot, snapshot_id)


def of_volume(tx: Transaction, volume_id: str) -> list[VolumeSnapshot]:
    """A volume's snapshots, oldest first."""
    return records.select(tx, VolumeSnapshot, "volume_id = ? ORDER BY created_at, id", [volume_id])


def ask(
    tx: Transaction,
    context: Context,
    volume: Volume,
    *,
    name: str | None,
    description: str | None,
    metadata: dict[str, str],
    in_use: bool,
    group_snapshot_id: str | None = None,
) -> VolumeSnapshot:
    """Promise a snapshot; a saga takes it.

    Args:
        in_use: whether the volume may be attached.

    Raises:
        Invalid: the volume's status does not allow it.
        OverQuota: of snapshots or gigabytes.
    """
    if volume.host is None:
        raise volumes.refused("The snapshot cannot be created because volume has not been scheduled to any host.")
    if volume.status == volumes.MAINTENANCE:
        raise volumes.refused("The snapshot cannot be created when the volume is in maintenance mode.")
    if volume.migration_status not in volumes.NOT_MIGRATING:
        raise volumes.refused("Snapshot cannot be created while volume is migrating.")
    if volume.status == volumes.ERROR:
        raise volumes.refused("The snapshot cannot be created when the volume is in error status.")
    allowed = (volumes.AVAILABLE, volumes.IN_USE) if in_use else (volumes.AVAILABLE,)
    if volume.status not in allowed:
        raise volumes.refused(
            f"Volume {volume.id} status must be {', '.join(allowed)}, but current status is: {volume.status}."
        )
    quotas.check(tx, volume.project_id, type_id=volume.volume_type_id, snapshots=1, gigabytes=volume.size)
    snapshot = VolumeSnapshot(
        id=tx.ids.uuid(),
        # A snapshot that an administrator takes belongs to whoever the volume belongs to.
        project_id=context.project_id or volume.project_id,
        user_id=context.user_id,
        volume_id=volume.id,
        name=name,
        description=description,
        volume_size=volume.size,
        volume_type_id=volume.volume_type_id,
        metadata=metadata,
        group_snapshot_id=group_snapshot_id,
        created_at=tx.now,
    )
    trace.note("snapshot_asked", snapshot=snapshot.id, volume=volume.id)
    return records.insert(tx, snapshot)


def take_for_deletion(tx: Transaction, snapshot: VolumeSnapshot, *, force: bool) -> VolumeSnapshot:
    """The snapshot is about to be deleted. Raises Invalid when its status, or its group, does not allow it."""
    allowed = STATUSES if force else (AVAILABLE, ERROR)
    if snapshot.status not in allowed or snapshot.group_snapshot_id is not None:
        status = "" if force else "status must be available or error and"
        raise Invalid(f"Invalid snapshot: Snapshot {status} must not be part of a group.")
    return move(tx, snapshot, DELETING)


def move(tx: Transaction, snapshot: VolumeSnapshot, status: str, **changes: Any) -> VolumeSnapshot:
    """The snapshot takes another status. Raises Conflict (kind ``stale``) when somebody else moved it meanwhile."""
    trace.note("snapshot_status", snapshot=snapshot.id, was=snapshot.status, now=status)
    return change(tx, snapshot, status=status, **changes)


def settle(tx: Transaction, snapshot_id: str, claimed: Collection[str], status: str, **changes: Any) -> None:
    """Work on a snapshot has ended; content when it was taken for something else meanwhile, or is gone."""
    snapshot = find(tx, snapshot_id)
    if snapshot is not None and snapshot.status in claimed:
        move(tx, snapshot, status, **changes)


def forget(tx: Transaction, snapshot_id: str) -> None:
    """Nothing is left of the snapshot."""
    snapshot = find(tx, snapshot_id)
    if snapshot is not None:
        records.remove(tx, snapshot)
        if snapshot.group_snapshot_id is not None:
            membership.snapshot_moved(tx, snapshot.group_snapshot_id)
        trace.note("snapshot_deleted", snapshot=snapshot_id)


def change(tx: Transaction, snapshot: VolumeSnapshot, **changes: Any) -> VolumeSnapshot:
    """Swap values in. Raises Conflict (kind ``stale``)."""
    changed = records.change(tx, snapshot, **{"updated_at": tx.now, **changes})
    if changed.group_snapshot_id is not None:
        membership.snapshot_moved(tx, changed.group_snapshot_id)
    return changed
