"""Tasks: work on images that goes on after its request was answered, as clients follow it. A saga does the work."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from minicloud.base.clock import stamp
from minicloud.base.errors import NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.image.images import Image
from minicloud.core.records import AnyOf, Condition, Query
from minicloud.engines.database import Transaction

TYPES = ("import", "api_image_import", "location_import")
STATUSES = ("pending", "processing", "success", "failure")
SORT_KEYS = ("type", "status", "owner", "created_at", "updated_at", "expires_at", "id")
KEPT = timedelta(hours=48)
"""How long a task that has ended can be looked at: upstream's default ``task_time_to_live``."""


class Task(records.Record, kw_only=True):
    """A task. ``input`` is what was asked, ``result`` what came of it, ``message`` why it failed."""

    TABLE = "image_tasks"
    MISSING: ClassVar[str] = "No task found with ID {id}"

    id: str
    type: str
    status: str = "pending"
    owner: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    image_id: str | None = None
    input: dict[str, Any]
    result: dict[str, Any] | None = None
    message: str = ""
    expires_at: str | None = None
    created_at: str
    updated_at: str


def create(tx: Transaction, context: Context, *, type: str, input: dict[str, Any], image_id: str | None) -> Task:
    """A task that is about to begin; those that expired make room."""
    tx.execute("DELETE FROM image_tasks WHERE expires_at < ?", [tx.now])
    made = Task(
        id=tx.ids.uuid(),
        type=type,
        owner=context.project_id,
        user_id=context.user_id,
        request_id=context.request_id,
        image_id=image_id,
        input=input,
        created_at=tx.now,
        updated_at=tx.now,
    )
    return records.insert(tx, made)


def get(tx: Transaction, context: Context, task_id: str) -> Task:
    """A task that exists for whoever asks. Raises NotFound."""
    found = records.find(tx, Task, task_id)
    if found is None or _expired(tx, found) or not context.sees(found.owner):
        raise NotFound(f"Task not found with ID {task_id}" if found is None else Task.missing(task_id).message)
    return found


def page(tx: Transaction, context: Context, query: Query) -> list[Task]:
    """One page of the tasks that exist for whoever asks. Raises Invalid for a marker or sort key that is none."""
    where: list[Condition | AnyOf] = [
        *query.where,
        AnyOf([Condition("expires_at", "is null"), Condition("expires_at", ">=", tx.now)]),
    ]
    if not context.is_admin:
        where.append(Condition("owner", "=", context.project_id))
    return records.page(tx, Task, Query(where=where, sort=query.sort, limit=query.limit, marker=query.marker))


def of_image(tx: Transaction, image: Image) -> list[Task]:
    """The tasks about an image, the newest first."""
    found = records.select(tx, Task, "image_id = ? ORDER BY created_at DESC, id", [image.id])
    return [task for task in found if not _expired(tx, task)]


def begin(tx: Transaction, task_id: str) -> None:
    """The work has begun. Content where the task is gone."""
    _move(tx, task_id, "processing")


def succeed(tx: Transaction, task_id: str, result: dict[str, Any]) -> None:
    """The work is done."""
    _move(tx, task_id, "success", result=result)


def fail(tx: Transaction, task_id: str, why: str) -> None:
    """The work came to nothing."""
    _move(tx, task_id, "failure", message=why)


def _move(tx: Transaction, task_id: str, status: str, **values: Any) -> None:
    task = records.find(tx, Task, task_id)
    if task is None:
        return
    if status != "processing":
        values["expires_at"] = stamp(datetime.fromisoformat(tx.now) + KEPT)
    records.change(tx, task, status=status, **values, updated_at=tx.now)


def _expired(tx: Transaction, task: Task) -> bool:
    return task.expires_at is not None and task.expires_at < tx.now
