"""Snapshots of groups: one of each volume, taken one after the other."""

from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.records import Query
from minicloud.core.volume import groups, snapshots
from minicloud.core.volume.groups import Group
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.engines.database import Transaction

CREATING, AVAILABLE, ERROR, DELETING = "creating", "available", "error", "deleting"
STATUSES = ("error", "available", "creating", "deleting", "deleted", "updating", "error_deleting")


class GroupSnapshot(records.Record, kw_only=True):
    """A snapshot of a group; those of its volumes name it."""

    TABLE = "volume_group_snapshots"
    MISSING: ClassVar[str] = "GroupSnapshot {id} could not be found."

    id: str
    project_id: str
    user_id: str
    group_id: str
    group_type_id: str
    name: str | None = None
    description: str | None = None
    status: str = CREATING
    created_at: str
    updated_at: str | None = None


def find(tx: Transaction, group_snapshot_id: str) -> GroupSnapshot | None:
    """A group's snapshot, whoever asks."""
    return records.find(tx, GroupSnapshot, group_snapshot_id)


def get(tx: Transaction, context: Context, group_snapshot_id: str) -> GroupSnapshot:
    """A group's snapshot that exists for whoever asks. Raises NotFound."""
    found = find(tx, group_snapshot_id)
    if found is None or not context.sees(found.project_id):
        raise GroupSnapshot.missing(group_snapshot_id)
    return found


def page(tx: Transaction, query: Query) -> list[GroupSnapshot]:
    """Groups' snapshots that meet the query."""
    return records.page(tx, GroupSnapshot, query)


def members(tx: Transaction, group_snapshot_id: str) -> list[VolumeSnapshot]:
    """The snapshots of the volumes, oldest first."""
    return records.select(tx, VolumeSnapshot, "group_snapshot_id = ? ORDER BY created_at, id", [group_snapshot_id])


def reset(tx: Transaction, found: GroupSnapshot, status: str) -> GroupSnapshot:
    """Write a status down, whatever is really the case."""
    return records.change(tx, found, status=status, updated_at=tx.now)


def ask(
    tx: Transaction, context: Context, group: Group, *, name: str | None, description: str | None
) -> tuple[GroupSnapshot, list[VolumeSnapshot]]:
    """Promise a snapshot of each volume; sagas take them.

    Raises:
        Invalid: the group is empty, or a volume's status does not allow it.
        OverQuota: of snapshots or gigabytes.
    """
    own = groups.members(tx, group.id)
    if not own:
        raise groups.refused(f"Cannot create group_snapshot because Group {group.id} is empty.")
    made = GroupSnapshot(
        id=tx.ids.uuid(),
        project_id=group.project_id,
        user_id=context.user_id,
        group_id=group.id,
        group_type_id=group.group_type_id,
        name=name,
        description=description,
        created_at=tx.now,
    )
    trace.note("group_snapshot", id=made.id, group=group.id, volumes=len(own))
    records.insert(tx, made)
    taken = []
    for volume in own:
        words = {"name": name, "description": description}
        taken.append(snapshots.ask(tx, context, volume, metadata={}, in_use=True, group_snapshot_id=made.id, **words))
    return made, taken


def take_for_deletion(tx: Transaction, found: GroupSnapshot) -> list[VolumeSnapshot]:
    """It is about to go with all that is returned; an empty one is gone at once. Raises Invalid."""
    growing = tx.one(
        "SELECT 1 FROM volume_groups WHERE group_snapshot_id = ? AND status = ? LIMIT 1", [found.id, CREATING]
    )
    if found.status not in (AVAILABLE, ERROR) or growing is not None:
        raise Invalid(
            "Invalid GroupSnapshot: GroupSnapshot status must be available or error, and no Group can be currently using "
            "it as source for its creation.",
            kind="InvalidGroupSnapshot",
        )
    own = members(tx, found.id)
    if not own:
        records.remove(tx, found)
        return []
    reset(tx, found, DELETING)
    return [snapshots.move(tx, snapshot, snapshots.DELETING) for snapshot in own]
