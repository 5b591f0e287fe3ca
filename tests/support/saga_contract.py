"""The contract of every saga, without further code: given a world and a clean slate, try every history.

A ``Story`` makes a fresh world for each history, begins the saga in it, and tells what the world looks like. Then:
it runs; it runs with each act done twice; it fails at each step and leaves a clean slate; the same with each undo done
twice; and it crashes at each commit, and at each pair of commits, and ends finished or rolled back, never between.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import anyio
import msgspec

from minicloud.base.errors import Failed
from minicloud.conductor import log
from minicloud.conductor.executor import Executor
from minicloud.conductor.recovery import recover
from minicloud.conductor.step import Attempts, Saga, Step, placed
from minicloud.conductor.world import World
from minicloud.engines.database import Transaction


class Crash(BaseException):
    """The process dies here."""


class CrashingDatabase:
    """A database whose process dies right after (or right before) the n-th commit from now."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.commits = 0
        self.crash_after: set[int] = set()

    async def read(self, fn: Callable[[Transaction], Any]) -> Any:
        return await self.inner.read(fn)

    async def write(self, fn: Callable[[Transaction], Any]) -> Any:
        result = await self.inner.write(fn)
        self.commits += 1
        if self.commits in self.crash_after:
            raise Crash
        return result

    async def close(self) -> None:
        await self.inner.close()


class Story(Protocol):
    """What a saga's own test supplies."""

    async def world(self, stack: AsyncExitStack) -> World:
        """A fresh world in which the saga can run; whatever must be closed goes on the stack."""

    async def begin(self, executor: Executor) -> str:
        """Begin the saga as its real caller does; its id."""

    async def picture(self, world: World) -> Any:
        """Everything that a half-made saga could leave behind, comparable: rows, machines, ports, disks."""

    def is_finished(self, before: Any, after: Any) -> bool:
        """Whether the picture is that of a saga that ran to its end."""

    def is_clean(self, before: Any, after: Any) -> bool:
        """Whether the picture is that of a saga that was rolled back."""


class Faults(msgspec.Struct):
    """What goes wrong in a history: steps that fail (before or after acting), acts and undos that are done twice."""

    fail_before: str | None = None
    fail_after: str | None = None
    twice: bool = False


def with_faults(kind: type[Saga], faults: Faults) -> list[Any]:
    """The saga's steps with faults built in."""

    def wrap(step: Step[Any]) -> Step[Any]:
        return Step(
            step.name,
            record=None if step.record is None else _record(step, faults),
            act=None if step.act is None else _act(step, step.act, faults),
            undo=None if step.undo is None else _undo(step.undo, faults),
            unrecord=step.unrecord,
            final=step.final,
        )

    return [
        Attempts([wrap(s) for s in item.steps], limit=item.limit, again=item.again) if isinstance(item, Attempts) else wrap(item)
        for item in kind.steps()
    ]


def _record(step: Step[Any], faults: Faults) -> Callable[..., None]:
    def record(tx: Transaction, saga: Any, world: World) -> None:
        assert step.record is not None
        if step.act is None and faults.fail_before == step.name:
            raise Failed(f"fault before {step.name}")
        step.record(tx, saga, world)
        if faults.fail_after == step.name:
            raise Failed(f"fault after {step.name}")

    return record


def _act(step: Step[Any], act: Callable[..., Awaitable[None]], faults: Faults) -> Callable[..., Awaitable[None]]:
    async def wrapped(saga: Any, world: World) -> None:
        if faults.fail_before == step.name:
            raise Failed(f"fault before {step.name}")
        await act(saga, world)
        if faults.twice:
            await act(saga, world)
        if faults.fail_after == step.name:
            raise Failed(f"fault after {step.name}")

    return wrapped


def _undo(undo: Callable[..., Awaitable[None]], faults: Faults) -> Callable[..., Awaitable[None]]:
    async def wrapped(saga: Any, world: World) -> None:
        await undo(saga, world)
        if faults.twice:
            await undo(saga, world)

    return wrapped


class _Faulty:
    """The kind of saga, with other steps."""

    def __init__(self, kind: type[Saga], faults: Faults) -> None:
        steps = with_faults(kind, faults)

        class Faulty(kind):  # type: ignore[misc, valid-type]
            @classmethod
            def steps(cls) -> Any:
                return steps

        Faulty.__name__ = kind.__name__
        self.kind: type[Saga] = Faulty


async def history(story: Story, kind: type[Saga], faults: Faults, crashes: set[int]) -> tuple[str, Any, Any, int]:
    """One history, with restarts after each crash, to its end: (state, picture before, picture after, commits)."""
    async with AsyncExitStack() as stack:
        world = await story.world(stack)
        database = CrashingDatabase(world.database)
        world = msgspec.structs.replace(world, database=database)
        before = await story.picture(world)
        faulty = _Faulty(kind, faults).kind
        saga_id = ""
        database.crash_after = {at + 1 for at in crashes}
        for life in range(len(crashes) + 2):
            try:
                async with Executor(world, [faulty]) as executor:
                    if not saga_id:
                        database.commits = 0
                        database.crash_after = {at + 1 for at in crashes}
                        saga_id = await story.begin(executor)
                    else:
                        await recover(executor)
                    await executor.idle()
                break
            except BaseExceptionGroup as group:
                if not group.split(Crash)[0] or group.split(Crash)[1]:
                    raise
                saga_id = saga_id or await _only_saga(world)
            except Crash:
                saga_id = saga_id or await _only_saga(world)
        assert saga_id, "a crash in the very first commit cannot happen: what is not committed was not promised"
        state = (await world.database.read(lambda tx: log.progress(tx, saga_id))).row.state
        assert life <= len(crashes)
        return state, before, await story.picture(world), database.commits


async def _only_saga(world: World) -> str:
    rows = await world.database.read(lambda tx: tx.all("SELECT id FROM sagas ORDER BY created_at DESC LIMIT 1"))
    return str(rows[0][0])


async def check_contract(story: Story, kind: type[Saga], *, pairs: bool = True) -> int:
    """Every history; the number of histories tried."""
    tried = 0

    async def one(faults: Faults, crashes: set[int]) -> tuple[str, int]:
        nonlocal tried
        tried += 1
        label = f"{kind.__name__} with {faults} and crashes after commits {sorted(crashes)}"
        state, before, after, commits = await history(story, kind, faults, crashes)
        assert state in log.ENDED, f"{label}: ended {state}"
        if state == "finished":
            assert story.is_finished(before, after), f"{label}: says finished, but {before} became {after}"
        else:
            assert story.is_clean(before, after), f"{label}: rolled back, but {before} became {after}"
        return state, commits

    state, _ = await one(Faults(), set())
    assert state == "finished", f"{kind.__name__} does not run"
    state, _ = await one(Faults(twice=True), set())
    assert state == "finished", f"{kind.__name__} with each act twice does not run"
    scripts = [Faults()]
    final = next((i for i, p in enumerate(placed(kind)) if p.step.final), None)
    for i, p in enumerate(placed(kind)):
        if final is not None and i >= final:
            continue  # past the point of no return a lasting fault is retried for ever, which is its promise
        for twice in (False, True):
            scripts += [Faults(fail_before=p.step.name, twice=twice), Faults(fail_after=p.step.name, twice=twice)]
    for faults in scripts:
        state, commits = await one(faults, set())
        for first in range(commits):
            await one(faults, {first})
            if pairs and not faults.twice:
                # The second crash is counted on the same run of commits, so it falls into the second life.
                for second in range(first + 1, commits + 3):
                    await one(faults, {first, second})
        await anyio.lowlevel.checkpoint()
    return tried
