"""Takes up at start what an earlier process left: first decides for every open saga (pure), then does it.

A saga whose steps have changed since it began is rolled back if its undos are still known by name, and shown as stuck if not.
"""

from typing import Literal

from minicloud.base import trace
from minicloud.base.errors import Failed
from minicloud.conductor import log
from minicloud.conductor.executor import Executor
from minicloud.conductor.step import shape
from minicloud.engines.database import Transaction

Verdict = Literal["resume", "roll_back", "stuck"]


def verdict(row: log.SagaRow, started: set[str], known: dict[str, list[str]]) -> Verdict:
    """What to do with an open saga, given the steps that started and the shapes this program knows."""
    steps = known.get(row.kind)
    if steps is None:
        return "stuck"
    if steps == row.shape:
        return "resume"
    return "roll_back" if started <= set(steps) else "stuck"


async def recover(executor: Executor) -> dict[str, Verdict]:
    """Take up every open saga; what was decided for each."""
    known = {name: shape(kind) for name, kind in executor.kinds.items()}

    def decide(tx: Transaction) -> dict[str, Verdict]:
        verdicts: dict[str, Verdict] = {}
        for row in log.unfinished(tx):
            at = log.progress(tx, row.id)
            decision = verdict(row, {step for step, _ in at.newest}, known)
            error = Failed(f"This minicloud has no {row.kind} of the steps {', '.join(row.shape)}", kind="shape")
            with trace.about(request_id=row.request_id, resource=row.resource):
                trace.note("recover", saga=row.kind, state=row.state, decision=decision)
                if decision == "roll_back" and row.state != "unwinding":
                    log.move(tx, at, state="unwinding", error=error)
                elif decision == "stuck":
                    log.move(tx, at, state="stuck", error=error)
                elif row.state == "stuck":
                    log.move(tx, at, state="unwinding")
            verdicts[row.id] = decision
        return verdicts

    verdicts = await executor.world.database.write(decide)
    for saga_id, decision in verdicts.items():
        if decision != "stuck":
            executor.drive(saga_id)
    return verdicts
