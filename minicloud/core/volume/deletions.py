"""Deleting volumes: what allows it, and taking a volume (with its snapshots, if that is wished) for it."""

from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.volume import snapshots, volumes
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

DELETABLE = ("available", "error", "error_restoring", "error_extending", "error_managing")
_SNAPSHOTS_DELETABLE = (snapshots.AVAILABLE, snapshots.ERROR, snapshots.DELETING)


def take(
    tx: Transaction,
    context: Context,
    volume: Volume,
    *,
    force: bool = False,
    cascade: bool = False,
    grouped: bool = False,
) -> bool:
    """Take a volume for deletion, ``grouped`` with its whole group; False when it was nowhere yet and is gone at once.

    Raises:
        Invalid: it is attached, migrating, in a group, has snapshots, or its status does not allow it.
    """
    own = snapshots.of_volume(tx, volume.id)
    if volume.host is None and not own and volume.status in DELETABLE:
        volumes.forget(tx, volume)
        return False
    allowed = (
        (force or volume.status in DELETABLE)
        and volume.attach_status != volumes.ATTACHED
        and volume.migration_status in volumes.NOT_MIGRATING
        and (grouped or volume.group_id is None)
    )
    if own and allowed:
        in_group = any(snapshot.group_snapshot_id is not None for snapshot in own)
        deletable = force or all(snapshot.status in _SNAPSHOTS_DELETABLE for snapshot in own)
        foreign = any(snapshot.project_id != volume.project_id for snapshot in own) and not context.is_admin
        allowed = cascade and not in_group and deletable and not foreign
    if not allowed:
        status = "" if force else f"status must be {' or '.join(DELETABLE)} and"
        raise volumes.refused(
            f"Volume {status} must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, "
            "or be disassociated from snapshots after volume transfer."
        )
    for snapshot in own:
        snapshots.move(tx, snapshot, snapshots.DELETING)
    volumes.move(tx, volume, volumes.DELETING, [volume.status], "")
    return True


def release(tx: Transaction, volume_id: str) -> None:
    """Nothing is left of the volume and its snapshots."""
    for snapshot in snapshots.of_volume(tx, volume_id):
        records.remove(tx, snapshot)
    volume = volumes.find(tx, volume_id)
    if volume is not None:
        volumes.forget(tx, volume)
