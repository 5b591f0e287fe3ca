"""What is written of a saga: its row and its log. The log alone decides what to do after a crash."""

from typing import Literal

import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, ErrorFacts, to_facts
from minicloud.conductor.step import Saga, shape
from minicloud.core import records
from minicloud.engines.database import Transaction

State = Literal["running", "retrying", "unwinding", "finished", "rolled_back", "stuck"]
Event = Literal["started", "done", "failed", "undone", "undo_failed"]
ENDED = ("finished", "rolled_back")


class SagaRow(records.Record, kw_only=True):
    """A saga as it is stored: ``body`` is its struct, ``shape`` the names of its steps when it began."""

    TABLE = "sagas"
    MISSING = "Saga {id} could not be found."

    id: str
    kind: str
    resource: str
    request_id: str
    state: State
    attempt: int
    shape: list[str]
    body: str
    error: ErrorFacts | None = None
    created_at: str
    updated_at: str


class LogLine(records.Record, kw_only=True):
    """One event of one step."""

    TABLE = "saga_log"
    KEY = ("saga_id", "seq")

    saga_id: str
    seq: int
    step: str
    attempt: int
    event: Event
    at: str
    error: str | None = None


class Progress(msgspec.Struct):
    """A saga's row together with the newest event of each (step, attempt)."""

    row: SagaRow
    newest: dict[tuple[str, int], Event]
    seq: int


def begin(tx: Transaction, saga: Saga) -> SagaRow:
    """Write a new saga down; it is promised from this commit on."""
    row = SagaRow(
        id=tx.ids.uuid(),
        kind=type(saga).__name__,
        resource=saga.about,
        request_id=trace.request_id(),
        state="running",
        attempt=1,
        shape=shape(type(saga)),
        body=msgspec.json.encode(saga).decode(),
        created_at=tx.now,
        updated_at=tx.now,
    )
    return records.insert(tx, row)


def progress(tx: Transaction, saga_id: str) -> Progress:
    """Where a saga stands."""
    row = records.get(tx, SagaRow, saga_id)
    lines = records.select(tx, LogLine, "saga_id = ? ORDER BY seq", [saga_id])
    return Progress(row, {(line.step, line.attempt): line.event for line in lines}, lines[-1].seq if lines else 0)


def write(
    tx: Transaction, at: Progress, step: str, attempt: int, event: Event, error: CloudError | None = None
) -> None:
    """Add an event."""
    at.seq += 1
    at.newest[step, attempt] = event
    message = None if error is None else error.message
    line = LogLine(saga_id=at.row.id, seq=at.seq, step=step, attempt=attempt, event=event, at=tx.now, error=message)
    records.insert(tx, line)
    trace.note("saga_step", saga=at.row.kind, step=step, attempt=attempt, event=event, error=message)


def move(
    tx: Transaction,
    at: Progress,
    *,
    state: State | None = None,
    attempt: int | None = None,
    body: Saga | None = None,
    error: CloudError | None = None,
) -> None:
    """Change the row: its state, attempt, body or error."""
    if state is not None and state != at.row.state:
        trace.note("saga", saga=at.row.kind, state=state, error=None if error is None else error.message)
    row = at.row
    changed = row.with_(
        state=state or row.state,
        attempt=attempt or row.attempt,
        body=row.body if body is None else msgspec.json.encode(body).decode(),
        error=row.error if error is None else to_facts(error),
    )
    if changed != row:
        at.row = records.change(
            tx,
            row,
            state=changed.state,
            attempt=changed.attempt,
            body=changed.body,
            error=changed.error,
            updated_at=tx.now,
        )


def unfinished(tx: Transaction) -> list[SagaRow]:
    """Sagas that have not come to an end, oldest first."""
    return records.select(tx, SagaRow, "state NOT IN ('finished', 'rolled_back') ORDER BY created_at, id")


def under_way(tx: Transaction) -> list[SagaRow]:
    """Sagas that go on by themselves: neither ended nor stuck, oldest first."""
    return [row for row in unfinished(tx) if row.state != "stuck"]


def of_resource(tx: Transaction, resource: str) -> list[SagaRow]:
    """All sagas about a resource, oldest first."""
    return records.select(tx, SagaRow, "resource = ? ORDER BY created_at, id", [resource])


def touching(tx: Transaction, resource: str, *, first: int = 10, last: int = 40) -> list[SagaRow]:
    """Sagas about a resource, or about another one that have to do with it, oldest first: the first ones and the last ones."""
    where = "(resource = ? OR body LIKE ?)"
    values = [resource, f"%{resource}%"]
    newest = records.select(tx, SagaRow, f"{where} ORDER BY created_at DESC, id DESC LIMIT {last:d}", values)
    oldest = records.select(tx, SagaRow, f"{where} ORDER BY created_at, id LIMIT {first:d}", values)
    found = {row.id: row for row in [*oldest, *reversed(newest)]}
    return list(found.values())


def lines(tx: Transaction, saga_id: str) -> list[LogLine]:
    """A saga's log, in order."""
    return records.select(tx, LogLine, "saga_id = ? ORDER BY seq", [saga_id])
