"""Attachments: who has a volume, from the reservation to the connection; their record."""

from collections.abc import Iterable
from typing import Any, ClassVar

from minicloud.core import records
from minicloud.engines.database import Transaction

RESERVED, ATTACHING, ATTACHED, DETACHED = "reserved", "attaching", "attached", "detached"


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
