"""Groups of volumes: their record, which volumes may be in one, and how they come and go together."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from minicloud.base import trace
from minicloud.base.errors import Invalid, OverQuota
from minicloud.core import quota, records
from minicloud.core.context import Context
from minicloud.core.records import Query
from minicloud.core.volume import backends, group_types, quotas, snapshots, types, volumes
from minicloud.core.volume.group_types import GroupType
from minicloud.core.volume.types import VolumeType
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

CREATING, AVAILABLE, ERROR, DELETING = "creating", "available", "error", "deleting"
STATUSES = (
    *("error", "available", "creating", "deleting", "deleted", "updating", "in-use", "error_deleting"),
    *("enabling", "disabling", "failing-over"),
)
_ADDABLE, _REMOVABLE = ("available", "in-use"), ("available", "in-use", "error", "error_deleting")


class Group(records.Record, kw_only=True):
    """A group. Its volumes are of the types that it names."""

    TABLE = "volume_groups"
    MISSING: ClassVar[str] = "Group {id} could not be found."

    id: str
    project_id: str
    user_id: str
    name: str | None = None
    description: str | None = None
    status: str = CREATING
    zone: str
    group_type_id: str
    volume_type_ids: list[str]
    group_snapshot_id: str | None = None
    source_group_id: str | None = None
    created_at: str
    updated_at: str | None = None


def find(tx: Transaction, group_id: str) -> Group | None:
    """A group, whoever asks."""
    return records.find(tx, Group, group_id)


def get(tx: Transaction, context: Context, group_id: str) -> Group:
    """A group that exists for whoever asks. Raises NotFound."""
    found = find(tx, group_id)
    if found is None or not context.sees(found.project_id):
        raise Group.missing(group_id)
    return found


def page(tx: Transaction, query: Query) -> list[Group]:
    """Groups that meet the query."""
    return records.page(tx, Group, query)


def members(tx: Transaction, group_id: str) -> list[Volume]:
    """The volumes of a group, oldest first."""
    return records.select(tx, Volume, "group_id = ? ORDER BY created_at, id", [group_id])


def host_of(tx: Transaction, group_id: str) -> str | None:
    """The backend of a group (``machine@backend#pool``), which is that of the volumes that it has; None when it has none."""
    return next((volume.host for volume in members(tx, group_id) if volume.host is not None), None)


def consistent_among(tx: Transaction, group_ids: Collection[str]) -> set[str]:
    """Which of these are consistency groups."""
    if not group_ids:
        return set()
    type_id = group_types.cgsnapshot_type_id(tx)
    return {group.id for group in records.select_in(tx, Group, "id", group_ids) if group.group_type_id == type_id}


def change(tx: Transaction, group: Group, **changes: Any) -> Group:
    """Write values down."""
    return records.change(tx, group, **{"updated_at": tx.now, **changes})


def refused(words: str) -> Invalid:
    """The error for a group that is not as it has to be."""
    return Invalid(f"Invalid Group: {words}", kind="InvalidGroup")


def create(
    tx: Transaction,
    context: Context,
    group_type: GroupType,
    volume_types: Sequence[VolumeType],
    *,
    name: str | None,
    description: str | None,
    zone: str | None,
) -> Group:
    """A group with nothing in it; it says ``error`` when its type promises what no backend can keep. Raises OverQuota."""
    chosen = zone or backends.DEFAULT_ZONE
    if chosen not in backends.zones(tx):
        raise Invalid(f"Invalid input received: Availability zone '{chosen}' is invalid.")
    return _insert(
        tx,
        context,
        name=name,
        description=description,
        status=AVAILABLE if group_type.possible else ERROR,
        zone=chosen,
        group_type_id=group_type.id,
        volume_type_ids=list(dict.fromkeys(kind.id for kind in volume_types)),
    )


def create_like(
    tx: Transaction,
    context: Context,
    source: Group,
    *,
    name: str | None,
    description: str | None,
    group_snapshot_id: str | None = None,
) -> Group:
    """A group that is to hold copies of another one's volumes, or of what its snapshot kept. Raises OverQuota."""
    return _insert(
        tx,
        context,
        name=name,
        description=description,
        zone=source.zone,
        group_type_id=source.group_type_id,
        volume_type_ids=source.volume_type_ids,
        group_snapshot_id=group_snapshot_id,
        source_group_id=source.id if group_snapshot_id is None else None,
    )


def _insert(tx: Transaction, context: Context, **values: Any) -> Group:
    project_id = context.require_project()
    try:
        quota.check(tx, quotas.SERVICE, project_id, {"groups": 1}, lambda: quotas.usage(tx, project_id))
    except OverQuota as error:
        allowed = error.detail["allowed"]["groups"]
        message = f"GroupLimitExceeded: Maximum number of groups allowed ({allowed}) exceeded"
        raise OverQuota(message, kind="OverQuota", **error.detail) from error
    made = Group(id=tx.ids.uuid(), project_id=project_id, user_id=context.user_id, created_at=tx.now, **values)
    trace.note("volume_group", id=made.id, status=made.status)
    return records.insert(tx, made)


def check_new_member(tx: Transaction, context: Context, group_id: str, wanted: VolumeType | None) -> None:
    """Whether a volume of this type may be made in the group. Raises NotFound or Invalid."""
    group = get(tx, context, group_id)
    if wanted is None:
        raise Invalid(
            "Invalid input received: volume_type must be provided when creating a volume in a group.", field="group_id"
        )
    if wanted.id not in group.volume_type_ids:
        raise Invalid(
            f"Invalid input received: Invalid volume_type provided: {wanted.name} (requested type must be supported by "
            "this group)."
        )
    if group.status not in (AVAILABLE, CREATING):
        raise refused(f"Group {group_id} is in status {group.status}.")


def update(
    tx: Transaction, group: Group, *, add: Sequence[str], remove: Sequence[str], changes: Mapping[str, str | None]
) -> Group:
    """Other words, and volumes that come and go; a group that gets other words alone is available, as upstream.

    Raises Invalid in Cinder's words; nothing is written then.
    """
    both = sorted(set(add) & set(remove))
    if both:
        raise volumes.refused(f"UUIDs {both} are in both add and remove volume list.")
    own = {volume.id: volume for volume in members(tx, group.id)}
    for volume_id in remove:
        if volume_id not in own:
            raise volumes.refused(
                f"Cannot remove volume {volume_id} from group {group.id} because it is not in the group."
            )
        if own[volume_id].status not in _REMOVABLE:
            raise volumes.refused(
                f"Cannot remove volume {volume_id} from group {group.id} because volume is in an invalid state: "
                f"{own[volume_id].status}. Valid states are: {_REMOVABLE}."
            )
    coming = [_addable(tx, group, volume_id) for volume_id in add if volume_id not in own]
    changes = {field: value for field, value in changes.items() if value != getattr(group, field)}
    if not changes and not coming and not remove:
        raise refused(
            f"Cannot update group {group.id} because no valid name, description, add_volumes, or remove_volumes were provided."
        )
    if (coming or remove) and group.status != AVAILABLE:
        raise refused("Group status must be available.")
    for volume_id in remove:
        volumes.change(tx, own[volume_id], group_id=None)
    for volume in coming:
        volumes.change(tx, volume, group_id=group.id)
    return change(tx, group, status=AVAILABLE, **changes)


def _addable(tx: Transaction, group: Group, volume_id: str) -> Volume:
    volume = volumes.find(tx, volume_id)
    to = f"Cannot add volume {volume_id} to group {group.id} because"
    if volume is None or volume.project_id != group.project_id:
        raise volumes.refused(f"{to} volume cannot be found.")
    if volume.group_id is not None:
        raise volumes.refused(f"{to} it is already in group {volume.group_id}.")
    if volume.volume_type_id not in group.volume_type_ids:
        raise volumes.refused(f"{to} volume type {volume.volume_type_id} is not supported by the group.")
    if volume.status not in _ADDABLE:
        raise volumes.refused(f"{to} volume is in an invalid state: {volume.status}. Valid states are: {_ADDABLE}.")
    if host_of(tx, group.id) not in (None, volume.host):
        raise volumes.refused("Volume is not local to this node.")
    return volume


def take_for_deletion(tx: Transaction, group: Group, *, with_volumes: bool) -> list[Volume]:
    """The group is about to go; what is returned are the volumes that go with it. An empty one is gone at once.

    Raises:
        Invalid: it has volumes and ``with_volumes`` is False, its status does not allow it, or a volume's does not.
    """
    if group.status in (CREATING, DELETING) if with_volumes else group.status not in (AVAILABLE, ERROR):
        raise refused(f"Group status must be available or error, but current status is: {group.status}")
    if tx.one("SELECT 1 FROM volume_group_snapshots WHERE group_id = ? LIMIT 1", [group.id]) is not None:
        raise refused("Group has existing snapshots.")
    own = members(tx, group.id)
    if own and not with_volumes:
        raise refused(f"Group {group.id} still contains volumes. The delete-volumes flag is required to delete it.")
    for volume in own:
        if volume.attach_status == volumes.ATTACHED:
            raise refused(f"Volume in group {group.id} is attached. Need to detach first.")
        if snapshots.of_volume(tx, volume.id):
            raise refused("Volume in group still has dependent snapshots.")
    if own:
        change(tx, group, status=DELETING)
    else:
        records.remove(tx, group)
    return own


def types_named(tx: Transaction, context: Context, names: Sequence[str]) -> list[VolumeType]:
    """The volume types of a group that is asked for. Raises NotFound."""
    return [types.get(tx, context, name) for name in names]
