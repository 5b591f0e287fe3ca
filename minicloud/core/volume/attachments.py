"""Attachments: who has a volume, from the reservation to the connection, and what that makes of the volume's status.

A volume is reserved for somebody, connected (they say where they are and are told how they reach it), and in use once they
have it. Several may have a volume at once only if its type says so.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.volume import qos_specs, volumes
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

RESERVED, ATTACHING, ATTACHED, DETACHED = "reserved", "attaching", "attached", "detached"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a volume's file lies for whoever opens it."""

    path: str
    format: str


class VolumeAttachment(records.Record, kw_only=True):
    """A volume in somebody's hands. ``connector`` says where they are, ``connection_info`` how they reach the volume."""

    TABLE = "volume_attachments"

    id: str
    volume_id: str
    project_id: str
    server_id: str | None = None
    attached_host: str | None = None
    mountpoint: str | None = None
    attach_mode: str | None = None
    attach_status: str = RESERVED
    connector: dict[str, Any] | None = None
    connection_info: dict[str, Any] | None = None
    attached_at: str | None = None
    created_at: str
    updated_at: str | None = None
    generation: int = 0

    MISSING: ClassVar[str] = "Volume attachment could not be found with filter: attachment_id = {id}."


def get(tx: Transaction, context: Context, attachment_id: str) -> VolumeAttachment:
    """An attachment that exists for whoever asks. Raises NotFound."""
    found = records.find(tx, VolumeAttachment, attachment_id)
    if found is None or not context.sees(found.project_id):
        raise VolumeAttachment.missing(attachment_id)
    return found


def find(tx: Transaction, attachment_id: str) -> VolumeAttachment | None:
    """An attachment, whoever asks; for work that goes on by itself."""
    return records.find(tx, VolumeAttachment, attachment_id)


def of_volumes(tx: Transaction, volume_ids: Iterable[str]) -> dict[str, list[VolumeAttachment]]:
    """The attachments of each volume, oldest first."""
    found: dict[str, list[VolumeAttachment]] = {}
    for attachment in sorted(
        records.select_in(tx, VolumeAttachment, "volume_id", set(volume_ids)), key=lambda a: (a.created_at, a.id)
    ):
        found.setdefault(attachment.volume_id, []).append(attachment)
    return found


def of_volume(tx: Transaction, volume_id: str) -> list[VolumeAttachment]:
    """A volume's attachments, oldest first."""
    return records.select(tx, VolumeAttachment, "volume_id = ? ORDER BY created_at, id", [volume_id])


def forget_all(tx: Transaction, volume_id: str) -> None:
    """Nobody has the volume any more, whatever a host does with it."""
    tx.execute("DELETE FROM volume_attachments WHERE volume_id = ?", [volume_id])


def of_server(tx: Transaction, server_id: str, volume_id: str) -> VolumeAttachment | None:
    """How a server has a volume."""
    found = records.select(tx, VolumeAttachment, "server_id = ? AND volume_id = ?", [server_id, volume_id])
    return found[0] if found else None


def reserve(tx: Transaction, volume: Volume, server_id: str | None, *, mode: str | None = None) -> VolumeAttachment:
    """Keep a volume for somebody.

    Raises:
        Invalid: somebody else has it, or its status does not allow it.
    """
    if "error" in volume.status:
        raise volumes.refused(
            "Volume attachments can not be created if the volume is in an error state. "
            f"The Volume {volume.id} currently has a status of: {volume.status} "
        )
    allowed = [volumes.AVAILABLE, *([volumes.IN_USE] if volume.multiattach else []), volumes.DOWNLOADING]
    if volume.status in allowed:
        volume = volumes.move(tx, volume, volumes.RESERVED, allowed, "")
    elif volume.status not in (volumes.IN_USE, volumes.RESERVED) or not any(
        server_id is not None and other.server_id == server_id for other in of_volume(tx, volume.id)
    ):
        # The same server may reserve it again: it is about to move to another host.
        raise volumes.refused(
            f"Volume {volume.id} status must be {' or '.join(allowed)} to reserve, but the current status is "
            f"{volume.status}."
        )
    attachment = VolumeAttachment(
        id=tx.ids.uuid(),
        volume_id=volume.id,
        project_id=volume.project_id,
        server_id=server_id,
        attach_mode="ro" if volume.readonly else mode,
        created_at=tx.now,
    )
    trace.note("volume_reserved", volume=volume.id, server=server_id)
    return records.insert(tx, attachment)


