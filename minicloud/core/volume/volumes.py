"""Volumes: their record, who sees them, and how their status moves. Sizes in GiB.

A status is a swap: ``move`` succeeds only from the statuses that it names and on the record that was read, so whoever
comes second is told what the status is now.
"""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.volume import membership
from minicloud.engines.database import Transaction

CREATING, DOWNLOADING, AVAILABLE, ERROR = "creating", "downloading", "available", "error"
IN_USE, RESERVED, ATTACHING, DETACHING = "in-use", "reserved", "attaching", "detaching"
DELETING, ERROR_DELETING = "deleting", "error_deleting"
EXTENDING, ERROR_EXTENDING = "extending", "error_extending"
UPLOADING, REVERTING, RETYPING, MAINTENANCE = "uploading", "reverting", "retyping", "maintenance"
STATUSES = (
    "creating", "available", "deleting", "error", "error_deleting", "error_managing", "managing", "attaching", "in-use",
    "detaching", "maintenance", "restoring-backup", "error_restoring", "reserved", "awaiting-transfer", "backing-up",
    "error_backing-up", "error_extending", "downloading", "uploading", "retyping", "extending",
)  # fmt: skip
DETACHED, ATTACHED = "detached", "attached"
NOT_MIGRATING = (None, "deleting", "error", "success")
_MIGRATION_ENDS = "error"
VISIBLE_ADMIN_METADATA = ("readonly", "attached_mode")


class Volume(records.Record, kw_only=True):
    """A volume. ``zone`` and ``host`` say where it is; ``growing_gb`` what is being added to its size right now.

    ``admin_metadata`` is the cloud's own; ``image_metadata`` what it took over from the image that it was made of.
    """

    TABLE = "volumes"
    MISSING: ClassVar[str] = "Volume {id} could not be found."

    id: str
    project_id: str
    user_id: str
    name: str | None = None
    description: str | None = None
    size: int
    growing_gb: int = 0
    status: str = CREATING
    previous_status: str | None = None
    attach_status: str = DETACHED
    migration_status: str | None = None
    replication_status: str | None = None
    zone: str | None = None
    host: str | None = None
    volume_type_id: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    backup_id: str | None = None
    group_id: str | None = None
    bootable: bool = False
    multiattach: bool = False
    metadata: dict[str, str] = {}
    admin_metadata: dict[str, str] = {}
    image_metadata: dict[str, str] = {}
    scheduler_hints: dict[str, Any] = {}
    encryption_key_id: str | None = None
    provider_id: str | None = None
    use_quota: bool = True
    created_at: str
    updated_at: str | None = None
    launched_at: str | None = None
    generation: int = 0

    @property
    def readonly(self) -> bool:
        """Whether nobody may write to it."""
        return self.admin_metadata.get("readonly") == "True"


def get(tx: Transaction, context: Context, volume_id: str) -> Volume:
    """A volume that exists for whoever asks. Raises NotFound."""
    volume = records.find(tx, Volume, volume_id)
    if volume is None or not context.sees(volume.project_id):
        raise Volume.missing(volume_id)
    return volume


def find(tx: Transaction, volume_id: str) -> Volume | None:
    """A volume, whoever asks; for work that goes on by itself."""
    return records.find(tx, Volume, volume_id)


def existing(tx: Transaction, volume_id: str) -> Volume:
    """A volume, whoever asks. Raises NotFound."""
    return records.get(tx, Volume, volume_id)


def find_many(tx: Transaction, volume_ids: Iterable[str]) -> dict[str, Volume]:
    """The volumes with these ids, whoever asks."""
    return {volume.id: volume for volume in records.select_in(tx, Volume, "id", set(volume_ids))}


def change(tx: Transaction, volume: Volume, **changes: Any) -> Volume:
    """Swap values in. Raises Conflict (kind ``stale``) when somebody else moved it meanwhile."""
    changed = records.change(tx, volume, **{"updated_at": tx.now, **changes})
    if changed.group_id is not None:
        membership.volume_moved(tx, changed.group_id)
    return changed


def move(tx: Transaction, volume: Volume, status: str, expected: Collection[str], words: str, **changes: Any) -> Volume:
    """The volume takes another status, if it has one of those expected; it remembers the one it had.

    Raises:
        Invalid: it has another status; ``words`` say so, after ``Invalid volume:``.
    """
    if volume.status not in expected:
        raise refused(words)
    if volume.migration_status not in NOT_MIGRATING:
        if volume.attach_status == ATTACHED:
            raise refused(f"Volume {volume.id} is being migrated while a server has it.")
        # Who takes a volume that was not locked ends its migration, which finds that out before anything is settled.
        changes.setdefault("migration_status", _MIGRATION_ENDS)
    trace.note("volume_status", volume=volume.id, was=volume.status, now=status)
    return change(tx, volume, status=status, previous_status=volume.status, **changes)


def settle(tx: Transaction, volume_id: str, claimed: Collection[str], **changes: Any) -> Volume | None:
    """Work on a volume has ended: what it changed is written, unless the volume was taken for something else meanwhile."""
    volume = find(tx, volume_id)
    if volume is None or volume.status not in claimed:
        return volume
    trace.note("volume_status", volume=volume.id, was=volume.status, now=changes.get("status", volume.status))
    return change(tx, volume, **changes)


def refused(words: str) -> Invalid:
    """The error for a volume that is not as it has to be."""
    return Invalid(f"Invalid volume: {words}", kind="InvalidVolume")


def forget(tx: Transaction, volume: Volume) -> None:
    """Nothing is left of the volume."""
    tx.execute("DELETE FROM volume_attachments WHERE volume_id = ?", [volume.id])
    records.remove(tx, volume)
    if volume.group_id is not None:
        membership.volume_moved(tx, volume.group_id)
    trace.note("volume_deleted", volume=volume.id)


def update(tx: Transaction, volume: Volume, **changes: Any) -> Volume:
    """Change what its owner may change. Raises Invalid during maintenance."""
    if volume.status == MAINTENANCE:
        raise refused("The volume cannot be updated during maintenance.")
    return change(tx, volume, **changes)


def set_metadata(tx: Transaction, volume: Volume, metadata: dict[str, str]) -> Volume:
    """All of its metadata. Raises Invalid while it is uploaded or in maintenance."""
    if volume.status in (MAINTENANCE, UPLOADING):
        raise refused(f"Updating volume metadata is not allowed for volumes in {volume.status} status.")
    return change(tx, volume, metadata=metadata)


def shown_metadata(volume: Volume) -> dict[str, str]:
    """Its metadata as its owner reads it: with what the cloud says of it."""
    told = {key: volume.admin_metadata[key] for key in VISIBLE_ADMIN_METADATA if key in volume.admin_metadata}
    return {**volume.metadata, **told}
