"""What was done to servers: an action for each request, and the events of its work, as ``os-instance-actions`` shows them."""

from typing import ClassVar, Literal

import msgspec

from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.records import Condition, Query
from minicloud.engines.database import Transaction


class InstanceAction(records.Record, kw_only=True):
    """Somebody asked for this."""

    TABLE = "instance_actions"
    MISSING: ClassVar[str] = "Action {id} not found"

    id: int
    server_id: str
    request_id: str
    action: str
    user_id: str
    project_id: str
    started_at: str
    updated_at: str
    finished_at: str | None = None
    message: str | None = None


class ActionEvent(records.Record, kw_only=True):
    """A part of the work that an action took."""

    TABLE = "instance_action_events"

    id: int
    action_id: int
    event: str
    host: str | None = None
    started_at: str
    finished_at: str | None = None
    result: Literal["Success", "Error"] | None = None
    details: str | None = None
    traceback: str | None = None


def begin(tx: Transaction, context: Context, server_id: str, action: str) -> InstanceAction:
    """Note that an action was asked for."""
    row = tx.one(
        "INSERT INTO instance_actions (server_id, request_id, action, user_id, project_id, started_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        [server_id, context.request_id, action, context.user_id, context.project_id or "", tx.now, tx.now],
    )
    assert row is not None
    return InstanceAction(
        id=row[0],
        server_id=server_id,
        request_id=context.request_id,
        action=action,
        user_id=context.user_id,
        project_id=context.project_id or "",
        started_at=tx.now,
        updated_at=tx.now,
    )


def begin_event(tx: Transaction, action_id: int, event: str, host: str | None) -> None:
    """Note that work on an action begins."""
    tx.execute(
        "INSERT INTO instance_action_events (action_id, event, host, started_at) VALUES (?, ?, ?, ?)",
        [action_id, event, host, tx.now],
    )


def next_event(tx: Transaction, action_id: int, event: str, host: str | None) -> None:
    """Note that the part of the work that is under way has ended well, and that the next one begins."""
    tx.execute(
        "UPDATE instance_action_events SET finished_at = ?, result = 'Success' WHERE action_id = ? AND finished_at IS NULL",
        [tx.now, action_id],
    )
    begin_event(tx, action_id, event, host)


def finish(tx: Transaction, action_id: int, *, host: str | None, error: str | None = None) -> None:
    """Note how the work ended, on the action and on its open events."""
    result = "Success" if error is None else "Error"
    tx.execute(
        "UPDATE instance_action_events SET finished_at = ?, result = ?, host = COALESCE(?, host), details = ? "
        "WHERE action_id = ? AND finished_at IS NULL",
        [tx.now, result, host, error, action_id],
    )
    tx.execute(
        "UPDATE instance_actions SET finished_at = ?, updated_at = ?, message = ? WHERE id = ?",
        [tx.now, tx.now, None if error is None else "Error", action_id],
    )


def of_server(tx: Transaction, server_id: str) -> list[InstanceAction]:
    """A server's actions, newest first."""
    return records.select(tx, InstanceAction, "server_id = ? ORDER BY started_at DESC, id DESC", [server_id])


def page(tx: Transaction, server_id: str, query: Query) -> list[InstanceAction]:
    """A page of a server's actions; the marker is a request's id. Raises Invalid when there was no such request."""
    marker = None
    if query.marker is not None:
        marker = tx.one(
            "SELECT id FROM instance_actions WHERE server_id = ? AND request_id = ?", [server_id, query.marker]
        )
        if marker is None:
            raise Invalid(f"Marker {query.marker} could not be found.", kind="marker")
    where = [Condition("server_id", "=", server_id), *query.where]
    wanted = msgspec.structs.replace(query, where=where, marker=None if marker is None else str(marker[0]))
    return records.page(tx, InstanceAction, wanted)


def by_request(tx: Transaction, server_id: str, request_id: str) -> InstanceAction:
    """The action of one request. Raises NotFound."""
    found = records.select(tx, InstanceAction, "server_id = ? AND request_id = ?", [server_id, request_id])
    if not found:
        raise InstanceAction.missing(request_id)
    return found[0]


def events(tx: Transaction, action_id: int) -> list[ActionEvent]:
    """The events of an action, newest first."""
    return records.select(tx, ActionEvent, "action_id = ? ORDER BY id DESC", [action_id])
