"""Statuses that administrators write down: checked, and with attachments forgotten where a volume is said to be detached."""

from typing import Any

from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.core.volume import attachments, snapshots, volumes
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

ATTACH_STATUSES = (volumes.ATTACHED, volumes.DETACHED)
MIGRATION_STATUSES = ("migrating", "error", "success", "completing", "none", "starting")


def check_volume(status: str | None, attach_status: str | None, migration_status: str | None) -> None:
    """Whether there are such statuses. Raises Invalid."""
    if not (status or attach_status or migration_status):
        raise Invalid("Must specify 'status', 'attach_status' or 'migration_status' for update.")
    for what, given, known in (
        ("Volume status", status, volumes.STATUSES),
        ("Volume attach status", attach_status, ATTACH_STATUSES),
        ("Volume migration status", migration_status, MIGRATION_STATUSES),
    ):
        if given and given.lower() not in known:
            raise Invalid(f"{what}: {given} is invalid, valid statuses are: {known}.")


def reset_volume(
    tx: Transaction, volume: Volume, status: str | None, attach_status: str | None, migration_status: str | None
) -> None:
    """Write the statuses down. Raises Invalid for one that only the cloud itself can bring about."""
    changes: dict[str, Any] = {}
    if status:
        changes["status"] = status.lower()
    if attach_status:
        changes["attach_status"] = attach_status.lower()
    if migration_status:
        changes["migration_status"] = None if migration_status.lower() == "none" else migration_status.lower()
    # Cinder's own list of three forgets a comma between the second and the third.
    if changes.get("status") in (volumes.DELETING, f"{volumes.ERROR_DELETING}{volumes.DETACHING}"):
        raise Invalid(f"Cannot reset-state to {changes['status']}")
    if changes.get("status") == volumes.IN_USE and not attachments.of_volume(tx, volume.id):
        raise Invalid("Cannot reset-state to in-use because volume does not have any attachments.")
    if changes.get("attach_status") == volumes.DETACHED:
        attachments.forget_all(tx, volume.id)
        changes["admin_metadata"] = {k: v for k, v in volume.admin_metadata.items() if k != "attached_mode"}
    trace.note("volume_status", volume=volume.id, was=volume.status, now=changes.get("status", volume.status))
    volumes.change(tx, volume, **changes)


def reset_snapshot(tx: Transaction, snapshot: VolumeSnapshot, status: str) -> None:
    """Write the status down. Raises Invalid when there is no such status."""
    if status.lower() not in snapshots.STATUSES:
        raise Invalid(f"Snapshot status: {status} is invalid, valid statuses are: {snapshots.STATUSES}.")
    snapshots.move(tx, snapshot, status.lower())
