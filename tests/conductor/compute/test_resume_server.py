"""ResumeServer keeps the contract of every saga: one that fails leaves the guest as it was."""

from typing import Any

import pytest

from minicloud.agent import calls
from minicloud.conductor.compute.resume_server import ResumeServer
from minicloud.conductor.executor import Executor
from minicloud.core import records
from minicloud.core.compute import lifecycle
from tests.support.datacenters import only_server, take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was, is_at_rest

pytestmark = pytest.mark.anyio


class Resume(ServerStory):
    given = "running"

    async def prepare(self, executor: Executor) -> None:
        await super().prepare(executor)
        server = await executor.world.database.read(only_server)
        assert server.host is not None
        await executor.world.agents.ask(server.host, calls.EnsureServerSuspended(server_id=server.id))
        await executor.world.database.write(
            lambda tx: records.change(tx, only_server(tx), vm_state="suspended", power_state=lifecycle.POWER_SUSPENDED)
        )

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "resume")
            return executor.begin(tx, ResumeServer(server_id=server.id, action_id=action_id, claimed="resuming"))

        return await executor.world.database.write(work)

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return is_at_rest(before, after, "active", "running") and after.last_action == ("resume", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("resume", "Error")


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Resume(), ResumeServer) > 50
