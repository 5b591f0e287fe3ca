"""Worlds for sagas and reconcilers: what survives a process (``Outside``), and what a process has of it (a ``World``).

A crash is tried at every *point*: each commit, each message to a host, each blob that is written or removed. Killing the
process before a point and after the one before it is the same, as nothing reaches the outside in between.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Literal

from minicloud.agent.calls import Agents
from minicloud.agent.volume_calls import Backends
from minicloud.base.errors import TimedOut
from minicloud.conductor.network.wiring import Wiring
from minicloud.conductor.world import Options, World
from minicloud.core.placement.index import Placement
from minicloud.engines.blobs import Blobs
from minicloud.engines.blobs.memory import MemoryBlobs
from minicloud.engines.database import Database, Transaction
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.messaging import CALL_TIMEOUT_S, Message
from minicloud.engines.messaging.inprocess import InProcess
from minicloud.engines.servicegroup import ServiceGroup
from minicloud.engines.servicegroup.memory import MemoryServiceGroup


class Crash(BaseException):
    """The process dies here."""


class Points:
    """Counts the points of a process and kills it before those whose numbers are in ``crashes``.

    ``lost``: the number of a message whose question or answer gets lost on the way, so that nobody knows what was done.
    """

    def __init__(
        self, crashes: set[int] | None = None, lost: tuple[int, Literal["question", "answer"]] | None = None
    ) -> None:
        self.crashes = crashes or set()
        self.lost = lost
        self.reached = 0
        self.messages = 0
        self.counting = False
        self.meanwhile: dict[int, Callable[[], Awaitable[None]]] = {}
        """What somebody else does when this point is reached."""

    async def next(self) -> None:
        """One point is reached."""
        if self.counting:
            self.reached += 1
            if self.reached in self.crashes:
                raise Crash
            work = self.meanwhile.pop(self.reached, None)
            if work is not None:
                await work()


class MortalDatabase:
    """A database whose caller may die before a commit."""

    def __init__(self, inner: Database, points: Points) -> None:
        self._inner = inner
        self._points = points

    async def read(self, fn: Callable[[Transaction], Any]) -> Any:
        return await self._inner.read(fn)

    async def write(self, fn: Callable[[Transaction], Any]) -> Any:
        await self._points.next()
        return await self._inner.write(fn)

    async def close(self) -> None:
        """The file is the outside's."""


class MortalMessaging:
    """A way to hosts whose caller may die before it asks. What was asked goes on over there."""

    def __init__(self, inner: InProcess, points: Points) -> None:
        self._inner = inner
        self._points = points

    async def call(self, topic: str, message: Message[Any], *, host: str, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        points = self._points
        await points.next()
        lost = ""
        if points.counting:
            points.messages += 1
            if points.lost is not None and points.lost[0] == points.messages:
                lost = points.lost[1]
        answer = await self._inner.call(topic, message, host=host, timeout_s=timeout_s) if lost != "question" else None
        if lost:
            raise TimedOut(f"the {lost} of message {points.messages} ({type(message).__name__}) was lost")
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class MortalBlobs:
    """A store whose user may die before it writes or removes."""

    def __init__(self, inner: Blobs, points: Points) -> None:
        self._inner = inner
        self._points = points

    async def put(self, key: str, pieces: AsyncIterator[bytes]) -> Any:
        await self._points.next()
        return await self._inner.put(key, pieces)

    async def delete(self, key: str) -> None:
        await self._points.next()
        await self._inner.delete(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Outside:
    """What is there whether a process lives or not."""

    def __init__(
        self,
        *,
        database: Database,
        messaging: InProcess,
        servicegroup: ServiceGroup,
        blobs: Blobs,
        options: Options | None = None,
    ) -> None:
        self.database = database
        self.messaging = messaging
        self.servicegroup = servicegroup
        self.blobs = blobs
        self.options = options or Options()

    def world(self, points: Points | None = None) -> World:
        """What a new process has: it knows nothing of an earlier one but what is written down."""
        points = points or Points()
        database: Any = MortalDatabase(self.database, points)
        messaging: Any = MortalMessaging(self.messaging, points)
        blobs: Any = MortalBlobs(self.blobs, points)
        agents = Agents(messaging)
        return World(
            database=database,
            agents=agents,
            backends=Backends(messaging),
            servicegroup=self.servicegroup,
            blobs=blobs,
            wiring=Wiring(database, agents),
            placement=Placement(),
            options=self.options,
        )


async def an_outside(stack: AsyncExitStack) -> Outside:
    """An empty one: no hosts, no rows."""
    messaging = await stack.enter_async_context(InProcess())
    return Outside(
        database=InlineDatabase(),
        messaging=messaging,
        servicegroup=MemoryServiceGroup(),
        blobs=MemoryBlobs(),
    )


async def a_world(stack: AsyncExitStack) -> World:
    """An empty world, for a process that does not die."""
    outside = await an_outside(stack)
    agents = Agents(outside.messaging)
    return World(
        database=outside.database,
        agents=agents,
        backends=Backends(outside.messaging),
        servicegroup=outside.servicegroup,
        blobs=outside.blobs,
        wiring=Wiring(outside.database, agents),
        placement=Placement(),
    )
