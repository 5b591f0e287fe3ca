"""StartServer keeps the contract of every saga: a start that fails leaves the guest off, as its record says."""

from typing import Any

import pytest

from minicloud.conductor.compute.start_server import StartServer
from minicloud.conductor.executor import Executor
from tests.support.datacenters import take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was, is_at_rest

pytestmark = pytest.mark.anyio


class Start(ServerStory):
    given = "stopped"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "start")
            return executor.begin(tx, StartServer(server_id=server.id, action_id=action_id, claimed="powering-on"))

        return await executor.world.database.write(work)

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return is_at_rest(before, after, "active", "running") and after.last_action == ("start", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("start", "Error")


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Start(), StartServer) > 80
