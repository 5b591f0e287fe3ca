"""The contract of every saga, without further code: given an outside and a clean slate, try every history.

A ``Story`` makes a fresh outside for each history, begins the saga in it, and tells what the outside looks like. Then it runs;
it runs with each act done twice, and with each message to a host lost, and each answer; it fails at each step and leaves a clean slate, also with each undo done twice; steps of a
group of attempts, steps past the point of no return, and undos fail a few times and then work; an undo that never works
leaves it stuck, and the next start takes that up; and the process dies at each point (commit, message, blob) of all these
histories, and at pairs of points, and the saga ends finished or rolled back, never between.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Literal

import anyio
import msgspec

from minicloud.base.errors import CloudError, Failed, TimedOut
from minicloud.conductor import log
from minicloud.conductor.executor import UNDO_TRIES, Executor
from minicloud.conductor.recovery import recover
from minicloud.conductor.step import Attempts, Saga, Step, placed
from minicloud.conductor.world import World
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.engines.database import Transaction
from tests.support.worlds import Crash, Outside, Points

Lost = tuple[int, Literal["question", "answer"]]


class Story(ABC):
    """What a saga's own test supplies."""

    @abstractmethod
    async def outside(self, stack: AsyncExitStack) -> Outside:
        """A fresh outside in which the saga can run; whatever must be closed goes on the stack."""

    @abstractmethod
    async def begin(self, executor: Executor) -> str:
        """Begin the saga as its real caller does; its id."""

    @abstractmethod
    async def picture(self, outside: Outside) -> Any:
        """Everything that a half-made saga could leave behind, comparable: rows, machines, ports, disks."""

    async def later(self, executor: Executor) -> None:
        """What happens anyway before anybody looks again, such as a round of a reconciler."""

    @abstractmethod
    def is_finished(self, before: Any, after: Any) -> bool:
        """Whether the picture is that of a saga that ran to its end."""

    def is_clean(self, before: Any, after: Any) -> bool:
        """Whether the picture is that of a saga that was rolled back."""
        return bool(before == after)


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong in a history. ``where``: before the step's work, after it (yet it failed), or in the record of what an
    act did. ``times`` None: for ever. ``undo`` names a step whose undo fails so often. ``twice``: acts and undos are done twice."""

    step: str | None = None
    where: Literal["before", "after", "record"] = "before"
    times: int | None = None
    error: type[CloudError] = Failed
    undo: str | None = None
    undo_times: int | None = None
    twice: bool = False

    def __str__(self) -> str:
        said = [
            f"{name}={value!r}" for name, value in msgspec.structs.asdict(self).items() if value not in (None, False)
        ]
        return f"({', '.join(said)})"


class Outcome(msgspec.Struct, frozen=True):
    """How a history ended."""

    state: str
    before: Any
    after: Any
    points: int
    messages: int


class _Troubles:
    """The counts of a script that are left; they outlive the process."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._step, self._undo = script.times, script.undo_times

    def meet(self, step: str, where: str) -> None:
        """Raises the script's error where it is due."""
        if self.script.step == step and self.script.where == where and self._step != 0:
            self._step = None if self._step is None else self._step - 1
            raise self.script.error(f"trouble {where} {step}")

    def meet_undo(self, step: str) -> None:
        """Raises the script's error where an undo is due to fail."""
        if self.script.undo == step and self._undo != 0:
            self._undo = None if self._undo is None else self._undo - 1
            raise self.script.error(f"trouble undoing {step}")


def with_troubles(kind: type[Saga], troubles: _Troubles) -> type[Saga]:
    """The kind of saga, with trouble built into its steps."""
    steps = [
        Attempts([_wrap(s, troubles) for s in item.steps], limit=item.limit, again=item.again)
        if isinstance(item, Attempts)
        else _wrap(item, troubles)
        for item in kind.steps()
    ]

    class Troubled(kind):  # type: ignore[misc, valid-type]
        @classmethod
        def steps(cls) -> Any:
            return steps

    Troubled.__name__ = kind.__name__
    return Troubled


