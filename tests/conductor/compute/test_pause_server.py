"""PauseServer keeps the contract of every saga: one that fails leaves the guest as it was."""

from typing import Any

import pytest

from minicloud.conductor.compute.pause_server import PauseServer
from minicloud.conductor.executor import Executor
from tests.support.datacenters import take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was, is_at_rest

pytestmark = pytest.mark.anyio


class Pause(ServerStory):
    given = "running"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "pause")
            return executor.begin(tx, PauseServer(server_id=server.id, action_id=action_id, claimed="pausing"))

        return await executor.world.database.write(work)

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return is_at_rest(before, after, "paused", "paused") and after.last_action == ("pause", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("pause", "Error")


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Pause(), PauseServer) > 50
