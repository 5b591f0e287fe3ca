"""Takes up at start what an earlier process left: first decides for every open saga (pure), then does it.

A saga whose steps have changed since it began goes on if it is past its point of no return; else it is rolled back if its
undos are still known by name, and shown as stuck if not.
"""

from collections.abc import Collection
from typing import Literal

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Failed
from minicloud.conductor import log
from minicloud.conductor.executor import Executor
from minicloud.conductor.step import Saga, placed, shape
from minicloud.engines.database import Transaction

Verdict = Literal["resume", "roll_back", "stuck"]


def verdict(row: log.SagaRow, started: Collection[tuple[str, int]], kind: type[Saga] | None) -> Verdict:
    """What to do with an open saga, given the (step, attempt) pairs in its log and the saga that this program knows by its name."""
    if kind is None or not _readable(row, kind):
        return "stuck"
    line = {p.step.name: p for p in placed(kind)}
    for step, attempt in started:
        # A step that went into a group, or out of one, would be looked for under another attempt, and not be found.
        if step not in line or (line[step].group is None) != (attempt == 0):
            return "stuck"
    if shape(kind) == row.shape or any(line[step].step.final for step, _ in started):
        return "resume"
    return "roll_back"


def _readable(row: log.SagaRow, kind: type[Saga]) -> bool:
    try:
        msgspec.json.decode(row.body, type=kind)
    except msgspec.ValidationError:
        return False
    return True


async def recover(executor: Executor) -> dict[str, Verdict]:
    """Take up every open saga; what was decided for each."""

    def decide(tx: Transaction) -> dict[str, Verdict]:
        verdicts: dict[str, Verdict] = {}
        for row in log.unfinished(tx):
            at = log.progress(tx, row.id)
            decision = verdict(row, at.newest, executor.kinds.get(row.kind))
            error = Failed(
                f"This minicloud has no {row.kind} of the steps {', '.join(row.shape)} that could go on from where it was: "
                "start the version that began it, or take its traces away by hand",
                kind="shape",
            )
            with trace.about(request_id=row.request_id, resource=row.resource):
                trace.note("recover", saga=row.kind, state=row.state, decision=decision)
                if decision == "roll_back" and row.state != "unwinding":
                    log.move(tx, at, state="unwinding", error=error)
                elif decision == "stuck":
                    log.move(tx, at, state="stuck", error=error)
                elif row.state == "stuck":
                    log.move(tx, at, state=_direction(at, executor.kinds[row.kind]))
            verdicts[row.id] = decision
        return verdicts

    verdicts = await executor.world.database.write(decide)
    for saga_id, decision in verdicts.items():
        if decision != "stuck":
            executor.drive(saga_id)
    return verdicts


def _direction(at: log.Progress, kind: type[Saga]) -> log.State:
    """Where a stuck saga goes when it is tried again: never back over its point of no return."""
    finals = {p.step.name for p in placed(kind) if p.step.final}
    return "running" if any(step in finals for step, _ in at.newest) else "unwinding"
