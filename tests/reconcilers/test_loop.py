"""The loop: each repair on its period and when poked, one run at a time; one that breaks is shown and harms no other."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime

import anyio
import pytest
import trio

from minicloud.base import trace
from minicloud.base.clock import VirtualClock
from minicloud.base.errors import CloudError, Unavailable
from minicloud.conductor.executor import Executor
from minicloud.reconcilers.loop import Loop, Mending
from tests.support.worlds import a_world

pytestmark = pytest.mark.anyio


class Counted:
    """A repair that counts its runs, takes its time, and breaks when told."""

    def __init__(self, name: str, *, takes_s: float = 0.0, breaks: Exception | None = None) -> None:
        self.name = name
        self.runs: list[float] = []
        self.at_once = 0
        self._takes_s = takes_s
        self._breaks = breaks

    async def mend(self, at: Mending) -> list[str]:
        self.runs.append(anyio.current_time())
        self.at_once += 1
        assert self.at_once == 1, "two runs at the same time"
        await anyio.sleep(self._takes_s)
        self.at_once -= 1
        if self._breaks is not None:
            raise self._breaks
        return [f"run {len(self.runs)}"]


async def a_loop(stack: AsyncExitStack, *repairs: Counted) -> Loop:
    world = await a_world(stack)
    clock = VirtualClock(datetime(2026, 11, 21, 10, tzinfo=UTC), trio.current_time)
    clock.now()
    loop = Loop(repairs, Mending(world, Executor(world, [])), clock, interval_s=60)
    tasks = await stack.enter_async_context(anyio.create_task_group())
    tasks.start_soon(loop.run)
    stack.callback(tasks.cancel_scope.cancel)
    return loop


async def test_each_runs_soon_and_then_on_its_period() -> None:
    async with AsyncExitStack() as stack:
        quick, slow = Counted("quick"), Counted("slow", takes_s=30)
        began = anyio.current_time()
        loop = await a_loop(stack, quick, slow)
        await anyio.sleep(200)
        assert [at - began for at in quick.runs] == [2, 62, 122, 182]
        assert [at - began for at in slow.runs] == [2, 92, 182]
        assert loop.last["quick"].mended == ["run 4"]
        assert loop.last["quick"].at == "2026-11-21T10:03:02.000000"


async def test_a_poke_does_not_wait_for_the_period_and_many_are_one() -> None:
    async with AsyncExitStack() as stack:
        repair = Counted("r", takes_s=5)
        began = anyio.current_time()
        loop = await a_loop(stack, repair)
        await anyio.sleep(10)
        loop.poke("r")
        loop.poke("r")
        await anyio.sleep(1)
        loop.poke("r")  # during a run: what changed now may have been read already, so it runs once more
        await anyio.sleep(20)
        assert [at - began for at in repair.runs] == [2, 10, 15]


@pytest.mark.parametrize("error", [Unavailable("no host answers"), KeyError("a defect")])
async def test_one_that_breaks_is_shown_and_runs_again_and_the_others_too(error: Exception) -> None:
    notes = trace.Recording()
    async with AsyncExitStack() as stack:
        stack.enter_context(trace.recording(notes))
        broken, sound = Counted("broken", breaks=error), Counted("sound")
        loop = await a_loop(stack, broken, sound)
        await anyio.sleep(130)
        assert (len(broken.runs), len(sound.runs)) == (3, 3)
        run = loop.last["broken"]
        assert run.mended == []
        assert run.error is not None
        assert ("no host answers" if isinstance(error, CloudError) else "KeyError") in run.error
        assert ("defect" in notes.words()) is not isinstance(error, CloudError)
        assert loop.last["sound"].error is None


async def test_a_round_on_demand_runs_all_in_order_also_while_the_loop_runs() -> None:
    async with AsyncExitStack() as stack:
        first, second = Counted("first", takes_s=5), Counted("second")
        loop = await a_loop(stack, first, second)
        await anyio.sleep(58)
        last = await loop.once()
        assert {name: run.mended for name, run in last.items()} == {"first": ["run 2"], "second": ["run 3"]}
