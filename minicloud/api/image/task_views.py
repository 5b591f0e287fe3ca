"""How tasks are shown: whole, in listings, and beside their image; and the schemas that say so."""

from typing import Any

from minicloud.core.image import tasks
from minicloud.core.image.tasks import Task

_TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "id": {
        "description": "The task's id.",
        "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$",
        **_TEXT,
    },
    "type": {"description": "What is done.", "enum": list(tasks.TYPES), **_TEXT},
    "status": {"description": "How far it has come.", "enum": list(tasks.STATUSES), **_TEXT},
    "input": {"description": "What was asked.", "type": ["null", "object"]},
    "result": {"description": "What came of it.", "type": ["null", "object"]},
    "owner": {"description": "The project that asked.", **_TEXT},
    "message": {"description": "Why it failed.", **_TEXT},
    "image_id": {"description": "The image that it is about.", **_TEXT},
    "request_id": {"description": "The request that began it.", **_TEXT},
    "user_id": {"description": "Who asked.", **_TEXT},
    "expires_at": {"description": "When it is forgotten.", "type": ["null", "string"]},
    "created_at": {"description": "When it was asked.", **_TEXT},
    "updated_at": {"description": "When something about it changed last.", **_TEXT},
    "self": {"readOnly": True, **_TEXT},
    "schema": {"readOnly": True, **_TEXT},
}
"""Every field of a task."""

LONG_FIELDS = ("input", "result", "message")
"""What listings leave out."""


def stub(task: Task) -> dict[str, Any]:
    """A task in a listing."""
    shown: dict[str, Any] = {
        "id": task.id,
        "type": task.type,
        "status": task.status,
        "owner": task.owner,
        "created_at": f"{task.created_at[:19]}Z",
        "updated_at": f"{task.updated_at[:19]}Z",
        "self": f"/v2/tasks/{task.id}",
        "schema": "/v2/schemas/task",
    }
    return shown if task.expires_at is None else {**shown, "expires_at": f"{task.expires_at[:19]}Z"}


def view(task: Task) -> dict[str, Any]:
    """A task by itself."""
    shown = stub(task) | {"input": task.input, "message": task.message, "result": task.result}
    known = {"image_id": task.image_id, "request_id": task.request_id, "user_id": task.user_id}
    return shown | {name: value for name, value in known.items() if value}


def of_image_view(task: Task) -> dict[str, Any]:
    """A task beside its image: its record as it is, as upstream shows it there."""
    return {
        "id": task.id,
        "type": task.type,
        "status": task.status,
        "owner": task.owner,
        "expires_at": None if task.expires_at is None else task.expires_at[:26],
        "created_at": task.created_at[:26],
        "updated_at": task.updated_at[:26],
        "deleted_at": None,
        "deleted": False,
        "input": task.input,
        "result": task.result,
        "message": task.message,
        "image_id": task.image_id,
        "request_id": task.request_id,
        "user_id": task.user_id,
    }
