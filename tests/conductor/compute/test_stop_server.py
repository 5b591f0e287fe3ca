"""StopServer keeps the contract of every saga; what a failed stop left of the guest, the repair of power states finds out."""

from typing import Any

import pytest

from minicloud.conductor.compute.stop_server import StopServer
from minicloud.conductor.executor import Executor
from minicloud.reconcilers.loop import Mending
from minicloud.reconcilers.power_states import PowerStates
from tests.support.datacenters import take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was, is_at_rest

pytestmark = pytest.mark.anyio


class Stop(ServerStory):
    given = "running"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "stop")
            return executor.begin(tx, StopServer(server_id=server.id, action_id=action_id, claimed="powering-off"))

        return await executor.world.database.write(work)

    async def later(self, executor: Executor) -> None:
        await PowerStates().mend(Mending(executor.world, executor))

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return is_at_rest(before, after, "stopped", "shutdown") and after.last_action == ("stop", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        # Nobody presses the power button twice: a guest that is off stays off, and its record follows.
        off = is_at_rest(before, after, "stopped", "shutdown")
        return (off or as_it_was(before, after)) and after.last_action == ("stop", "Error")


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Stop(), StopServer) > 60
