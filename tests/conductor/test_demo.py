"""The demo saga keeps the contract of every saga, and waits until it is told."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.conductor.demo import Demo, PlayDemo
from minicloud.conductor.executor import Executor
from minicloud.core import records
from tests.support.saga_contract import Story, check_contract
from tests.support.worlds import Outside, an_outside

pytestmark = pytest.mark.anyio


class DemoStory(Story):
    async def outside(self, stack: AsyncExitStack) -> Outside:
        return await an_outside(stack)

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            records.insert(tx, Demo(id="d", word="go"))
            return executor.begin(tx, PlayDemo(demo_id="d"))

        return await executor.world.database.write(work)

    async def picture(self, outside: Outside) -> Any:
        return await outside.database.read(lambda tx: records.select(tx, Demo))

    def is_finished(self, before: Any, after: Any) -> bool:
        return [demo.reached for demo in after] == ["finished"]

    def is_clean(self, before: Any, after: Any) -> bool:
        return bool(after == before)


async def test_the_demo_keeps_the_contract() -> None:
    assert await check_contract(DemoStory(), PlayDemo) > 100
