"""What users are told of work on their volumes that came to nothing, by Cinder's codes of actions and reasons."""

from minicloud.base import trace
from minicloud.conductor.step import Saga
from minicloud.core.volume import messages
from minicloud.engines.database import Transaction

ALLOCATE, UPLOAD, COPY_IMAGE, EXTEND, CREATE = "001", "003", "005", "007", "008"
SNAPSHOT, DELETE_SNAPSHOT = "009", "010"
BACK_UP, RESTORE, REIMAGE = "013", "015", "016"
_UNKNOWN, _NO_BACKEND, _NO_ROOM_FOR_IMAGE = "001", "003", "007"
_USUAL = {
    UPLOAD: "004",
    EXTEND: "010",
    CREATE: "012",
    SNAPSHOT: "013",
    DELETE_SNAPSHOT: "016",
    BACK_UP: "020",
    RESTORE: "026",
    REIMAGE: "028",
}


def tell(tx: Transaction, saga: Saga, project_id: str, kind: str, resource_id: str, action: str) -> None:
    """Leave a message; the failure itself stands in the trace, where administrators find it."""
    failed = saga.failed
    detail = _USUAL.get(action, _UNKNOWN)
    if failed is not None and failed.meaning == "no_valid_host":
        detail = _NO_BACKEND
    elif action in (COPY_IMAGE, REIMAGE) and failed is not None and "the disk is full" in failed.message:
        detail = _NO_ROOM_FOR_IMAGE
    messages.add(
        tx,
        project_id=project_id,
        action=action,
        detail=detail,
        resource_type=kind,
        resource_id=resource_id,
        request_id=trace.request_id() or None,
    )
    trace.note("user_message", resource=resource_id, action=messages.ACTIONS[action], detail=messages.DETAILS[detail])
