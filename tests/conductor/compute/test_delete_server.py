"""DeleteServer keeps the contract of every saga: past the first destruction it goes on until nothing is left."""

from typing import Any

import pytest

from minicloud.conductor.compute.delete_server import DeleteServer
from minicloud.conductor.executor import Executor
from tests.support.datacenters import take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was

pytestmark = pytest.mark.anyio


class Deletion(ServerStory):
    given = "running"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "delete")
            return executor.begin(tx, DeleteServer(server_id=server.id, action_id=action_id, claimed="deleting"))

        return await executor.world.database.write(work)

    def is_finished(self, before: Picture, after: Picture) -> bool:
        [(vm_state, task_state, _, gone)] = after.servers
        return (
            (vm_state, task_state, gone) == ("deleted", None, "deleted")
            and not (after.claims or after.used or after.ports or after.machines or after.wired or after.disks)
            and after.addresses == before.addresses - 1
            and not after.open_sagas
            and not after.open_actions
            and after.last_action == ("delete", None)
        )

    def is_clean(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("delete", "Error")


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Deletion(), DeleteServer) > 80
