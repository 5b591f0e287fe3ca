"""Messages to users: what became of work that was promised, when it came to nothing; in Cinder's words and codes."""

from datetime import datetime, timedelta
from typing import ClassVar

from minicloud.base.clock import stamp
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.records import Query
from minicloud.engines.database import Transaction

KEPT = timedelta(days=30)
"""How long a message can be read: Cinder's default ``message_ttl``."""

ACTIONS = {
    "001": "schedule allocate volume",
    "002": "attach volume",
    "003": "copy volume to image",
    "004": "update attachment",
    "005": "copy image to volume",
    "006": "unmanage volume",
    "007": "extend volume",
    "008": "create volume from backend storage",
    "009": "create snapshot",
    "010": "delete snapshot",
    "011": "update snapshot",
    "012": "update snapshot metadata",
    "013": "create backup",
    "014": "delete backup",
    "015": "restore backup",
    "016": "reimage volume",
}
"""What was to be done, by its code."""

DETAILS = {
    "001": "An unknown error occurred.",
    "002": "Driver is not initialized at present.",
    "003": "Could not find any available weighted backend.",
    "004": "Failed to upload volume to image at backend.",
    "005": "Volume's attach mode is invalid.",
    "006": "Not enough quota resource for operation.",
    "007": "Image used for creating volume exceeds available space.",
    "008": "Unmanaging encrypted volumes is not supported.",
    "009": "Compute service failed to extend volume.",
    "010": "Volume Driver failed to extend volume.",
    "011": "Image signature verification failed.",
    "012": "Driver failed to create the volume.",
    "013": "Snapshot failed to create.",
    "014": "Volume snapshot update metadata failed.",
    "015": "Snapshot is busy.",
    "016": "Snapshot failed to delete.",
    "017": "Backup status is invalid.",
    "018": "Backup service is down.",
    "019": "Failed to get backup device from the volume service.",
    "020": "Backup driver failed to create backup.",
    "021": "Failed to attach volume.",
    "022": "Failed to detach volume.",
    "023": "Cleanup of temporary volume/snapshot failed.",
    "024": "Backup failed to schedule. Service not found for creating backup.",
    "025": "Backup driver failed to delete backup.",
    "026": "Backup driver failed to restore backup.",
    "027": "Volume status is invalid.",
    "028": "Compute service failed to reimage volume.",
    "029": "The image disk format must be the same as the volume format for the volume type you are requesting.",
    "030": "Incremental backup not possible, forcing full backup.",
}
"""Why it came to nothing, by its code (cinder 29: message/message_field.py)."""

VOLUME, SNAPSHOT, BACKUP = "VOLUME", "VOLUME_SNAPSHOT", "VOLUME_BACKUP"


class Message(records.Record, kw_only=True):
    """A message to the users of a project about one resource."""

    TABLE = "volume_messages"
    MISSING: ClassVar[str] = "Message {id} could not be found."

    id: str
    project_id: str
    event_id: str
    action_id: str
    detail_id: str
    message_level: str = "ERROR"
    resource_type: str | None = None
    resource_uuid: str | None = None
    request_id: str | None = None
    created_at: str
    expires_at: str

    @property
    def text(self) -> str:
        """What users read."""
        return f"{ACTIONS[self.action_id]}:{DETAILS[self.detail_id]}"


def add(
    tx: Transaction,
    *,
    project_id: str,
    action: str,
    detail: str,
    resource_type: str,
    resource_id: str,
    request_id: str | None = None,
) -> Message:
    """Tell the users of a project; what is too old makes room."""
    tx.execute("DELETE FROM volume_messages WHERE expires_at < ?", [tx.now])
    message = Message(
        id=tx.ids.uuid(),
        project_id=project_id,
        event_id=f"VOLUME_{resource_type}_{action}_{detail}",
        action_id=action,
        detail_id=detail,
        resource_type=resource_type,
        resource_uuid=resource_id,
        request_id=request_id,
        created_at=tx.now,
        expires_at=stamp(datetime.fromisoformat(tx.now) + KEPT),
    )
    return records.insert(tx, message)


def get(tx: Transaction, context: Context, message_id: str) -> Message:
    """A message that exists for whoever asks. Raises NotFound."""
    found = find(tx, message_id)
    if found is None or not context.sees(found.project_id):
        raise Message.missing(message_id)
    return found


def find(tx: Transaction, message_id: str) -> Message | None:
    """A message, whoever asks."""
    return records.find(tx, Message, message_id)


def page(tx: Transaction, query: Query) -> list[Message]:
    """Messages that meet the query."""
    return records.page(tx, Message, query)


def delete(tx: Transaction, message: Message) -> None:
    """Nobody reads it any more."""
    records.remove(tx, message)
