"""The placement service behind a door, and an administrator of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from minicloud.api import placement
from tests.support.doors import Door, a_door


@asynccontextmanager
async def a_placement() -> AsyncIterator[Door]:
    """Placement alone, over an empty world."""
    async with AsyncExitStack() as stack:
        yield await a_door(stack, [placement.service()])


def at(door: Door, version: str = "1.39", role: str = "admin", **more: str) -> httpx.AsyncClient:
    """A client that speaks one version."""
    return door.as_(role=role, mount="/placement", headers={"OpenStack-API-Version": f"placement {version}", **more})
