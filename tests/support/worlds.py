"""Worlds for sagas and reconcilers: the inline database, in-process messaging, and a memory of who is alive."""

from contextlib import AsyncExitStack

from minicloud.agent.calls import Agents
from minicloud.conductor.world import World
from minicloud.engines.blobs.memory import MemoryBlobs
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.messaging.inprocess import InProcess
from minicloud.engines.servicegroup.memory import MemoryServiceGroup


async def a_world(stack: AsyncExitStack) -> World:
    """An empty world."""
    messaging = await stack.enter_async_context(InProcess())
    return World(
        database=InlineDatabase(), agents=Agents(messaging), servicegroup=MemoryServiceGroup(), blobs=MemoryBlobs()
    )
