"""CacheOnHosts keeps the contract of every saga: those hosts have the image afterwards, and no record was touched."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.conductor.compute.cache_on_hosts import CacheOnHosts
from minicloud.conductor.executor import Executor
from minicloud.core import records
from minicloud.core.image.cache import CachedImage
from minicloud.engines.database import Transaction
from tests.support.datacenters import IMAGE, a_datacenter
from tests.support.saga_contract import Story, check_contract
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio


class Caching(Story):
    async def outside(self, stack: AsyncExitStack) -> Outside:
        return await a_datacenter(stack)

    async def begin(self, executor: Executor) -> str:
        def work(tx: Transaction) -> str:
            return executor.begin(tx, CacheOnHosts(image_id=IMAGE, hosts=["host-1"]))

        return await executor.world.database.write(work)

    async def picture(self, outside: Outside) -> Any:
        return await outside.database.read(lambda tx: records.select(tx, CachedImage))

    def is_finished(self, before: Any, after: Any) -> bool:
        return before == after == []

    def is_clean(self, before: Any, after: Any) -> bool:
        return before == after == []


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Caching(), CacheOnHosts, deaths=20, pairs=10) > 3
