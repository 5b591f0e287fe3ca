"""Images that come to hosts and leave them: both sagas keep the contract; afterwards hosts that are up have it, or do not."""

import hashlib
from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.image.cache_image import CacheImage, UncacheImage
from minicloud.core import records
from minicloud.core.image import cache
from minicloud.core.image.cache import CachedImage
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction
from tests.support.datacenters import BYTES, IMAGE, Datacenter, a_datacenter
from tests.support.saga_contract import Story, check_contract
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio
CHECKSUM = hashlib.sha512(BYTES).hexdigest()


class Caching(Story):
    async def outside(self, stack: AsyncExitStack) -> Outside:
        return await a_datacenter(stack)

    async def begin(self, executor: Executor) -> str:
        def work(tx: Transaction) -> str:
            assert cache.queue(tx, records.get(tx, Image, IMAGE))
            return executor.begin(tx, CacheImage(image_id=IMAGE))

        return await executor.world.database.write(work)

    async def picture(self, outside: Outside) -> Any:
        found = await outside.database.read(lambda tx: records.select(tx, CachedImage))
        return [(one.image_id, one.cached, one.hosts) for one in found]

    def is_finished(self, before: Any, after: Any) -> bool:
        return len(after) == 1 and after[0][:2] == (IMAGE, True) and len(after[0][2]) > 0


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Caching(), CacheImage, deaths=20, pairs=10) > 10


class Uncaching(Story):
    async def outside(self, stack: AsyncExitStack) -> Outside:
        center = await a_datacenter(stack)
        for agent in center.agents.values():
            await agent.storage.ensure_base(CHECKSUM, "raw", lambda: center.blobs.get(IMAGE))
        return center

    async def begin(self, executor: Executor) -> str:
        saga = UncacheImage(image_id=IMAGE, checksum=CHECKSUM)
        return await executor.world.database.write(lambda tx: executor.begin(tx, saga))

    async def picture(self, outside: Outside) -> Any:
        assert isinstance(outside, Datacenter)
        return {host: len(await agent.storage.bases()) for host, agent in outside.agents.items()}

    def is_finished(self, before: Any, after: Any) -> bool:
        return set(before.values()) == {1} and set(after.values()) == {0}


async def test_taking_it_away_keeps_the_contract() -> None:
    assert await check_contract(Uncaching(), UncacheImage, deaths=20, pairs=10) > 5
