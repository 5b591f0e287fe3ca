"""What is ordered of groups of volumes, by whichever of their two names: copies, changes, snapshots, deletions, with their sagas."""

from minicloud.api.call import Call
from minicloud.base.errors import Conflict, Invalid
from minicloud.conductor.volume import create_volume
from minicloud.conductor.volume.copies import check_one_writer
from minicloud.conductor.volume.create_group_snapshot import CreateGroupSnapshot, Kept
from minicloud.conductor.volume.create_snapshot import CreateSnapshot
from minicloud.conductor.volume.delete_snapshot import DeleteSnapshot
from minicloud.conductor.volume.delete_volume import DeleteVolume
from minicloud.core.records import Transaction
from minicloud.core.volume import deletions, group_snapshots, group_types, groups, volume_requests, volumes
from minicloud.core.volume.group_snapshots import GroupSnapshot
from minicloud.core.volume.groups import Group
from minicloud.core.volume.volume_requests import VolumeRequest


def split(text: str | None) -> list[str]:
    """Ids of volumes that stand in a text with commas between them."""
    return list(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def copy_group(call: Call, tx: Transaction, source: Group, *, name: str | None, description: str | None) -> Group:
    """A group with copies of this one's volumes is promised. Raises Invalid: it is empty, or its copies could not be of one moment."""
    own = groups.members(tx, source.id)
    if not own:
        raise groups.refused("Source Group is empty. No group will be created.")
    if _consistent(tx, source.group_type_id) and any(one.attach_status == volumes.ATTACHED for one in own):
        raise groups.refused(
            f"Group {source.id} is in use, and its volumes cannot be copied as they are at one moment. Create the group from a "
            "snapshot of it."
        )
    made = groups.create_like(tx, call.context, source, name=name, description=description)
    _fill(call, tx, made, [VolumeRequest(source_volid=one.id, volume_type=one.volume_type_id) for one in own])
    return made


def restore_group(
    call: Call, tx: Transaction, kept: GroupSnapshot, *, name: str | None, description: str | None
) -> Group:
    """A group with what a group's snapshot kept is promised. Raises Invalid."""
    if kept.status != group_snapshots.AVAILABLE:
        raise groups.refused(f"Group snapshot {kept.id} is in status {kept.status}.")
    own = group_snapshots.members(tx, kept.id)
    if not own:
        raise groups.refused("Group snapshot is empty. No group will be created.")
    source = groups.get(tx, call.context, kept.group_id)
    words = {"name": name, "description": description}
    made = groups.create_like(tx, call.context, source, group_snapshot_id=kept.id, **words)
    _fill(call, tx, made, [VolumeRequest(snapshot_id=one.id, volume_type=one.volume_type_id) for one in own])
    return made


def _fill(call: Call, tx: Transaction, group: Group, wanted: list[VolumeRequest]) -> None:
    for request in wanted:
        request.group_id, request.zone = group.id, group.zone
        volume = volume_requests.ask(tx, call.context, request)
        call.begin(tx, create_volume.saga_for(tx, volume))


def delete_group(call: Call, tx: Transaction, group: Group, *, with_volumes: bool) -> None:
    """The group goes, with its volumes where that is said. Raises Invalid."""
    for volume in groups.take_for_deletion(tx, group, with_volumes=with_volumes):
        if deletions.take(tx, call.context, volume, grouped=True):
            call.begin(tx, DeleteVolume(volume_id=volume.id))


def keep_group(
    call: Call, tx: Transaction, group: Group, *, name: str | None, description: str | None
) -> GroupSnapshot:
    """A snapshot of every volume is promised; of one moment where the group's type says so.

    Raises:
        Invalid: the group is empty, a volume's status does not allow it, or several servers write to its volumes.
        OverQuota: of snapshots or gigabytes.
    """
    made, taken = group_snapshots.ask(tx, call.context, group, name=name, description=description)
    kept = []
    for snapshot in taken:
        host = volumes.existing(tx, snapshot.volume_id).host
        assert host is not None
        kept.append(Kept(snapshot_id=snapshot.id, volume_id=snapshot.volume_id, host=host))
    if _consistent(tx, group.group_type_id):
        try:
            check_one_writer(tx, [one.volume_id for one in kept])
        except Conflict as error:
            raise Invalid(f"Invalid volume: {error.message}", kind="InvalidVolume") from error
        call.begin(tx, CreateGroupSnapshot(group_snapshot_id=made.id, kept=kept))
        return made
    for one in kept:
        call.begin(tx, CreateSnapshot(snapshot_id=one.snapshot_id, volume_id=one.volume_id, host=one.host))
    return made


def _consistent(tx: Transaction, group_type_id: str) -> bool:
    found = group_types.find(tx, group_type_id)
    return found is not None and found.consistent


def drop_snapshot(call: Call, tx: Transaction, found: GroupSnapshot) -> None:
    """A group's snapshot goes, with the snapshots of its volumes. Raises Invalid."""
    for taken in group_snapshots.take_for_deletion(tx, found):
        volume = volumes.find(tx, taken.volume_id)
        call.begin(tx, DeleteSnapshot(snapshot_id=taken.id, host=None if volume is None else volume.host))
