"""Runs the reconcilers: each on its period and whenever it is poked, one run at a time, its last result kept to look at."""

import traceback
from collections.abc import Sequence
from typing import Protocol

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.clock import Clock, stamp
from minicloud.base.errors import CloudError
from minicloud.conductor.executor import Executor
from minicloud.conductor.world import World
from minicloud.reconcilers.gathering import Gathering

FIRST_ROUND_S = 2.0
"""After the start, where the period is not shorter."""


class Mending(msgspec.Struct, frozen=True):
    """What a reconciler works with: the world, the executor for repairs that take several steps, and what hosts tell them all."""

    world: World
    executor: Executor
    gathering: Gathering = msgspec.field(default_factory=Gathering)


class Reconciler(Protocol):
    """A repair. ``mend`` says in words what it changed; nothing, when all was well."""

    name: str

    async def mend(self, at: Mending) -> list[str]:
        """Compare and repair."""


class LastRun(msgspec.Struct, frozen=True):
    """How a reconciler's last run went."""

    at: str
    mended: list[str]
    error: str | None = None


class Loop:
    """All reconcilers of a cloud."""

    def __init__(self, reconcilers: Sequence[Reconciler], at: Mending, clock: Clock, *, interval_s: float) -> None:
        self._reconcilers = {reconciler.name: reconciler for reconciler in reconcilers}
        self._at = at
        self._clock = clock
        self._interval_s = interval_s
        self._pokes = {name: anyio.Event() for name in self._reconcilers}
        self._turns = {name: anyio.Lock() for name in self._reconcilers}
        self.last: dict[str, LastRun] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as tasks:
            for name in self._reconcilers:
                tasks.start_soon(self._repeat, name)

    def poke(self, name: str) -> None:
        """Something changed that this reconciler looks at: do not wait for its period."""
        self._pokes[name].set()

    async def once(self) -> dict[str, LastRun]:
        """One run of each, in order."""
        for name in self._reconcilers:
            await self._mend(name)
        return dict(self.last)

    async def _repeat(self, name: str) -> None:
        # What happened while the cloud was not there is found out soon, and not in the middle of its start.
        wait_s = min(FIRST_ROUND_S, self._interval_s)
        while True:
            with anyio.move_on_after(wait_s):
                await self._pokes[name].wait()
            wait_s = self._interval_s
            self._pokes[name] = anyio.Event()
            await self._mend(name)

    async def _mend(self, name: str) -> None:
        async with self._turns[name]:
            await self._run(name)

    async def _run(self, name: str) -> None:
        at = stamp(self._clock.now())
        with trace.about(request_id="", resource=""), trace.span("reconcile", reconciler=name) as facts:
            try:
                mended = await self._reconcilers[name].mend(self._at)
            except CloudError as error:
                self.last[name] = LastRun(at, [], error.message)
                facts["error"] = error.message
            except Exception as error:  # noqa: BLE001 - a defect in one repair must not end the others
                self.last[name] = LastRun(at, [], f"{type(error).__name__}: {error}")
                trace.note("defect", trail="".join(traceback.format_exception(error))[-4000:])
            else:
                self.last[name] = LastRun(at, mended)
                facts["mended"] = mended
