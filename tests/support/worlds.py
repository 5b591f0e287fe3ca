"""Worlds for sagas and reconcilers: the inline database, in-process messaging, and a memory of who is alive."""

from contextlib import AsyncExitStack

from minicloud.agent.calls import Agents
from minicloud.conductor.network.wiring import Wiring
from minicloud.conductor.world import World
from minicloud.core.placement.index import Placement
from minicloud.engines.blobs.memory import MemoryBlobs
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.messaging.inprocess import InProcess
from minicloud.engines.servicegroup.memory import MemoryServiceGroup


async def a_world(stack: AsyncExitStack) -> World:
    """An empty world."""
    messaging = await stack.enter_async_context(InProcess())
    database, agents = InlineDatabase(), Agents(messaging)
    return World(
        database=database,
        agents=agents,
        servicegroup=MemoryServiceGroup(),
        blobs=MemoryBlobs(),
        wiring=Wiring(database, agents),
        placement=Placement(),
    )
