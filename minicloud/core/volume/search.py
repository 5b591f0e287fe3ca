"""Pages, counts and sums of volumes and snapshots."""

from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.records import Query
from minicloud.core.volume.attachments import VolumeAttachment
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction


def volumes_page(tx: Transaction, query: Query) -> list[Volume]:
    """Volumes that meet the query."""
    return records.page(tx, Volume, query)


def count_volumes(tx: Transaction, query: Query) -> int:
    """How many volumes meet the query's conditions."""
    return records.count(tx, Volume, query.where)


def snapshots_page(tx: Transaction, query: Query) -> list[VolumeSnapshot]:
    """Snapshots that meet the query."""
    return records.page(tx, VolumeSnapshot, query)


def count_snapshots(tx: Transaction, query: Query) -> int:
    """How many snapshots meet the query's conditions."""
    return records.count(tx, VolumeSnapshot, query.where)


def attachments_page(tx: Transaction, query: Query) -> list[VolumeAttachment]:
    """Attachments that meet the query."""
    return records.page(tx, VolumeAttachment, query)


def summary(tx: Transaction, context: Context, *, every: bool) -> tuple[int, int, dict[str, list[str]]]:
    """The number of volumes, their GiB together, and all values of each metadata key."""
    where = [] if every else [records.Condition("project_id", "=", context.project_id)]
    found = records.page(tx, Volume, Query(where=[*where]))
    metadata: dict[str, list[str]] = {}
    for volume in found:
        for key, value in volume.metadata.items():
            if value not in metadata.setdefault(key, []):
                metadata[key].append(value)
    return len(found), sum(volume.size for volume in found), metadata
