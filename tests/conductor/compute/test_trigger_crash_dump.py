"""TriggerCrashDump keeps the contract of every saga: the server goes on as it was, and the record tells how it went."""

from typing import Any

import pytest

from minicloud.conductor.compute.trigger_crash_dump import TriggerCrashDump
from minicloud.conductor.executor import Executor
from tests.support.datacenters import take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was

pytestmark = pytest.mark.anyio


class CrashStory(ServerStory):
    given = "running"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "trigger_crash_dump")
            return executor.begin(tx, TriggerCrashDump(server_id=server.id, action_id=action_id))

        return await executor.world.database.write(work)

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("trigger_crash_dump", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("trigger_crash_dump", "Error")


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(CrashStory(), TriggerCrashDump) > 10