def _wrap(step: Step[Any], troubles: _Troubles) -> Step[Any]:
    return Step(
        step.name,
        record=None if step.record is None else _record(step, step.record, troubles),
        act=None if step.act is None else _act(step.name, step.act, troubles),
        undo=None if step.undo is None else _undo(step.name, step.undo, troubles),
        unrecord=None if step.unrecord is None else _unrecord(step, step.unrecord, troubles),
        final=step.final,
    )


def _record(step: Step[Any], record: Callable[..., None], troubles: _Troubles) -> Callable[..., None]:
    def wrapped(tx: Transaction, saga: Any, world: World) -> None:
        if step.act is None:
            troubles.meet(step.name, "before")
        record(tx, saga, world)
        troubles.meet(step.name, "after" if step.act is None else "record")

    return wrapped


def _act(name: str, act: Callable[..., Awaitable[None]], troubles: _Troubles) -> Callable[..., Awaitable[None]]:
    async def wrapped(saga: Any, world: World) -> None:
        troubles.meet(name, "before")
        await act(saga, world)
        if troubles.script.twice:
            await act(saga, world)
        troubles.meet(name, "after")

    return wrapped


def _undo(name: str, undo: Callable[..., Awaitable[None]], troubles: _Troubles) -> Callable[..., Awaitable[None]]:
    async def wrapped(saga: Any, world: World) -> None:
        await undo(saga, world)
        if troubles.script.twice:
            await undo(saga, world)
        troubles.meet_undo(name)

    return wrapped


def _unrecord(step: Step[Any], unrecord: Callable[..., None], troubles: _Troubles) -> Callable[..., None]:
    def wrapped(tx: Transaction, saga: Any, world: World) -> None:
        unrecord(tx, saga, world)
        if step.undo is None:
            troubles.meet_undo(step.name)

    return wrapped


async def history(
    story: Story,
    kind: type[Saga],
    script: Script,
    crashes: set[int] | None = None,
    *,
    healed: bool = False,
    lost: Lost | None = None,
) -> Outcome:
    """One history to its end, with a new process after each death; ``healed``: and one more, in which nothing goes wrong."""
    async with AsyncExitStack() as stack:
        outside = await story.outside(stack)
        before = await story.picture(outside)
        points = Points(crashes, lost)
        troubled = with_troubles(kind, _Troubles(script))
        saga_id = ""
        for _ in range(len(points.crashes) + 2):
            try:
                async with Executor(outside.world(points), [troubled]) as executor:
                    points.counting = True
                    if saga_id:
                        await recover(executor)
                    else:
                        saga_id = await story.begin(executor)
                    await executor.idle()
                break
            except Crash:
                pass
            except BaseExceptionGroup as group:
                died, other = group.split(Crash)
                if died is None or other is not None:
                    raise
            saga_id = saga_id or await _only_saga(outside)
        points.counting = False
        if healed:
            async with Executor(outside.world(), [kind]) as executor:
                await recover(executor)
                await executor.idle()
        async with Executor(outside.world(), [kind]) as executor:
            await story.later(executor)
            await executor.idle()
        row = (await outside.database.read(lambda tx: log.progress(tx, saga_id))).row
        return Outcome(row.state, before, await story.picture(outside), points.reached, points.messages)


async def _only_saga(outside: Outside) -> str:
    rows = await outside.database.read(lambda tx: tx.all("SELECT id FROM sagas ORDER BY created_at DESC LIMIT 1"))
    return str(rows[0][0])


def _tries(group: Attempts[Any]) -> int:
    return group.limit if isinstance(group.limit, int) else SchedulerOptions().max_attempts


