"""Runs sagas: one task each, from the first step to the last, or back to a clean slate.

Each turn of the loop is one commit: the outcome of the step just done, every following step that only touches rows, and
the ``started`` line of the next step that reaches outside. A turn that fails is rolled back whole; the failing step is then
written down as failed, and what went before it is committed again.
"""

import functools
import logging
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import anyio
import anyio.abc
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Failed, from_facts, to_facts
from minicloud.conductor import log, plan
from minicloud.conductor.step import Placed, Saga, placed
from minicloud.conductor.world import World
from minicloud.engines.database import Transaction

_log = logging.getLogger("minicloud.conductor")
RETRY_DELAYS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits between tries of what must not be given up: the last one repeats."""
UNDO_TRIES = 4


class _StepFailed(Exception):
    """Carries a record step's failure out of a transaction, so that it is rolled back."""

    def __init__(self, at: Placed, error: CloudError) -> None:
        super().__init__(str(error))
        self.at = at
        self.error = error


class Executor:
    """Knows the kinds of sagas, begins them, drives them. ``async with`` it: sagas run inside."""

    def __init__(self, world: World, kinds: Iterable[type[Saga]]) -> None:
        self.world = world
        self._kinds = {kind.__name__: kind for kind in kinds}
        self._lines = {kind.__name__: placed(kind) for kind in self._kinds.values()}
        self._tasks: anyio.abc.TaskGroup | None = None
        self._driving: dict[str, anyio.Event] = {}

    async def __aenter__(self) -> "Executor":
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *failure: Any) -> bool | None:
        """Stop where things stand: an interrupted saga goes on from its log at the next start."""
        assert self._tasks is not None
        tasks, self._tasks = self._tasks, None
        tasks.cancel_scope.cancel()
        return await tasks.__aexit__(*failure)

    def begin(self, tx: Transaction, saga: Saga) -> str:
        """Write a saga down in this transaction, and start it once that has committed. Returns its id.

        Raises TypeError for a kind that this executor does not know: nobody may be promised what nobody would do.
        """
        if type(saga).__name__ not in self._kinds:
            raise TypeError(f"{type(saga).__name__} is none of the sagas that this cloud knows: add it to cloud.SAGAS")
        row = log.begin(tx, saga)
        tx.after_commit(lambda: self.drive(row.id, log.Progress(row, {}, 0)))
        return row.id

    def drive(self, saga_id: str, known: log.Progress | None = None) -> None:
        """Start, or take up again, a saga that is written down; nothing happens when it is being driven already.

        ``known`` is where it stands, if the caller has just written that. An executor that has stopped starts nothing: what
        is written down goes on at the next start.
        """
        if saga_id not in self._driving and self._tasks is not None:
            self._driving[saga_id] = anyio.Event()
            self._tasks.start_soon(self._run, saga_id, known)

    async def ended(self, saga_id: str) -> log.State:
        """Wait until a saga is no longer driven, and tell its state."""
        waiting = self._driving.get(saga_id)
        if waiting is not None:
            await waiting.wait()
        row = (await self.world.database.read(lambda tx: log.progress(tx, saga_id))).row
        return row.state

    async def wait(self, saga_ids: Iterable[str], *, seconds: float) -> None:
        """Wait until none of these sagas is being driven, at most for so long."""
        with anyio.move_on_after(seconds):
            for saga_id in saga_ids:
                driven = self._driving.get(saga_id)
                if driven is not None:
                    await driven.wait()

    async def failure(self, saga_id: str, *, seconds: float) -> CloudError | None:
        """Wait for a saga, at most so long; why it failed, or None where it did not (yet)."""
        await self.wait([saga_id], seconds=seconds)
        row = (await self.world.database.read(lambda tx: log.progress(tx, saga_id))).row
        return from_facts(row.error) if row.error is not None and row.state != "running" else None

    async def idle(self) -> None:
        """Wait until no saga is being driven."""
        while self._driving:
            await next(iter(self._driving.values())).wait()

    async def _run(self, saga_id: str, known: log.Progress | None) -> None:
        failures = 0
        try:
            while True:
                try:
                    await self._drive(saga_id, known)
                    return
                except CloudError as error:
                    # Steps' failures are written down; this is the database itself, which may come back.
                    known = None
                    delay = RETRY_DELAYS_S[min(failures, len(RETRY_DELAYS_S) - 1)]
                    failures += 1
                    trace.note("saga_interrupted", saga=saga_id, in_s=delay, error=error.message)
                    _log.warning("Saga %s waits %g s: %s", saga_id, delay, error.message)
                    await anyio.sleep(delay)
                except Exception as error:  # noqa: BLE001 - a defect in one saga must not end all the others
                    await self._broken(saga_id, error)
                    return
        finally:
            self._driving.pop(saga_id).set()

    async def _drive(self, saga_id: str, known: log.Progress | None) -> None:
        at = known
        if at is None:
            at = await self.world.database.read(lambda tx: log.progress(tx, saga_id))
        with trace.about(request_id=at.row.request_id, resource=at.row.resource):
            await _Drive(self.world, self._kinds[at.row.kind], self._lines[at.row.kind], at).to_the_end()

    async def _broken(self, saga_id: str, error: Exception) -> None:
        """The executor itself failed on this saga: show it as stuck. Recovery tries again at the next start."""
        defect = _defect("(between steps)", error)
        _log.error("Saga %s is stuck", saga_id, exc_info=error)

        def work(tx: Transaction) -> None:
            log.move(tx, log.progress(tx, saga_id), state="stuck", error=defect)

        try:
            await self.world.database.write(work)
        except CloudError as unwritten:
            _log.error("Saga %s could not be marked as stuck: %s", saga_id, unwritten.message)

    @property
    def kinds(self) -> dict[str, type[Saga]]:
        """The sagas this program knows, by name."""
        return self._kinds


