"""What lies on a backend and belongs to no volume or snapshot."""

from collections.abc import Collection

from minicloud.core import records
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.unmanaged import Unmanaged
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction


def strangers(
    tx: Transaction, volume_ids: Collection[str], snapshot_ids: Collection[str], busy: Collection[str]
) -> tuple[list[str], list[str]]:
    """Those of the volumes and snapshots that have no record, were not let go of by an administrator, and that nobody works on.

    Safe at any time, as a record is written before its file is made, and an id is never used twice.
    """
    volumes = {volume.id for volume in records.select_in(tx, Volume, "id", set(volume_ids))}
    snapshots = {snapshot.id for snapshot in records.select_in(tx, VolumeSnapshot, "id", set(snapshot_ids))}
    kept = {found.id for found in records.select_in(tx, Unmanaged, "id", {*volume_ids, *snapshot_ids})} | set(busy)
    return (
        sorted(set(volume_ids) - volumes - kept),
        sorted(set(snapshot_ids) - snapshots - kept),
    )
