"""RebootServer keeps the contract of every saga, soft and hard; a reboot that fails half-way ends in ERROR and says why."""

from typing import Any, Literal

import pytest

from minicloud.conductor.compute.reboot_server import RebootServer
from minicloud.conductor.executor import Executor
from tests.support.datacenters import take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was, is_at_rest

pytestmark = pytest.mark.anyio


class Reboot(ServerStory):
    given = "running"

    def __init__(self, kind: Literal["SOFT", "HARD"]) -> None:
        super().__init__()
        self._kind = kind

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, f"reboot_{self._kind.lower()}")
            assert server.task_state is not None
            return executor.begin(
                tx,
                RebootServer(server_id=server.id, action_id=action_id, claimed=server.task_state, kind=self._kind),
            )

        return await executor.world.database.write(work)

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return is_at_rest(before, after, "active", "running") and after.last_action == ("reboot", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        if after.last_action != ("reboot", "Error"):
            return False
        [power] = [power for powers in after.machines.values() for power in powers.values()]
        failed = is_at_rest(before, after, "error", power, faults=1)
        return failed or as_it_was(before, after)


@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
async def test_it_keeps_the_contract(kind: Literal["SOFT", "HARD"]) -> None:
    assert await check_contract(Reboot(kind), RebootServer) > 100
