"""The old way to attach volumes, in single actions: reserve, attach, begin to detach, detach; and back out of each."""

from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.volume import attachments, volumes
from minicloud.core.volume.attachments import VolumeAttachment
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction


def reserve(tx: Transaction, volume: Volume) -> None:
    """Nobody else may have it from now on. Raises Invalid."""
    expected = (volumes.AVAILABLE, volumes.IN_USE) if volume.multiattach else (volumes.AVAILABLE,)
    volumes.move(
        tx,
        volume,
        volumes.ATTACHING,
        expected,
        f"Volume status must be {' or '.join(expected)} to reserve, but the status is {volume.status}.",
    )


def unreserve(tx: Transaction, volume: Volume) -> None:
    """It is free again, or in use by whoever has it; content when it was not reserved."""
    if volume.status == volumes.ATTACHING:
        there = bool(attachments.of_volume(tx, volume.id))
        volumes.change(tx, volume, status=volumes.IN_USE if there else volumes.AVAILABLE)


def attach(
    tx: Transaction, volume: Volume, *, server_id: str | None, host: str | None, mountpoint: str, mode: str
) -> VolumeAttachment:
    """Somebody has it. Raises Invalid."""
    if volume.status == volumes.MAINTENANCE:
        raise volumes.refused("The volume cannot be attached in maintenance mode.")
    if volume.readonly and mode != "ro":
        raise Invalid(f"Invalid attaching mode '{mode}' for volume {volume.id}.")
    if "readonly" not in volume.admin_metadata:
        volume = volumes.change(tx, volume, admin_metadata={**volume.admin_metadata, "readonly": "False"})
    if volume.status == volumes.ATTACHING and volume.admin_metadata.get("attached_mode", mode) != mode:
        raise _error("attaching", "being attached by different mode")
    for known in attachments.of_volume(tx, volume.id):
        if (known.server_id, known.attached_host) == (server_id, None if server_id else host):
            volumes.change(tx, volume, status=volumes.IN_USE)
            return known
    if volume.status == volumes.IN_USE and not volume.multiattach:
        raise _error("attaching", "volume is already attached and multiple attachments are not enabled")
    made = VolumeAttachment(
        id=tx.ids.uuid(),
        volume_id=volume.id,
        project_id=volume.project_id,
        server_id=server_id,
        attached_host=host,
        mountpoint=mountpoint,
        attach_mode=mode,
        created_at=tx.now,
    )
    return attachments.complete(tx, records.insert(tx, made))


def begin_detaching(tx: Transaction, volume: Volume) -> None:
    """It is about to be let go. Raises Invalid."""
    ready = volume.status == volumes.IN_USE and volume.attach_status == volumes.ATTACHED
    if not ready or volume.migration_status not in volumes.NOT_MIGRATING:
        raise volumes.refused(
            "Unable to detach volume. Volume status must be 'in-use' and attach_status must be 'attached' to detach."
        )
    volumes.move(tx, volume, volumes.DETACHING, [volumes.IN_USE], "")


def roll_detaching(tx: Transaction, volume: Volume) -> None:
    """It is not let go after all; content when it was not about to be."""
    if volume.status == volumes.DETACHING:
        volumes.change(tx, volume, status=volumes.IN_USE)


def detach(tx: Transaction, volume: Volume, attachment_id: str | None) -> None:
    """Nobody has it any more, or the one who had it by this attachment. Raises Invalid when it is not clear whom that means."""
    if volume.status == volumes.MAINTENANCE:
        raise volumes.refused("The volume cannot be detached in maintenance mode.")
    attachment = which(tx, volume, attachment_id)
    if attachment is None:
        attachments.settle(tx, volume)
    else:
        attachments.release(tx, attachment)


def which(tx: Transaction, volume: Volume, attachment_id: str | None) -> VolumeAttachment | None:
    """The attachment that is meant: the one that was said, or the only one; None when there is none. Raises Invalid."""
    if attachment_id is not None:
        found = attachments.find(tx, attachment_id)
        if found is not None and found.volume_id != volume.id:
            raise Invalid("Invalid input received: Mismatched volume and attachment")
        return found
    own = attachments.of_volume(tx, volume.id)
    if len(own) > 1:
        raise _error("detaching", "Detach volume failed: More than one attachment, but no attachment_id provided.")
    return own[0] if own else None


def _error(doing: str, reason: str) -> Invalid:
    return Invalid(f"Error {doing} volume - InvalidVolume: Invalid volume: {reason}")