def connect(tx: Transaction, attachment: VolumeAttachment, connector: dict[str, Any], place: Place) -> VolumeAttachment:
    """They have said where they are, and are told how they reach the volume.

    Raises Conflict when the volume is in error, or somebody else is connected to one that only one may have.
    """
    volume = volumes.existing(tx, attachment.volume_id)
    if "error" in volume.status:
        raise Conflict(
            "Resource conflict: Volume attachments can not be updated if the volume is in an error state. "
            f"The Volume {volume.id} currently has a status of: {volume.status} "
        )
    others = [other for other in of_volume(tx, volume.id) if other.id != attachment.id and other.connection_info]
    if others and not volume.multiattach and any(o.server_id != attachment.server_id for o in others):
        raise Conflict(f"Resource conflict: duplicate connectors detected on volume {volume.id}")
    mode = str(connector.get("mode") or attachment.attach_mode or "rw")
    if volume.readonly and mode != "ro":
        mode = "ro"
    # A volume that others have stays in use: only one that was reserved is being attached.
    if volume.status == volumes.RESERVED:
        volumes.change(tx, volume, status=volumes.ATTACHING, attach_status=ATTACHING)
    host = connector.get("host")
    mountpoint = connector.get("mountpoint")
    return records.change(
        tx,
        attachment,
        connector=connector,
        connection_info=connection_info(volume, place, mode, attachment.id, qos_specs.of_guest(tx, volume)),
        attached_host=None if host is None else str(host),
        mountpoint="na" if mountpoint is None else str(mountpoint),
        attach_mode=mode,
        attach_status=ATTACHING,
        attached_at=tx.now,
        updated_at=tx.now,
    )


def connection_info(
    volume: Volume, place: Place, mode: str, attachment_id: str | None, limits: dict[str, str] | None = None
) -> dict[str, Any]:
    """How somebody on a host of this cloud reaches a volume: by the file that it is, held to these ``limits``."""
    info: dict[str, Any] = {
        "driver_volume_type": "local",
        "data": {
            "device_path": place.path,
            "format": place.format,
            "volume_id": volume.id,
            "access_mode": mode,
            "discard": True,
            "encrypted": volume.encryption_key_id is not None,
            "cacheable": False,
            "shared": volume.multiattach and place.format == "raw",
            "qos_specs": limits,
        },
    }
    return info if attachment_id is None else {**info, "attachment_id": attachment_id}


def complete(
    tx: Transaction, attachment: VolumeAttachment, *, mountpoint: str | None = None, host: str | None = None
) -> VolumeAttachment:
    """They have the volume."""
    volume = volumes.existing(tx, attachment.volume_id)
    volumes.change(
        tx,
        volume,
        status=volumes.IN_USE,
        attach_status=ATTACHED,
        admin_metadata={**volume.admin_metadata, "attached_mode": attachment.attach_mode or "rw"},
    )
    trace.note("volume_attached", volume=volume.id, server=attachment.server_id)
    return records.change(
        tx,
        attachment,
        attach_status=ATTACHED,
        mountpoint=mountpoint or attachment.mountpoint,
        attached_host=host or attachment.attached_host,
        attached_at=attachment.attached_at or tx.now,
        updated_at=tx.now,
    )


def follow(tx: Transaction, server_id: str, host: str | None) -> None:
    """A server that has volumes is on another host from now on, or on none: so are those who have them."""
    for attachment in records.select(tx, VolumeAttachment, "server_id = ?", [server_id]):
        connector = attachment.connector
        if connector is not None and host is not None:
            connector = {**connector, "host": host}
        records.change(tx, attachment, attached_host=host, connector=connector, updated_at=tx.now)


def release(tx: Transaction, attachment: VolumeAttachment) -> None:
    """They do not have the volume any more; it is what the others who have it make of it."""
    records.remove(tx, attachment)
    volume = volumes.find(tx, attachment.volume_id)
    if volume is None:
        return
    settle(tx, volume)
    trace.note("volume_detached", volume=volume.id, server=attachment.server_id)


def settle(tx: Transaction, volume: Volume) -> Volume:
    """The volume's status as its attachments make it, unless something else is being done to it."""
    statuses = {other.attach_status for other in of_volume(tx, volume.id)}
    for attach_status, status in (
        (ATTACHED, volumes.IN_USE),
        (ATTACHING, volumes.ATTACHING),
        (RESERVED, volumes.RESERVED),
    ):
        if attach_status in statuses:
            return volumes.change(tx, volume, status=_or_kept(volume, status), attach_status=attach_status)
    return volumes.change(
        tx,
        volume,
        status=_or_kept(volume, volumes.AVAILABLE),
        attach_status=DETACHED,
        admin_metadata={key: value for key, value in volume.admin_metadata.items() if key != "attached_mode"},
    )


def _or_kept(volume: Volume, status: str) -> str:
    """What is being done to the volume shows rather than who has it."""
    busy = (volumes.UPLOADING, volumes.EXTENDING, volumes.DELETING, "backing-up", volumes.RETYPING)
    return volume.status if volume.status in busy else status