def scripts(kind: type[Saga]) -> list[tuple[Script, str]]:
    """Everything that may go wrong with a saga, and the state that it must end in (before anybody heals it)."""
    line = placed(kind)
    final = next((i for i, p in enumerate(line) if p.step.final), len(line))
    found: list[tuple[Script, str]] = []
    for i, p in enumerate(line):
        wheres: list[Literal["before", "after", "record"]] = ["before", "after"]
        if p.step.act is not None and p.step.record is not None:
            wheres.append("record")
        for where in wheres:
            at = Script(step=p.step.name, where=where)
            if i >= final:
                # Past the point of no return (a final step that is only a record is not passed before it has committed).
                passed = i > final or p.step.act is not None
                found.append((msgspec.structs.replace(at, times=3), "finished" if passed else "rolled_back"))
                continue
            found.append((at, "rolled_back"))
            found.append((msgspec.structs.replace(at, twice=True), "rolled_back"))
            found.append((msgspec.structs.replace(at, error=TimedOut), "rolled_back"))
            if p.group is not None:
                found.append((msgspec.structs.replace(at, times=_tries(p.group) - 1), "finished"))
    undoable = [p for p in line[:final] if p.step.undoable]
    if final > 0:
        last = Script(step=line[final - 1].step.name, where="after")
        for p in undoable:
            undo = msgspec.structs.replace(last, undo=p.step.name, undo_times=UNDO_TRIES - 1)
            found.append((undo, "rolled_back"))
            found.append((msgspec.structs.replace(undo, undo_times=None), "stuck"))
    return found


async def check_contract(
    story: Story, kind: type[Saga], *, deaths: int = 450, pairs: int = 150, troubles: int | None = None
) -> int:
    """Every history; of those with a death or two, at most so many, chosen by the saga's name. The number of histories.

    ``troubles``: of what may go wrong, too, at most so much; for a story that differs little from one that is tried whole.
    """
    tried = 0

    async def one(script: Script, end: str | None, crashes: set[int], lost: Lost | None = None) -> Outcome:
        nonlocal tried
        tried += 1
        label = f"{kind.__name__} with {script}, killed before the points {sorted(crashes)}, message lost: {lost}"
        found = await history(story, kind, script, crashes, healed=end == "stuck", lost=lost)
        if end == "stuck":
            end = "rolled_back"
        assert found.state in log.ENDED, f"{label}: ended {found.state}"
        assert end is None or found.state == end, f"{label}: ended {found.state}, not {end}"
        right = story.is_finished if found.state == "finished" else story.is_clean
        assert right(found.before, found.after), (
            f"{label}: says {found.state}, but\n{found.before}\nbecame\n{found.after}"
        )
        return found

    await one(Script(), "finished", set())
    await one(Script(twice=True), "finished", set())
    dying: list[tuple[Script, str, set[int]]] = []
    dying_twice: list[tuple[Script, str, set[int]]] = []
    dice = random.Random(kind.__name__)
    possible = scripts(kind) if troubles is None else _at_most(dice, troubles, scripts(kind))
    for script, end in [(Script(), "finished"), *possible]:
        if end == "stuck":
            stuck = await history(story, kind, script)
            assert stuck.state == "stuck", f"{kind.__name__} with {script}: ended {stuck.state}, not stuck"
        plain = await one(script, end, set())
        points = plain.points
        if script.undo is None and script.where == "before" and not script.twice and script.error is Failed:
            for message in range(1, plain.messages + 1):
                await one(script, None, set(), (message, "question"))
                await one(script, None, set(), (message, "answer"))
        if script.twice or script.error is not Failed:
            continue
        for first in range(2, points + 1):  # before the first point nothing has been promised
            dying.append((script, end, {first}))
            dying_twice += [(script, end, {first, second}) for second in range(first + 1, points + 4)]
        await anyio.lowlevel.checkpoint()
    for script, end, crashes in [*_at_most(dice, deaths, dying), *_at_most(dice, pairs, dying_twice)]:
        await one(script, None if end != "stuck" else end, crashes)
    return tried


def _at_most(dice: random.Random, count: int, histories: list[Any]) -> list[Any]:
    return histories if len(histories) <= count else dice.sample(histories, count)
