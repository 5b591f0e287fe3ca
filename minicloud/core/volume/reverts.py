"""Reverting volumes: which snapshot may be gone back to, and taking volume and snapshot for it."""

from minicloud.base.errors import Conflict, Invalid
from minicloud.core.volume import snapshots, volumes
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction


def take(tx: Transaction, volume: Volume, snapshot_id: str | None) -> VolumeSnapshot:
    """Take a volume and its newest snapshot.

    Raises:
        Invalid: there is none, it is not the newest, or the volume has grown since.
        Conflict: one of them is not available.
    """
    own = snapshots.of_volume(tx, volume.id)
    if not own:
        raise Invalid(f"Volume {volume.id} doesn't have any snapshots.")
    newest = own[-1]
    if snapshot_id != newest.id:
        raise Invalid(f"Specified snapshot {snapshot_id} is None or not the latest one of volume {volume.id}.")
    if volume.size != newest.volume_size:
        raise Invalid(
            f"Can't revert volume {volume.id} to its latest snapshot {newest.id}. The volume size must be equal to the "
            "snapshot size."
        )
    opening = f"Can't revert volume {volume.id} to its latest snapshot {newest.id}."
    if volume.status != volumes.AVAILABLE:
        raise Conflict(f"Invalid volume: {opening} Volume's status must be 'available'.")
    if newest.status != snapshots.AVAILABLE:
        raise Conflict(f"Invalid snapshot: {opening} Snapshot's status must be 'available'.")
    volumes.move(tx, volume, volumes.REVERTING, [volumes.AVAILABLE], "")
    return snapshots.move(tx, newest, snapshots.RESTORING)