class _Drive:
    """One saga on its way."""

    def __init__(self, world: World, kind: type[Saga], line: list[Placed], at: log.Progress) -> None:
        self.world = world
        self.kind = kind
        self.line = line
        self.at = at
        self.failures = 0

    def saga(self) -> Any:
        """The saga's struct as last committed; steps may change this copy."""
        return msgspec.json.decode(self.at.row.body, type=self.kind)

    async def to_the_end(self) -> None:
        while self.at.row.state not in (*log.ENDED, "stuck"):
            match self._next():
                case plan.Forward(placed=at):
                    await self._forward(at)
                case plan.Undo(placed=at):
                    await self._undo(at)
                case plan.NextAttempt():
                    await self._commit(lambda tx, p: log.move(tx, p, state="running", attempt=p.row.attempt + 1))
                case plan.Finish():
                    await self._commit(lambda tx, p: log.move(tx, p, state="finished"))
                case plan.RolledBack():
                    await self._commit(lambda tx, p: log.move(tx, p, state="rolled_back"))

    def _next(self, at: log.Progress | None = None) -> plan.Move:
        at = at or self.at
        return plan.next_move(self.line, at.newest, at.row.state, at.row.attempt)

    async def _commit(self, change: Callable[[Transaction, log.Progress], None]) -> None:
        """One commit on a copy of the progress, which becomes ours only when it is durable."""

        def work(tx: Transaction) -> log.Progress:
            at = log.Progress(self.at.row, dict(self.at.newest), self.at.seq)
            change(tx, at)
            return at

        self.at = await self.world.database.write(work)

    async def _forward(self, placed: Placed) -> None:
        saga = self.saga()
        step = placed.step
        acted: Placed | None = None
        if step.act is not None:
            if plan.key(placed, self.at.row.attempt) not in self.at.newest:
                await self._commit(lambda tx, at: self._started(tx, at, placed))
            try:
                with trace.span("step", saga=self.kind.__name__, step=step.name):
                    await step.act(saga, self.world)
            except CloudError as error:
                await self._failed(placed, error)
                return
            except Exception as error:  # noqa: BLE001 - a defect in a step must unwind like any failure
                await self._failed(placed, _defect(step.name, error))
                return
            acted = placed
        refused: Placed | None = None
        why: CloudError | None = None
        while True:
            try:
                await self._commit(functools.partial(self._advance, learned=saga, acted=acted, before=refused))
                break
            except _StepFailed as failure:
                # What comes before the refused step is committed again without it, and may itself be refused this time.
                refused, why = failure.at, failure.error
        if refused is None or why is None:
            self.failures = 0
            return
        await self._failed(refused, why)

    def _started(self, tx: Transaction, at: log.Progress, placed: Placed) -> None:
        log.write(tx, at, *plan.key(placed, at.row.attempt), "started")

    def _advance(
        self, tx: Transaction, at: log.Progress, *, learned: Saga, acted: Placed | None, before: Placed | None
    ) -> None:
        """Write the outcome of the step that acted, then go on through the steps that only touch rows, up to ``before``."""
        saga = _copy(learned)
        if acted is not None:
            if acted is not before:
                self._record(tx, at, saga, acted)
            else:
                log.move(tx, at, body=saga)
                return
        while True:
            move = self._next(at)
            if isinstance(move, plan.Finish):
                log.move(tx, at, state="finished", body=saga)
                return
            assert isinstance(move, plan.Forward)
            if move.placed is before:
                break
            if not plan.records_only(move.placed.step):
                # A retried act has its line already; a fresh one is promised in this very commit.
                if plan.key(move.placed, at.row.attempt) not in at.newest:
                    self._started(tx, at, move.placed)
                break
            self._record(tx, at, saga, move.placed)
        log.move(tx, at, body=saga)

    def _record(self, tx: Transaction, at: log.Progress, saga: Saga, placed: Placed) -> None:
        if placed.step.record is not None:
            try:
                placed.step.record(tx, saga, self.world)
            except CloudError as error:
                raise _StepFailed(placed, error) from error
            except Exception as error:  # a defect in a step must unwind like any failure
                raise _StepFailed(placed, _defect(placed.step.name, error)) from error
        log.write(tx, at, *plan.key(placed, at.row.attempt), "done")

    async def _failed(self, placed: Placed, error: CloudError) -> None:
        """Turn round, try the group again, or, past the point of no return, wait and try this step again."""
        attempt = self.at.row.attempt
        if plan.past_return(self.line, self.at.newest, attempt):
            await self._commit(lambda tx, at: log.move(tx, at, error=error))
            await self._wait(placed, error)
            return
        group = placed.group
        retry = group is not None and attempt < group.tries(self.world) and isinstance(error, group.again)

        def turn(tx: Transaction, at: log.Progress) -> None:
            # A record step that failed was rolled back, yet counts as started: the rows that the saga's beginner wrote are
            # taken back by the first step's undo, also when that very step is refused.
            log.write(tx, at, *plan.key(placed, attempt), "failed", error)
            saga = self.saga()
            saga.failed = to_facts(error)
            log.move(tx, at, state="retrying" if retry else "unwinding", body=saga, error=error)

        await self._commit(turn)

    async def _undo(self, placed: Placed) -> None:
        saga = self.saga()
        try:
            if placed.step.undo is not None:
                with trace.span("undo", saga=self.kind.__name__, step=placed.step.name):
                    await placed.step.undo(saga, self.world)
            await self._commit(lambda tx, at: self._undone(tx, at, _copy(saga), placed))
        except CloudError as error:
            await self._undo_failed(placed, error)
        except Exception as error:  # noqa: BLE001 - a defect in an undo must be shown, not lost
            await self._undo_failed(placed, _defect(placed.step.name, error))
        else:
            self.failures = 0

    def _undone(self, tx: Transaction, at: log.Progress, saga: Saga, placed: Placed) -> None:
        if placed.step.unrecord is not None:
            placed.step.unrecord(tx, saga, self.world)
        log.write(tx, at, *plan.key(placed, at.row.attempt), "undone")
        log.move(tx, at, body=saga)

    async def _undo_failed(self, placed: Placed, error: CloudError) -> None:
        where = plan.key(placed, self.at.row.attempt)
        await self._commit(lambda tx, at: log.write(tx, at, *where, "undo_failed", error))
        if self.failures + 1 >= UNDO_TRIES:
            await self._commit(lambda tx, at: log.move(tx, at, state="stuck", error=error))
        else:
            await self._wait(placed, error)

    async def _wait(self, placed: Placed, error: CloudError) -> None:
        delay = RETRY_DELAYS_S[min(self.failures, len(RETRY_DELAYS_S) - 1)]
        self.failures += 1
        trace.note("saga_retry", step=placed.step.name, in_s=delay, error=error.message)
        await anyio.sleep(delay)


def _copy(saga: Saga) -> Saga:
    """A commit works on a copy, as its transaction may be rolled back and run again."""
    return msgspec.json.decode(msgspec.json.encode(saga), type=type(saga))


def _defect(step: str, error: Exception) -> CloudError:
    """A failure that nobody foresaw, with the trail to it."""
    trail = traceback.format_exception(error)
    trace.note("defect", step=step, trail="".join(trail)[-4000:])
    return Failed(f"Unexpected {type(error).__name__} in step {step}: {error}", kind="defect", trail=trail[-3:])
