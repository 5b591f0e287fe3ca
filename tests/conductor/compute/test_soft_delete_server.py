"""SoftDeleteServer and RestoreServer keep the contract of every saga: off and out of sight with all that it has, or there again."""

from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.soft_delete_server import RestoreServer, SoftDeleteServer
from minicloud.conductor.executor import Executor
from minicloud.core.compute import deferred_deletes
from tests.support.datacenters import OWNER, Datacenter, only_server, take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was, is_at_rest

pytestmark = pytest.mark.anyio


def begin_deletion(tx: Any, executor: Executor) -> str:
    server, action_id = take(tx, "soft_delete")
    return executor.begin(tx, SoftDeleteServer(server_id=server.id, action_id=action_id, claimed="soft-deleting"))


class SoftDeleteStory(ServerStory):
    given = "running"

    async def begin(self, executor: Executor) -> str:
        return str(await executor.world.database.write(lambda tx: begin_deletion(tx, executor)))

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return is_at_rest(before, after, "soft-delete", "shutdown") and after.last_action == ("delete", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("delete", "Error")


class RestoreStory(SoftDeleteStory):
    async def _prepared(self, stack: Any) -> Datacenter:
        center = await super()._prepared(stack)
        async with Executor(center.world(), [SoftDeleteServer]) as executor:
            await center.database.write(lambda tx: begin_deletion(tx, executor))
            await executor.idle()
        return center

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = deferred_deletes.ask_restore(tx, OWNER, only_server(tx).id)
            return executor.begin(tx, RestoreServer(server_id=server.id, action_id=action_id, claimed="restoring"))

        return str(await executor.world.database.write(work))

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return is_at_rest(before, after, "active", "running") and after.last_action == ("restore", None)

    def is_clean(self, before: Picture, after: Picture) -> bool:
        """In ERROR with a fault, and as much off as before."""
        [(_, _, host, _)] = before.servers
        rest = msgspec.structs.replace(after, servers=before.servers, faults=[], last_action=before.last_action)
        return rest == before and after.servers == [("error", None, host, "living")] and len(after.faults) == 1


async def test_deleting_keeps_the_contract() -> None:
    assert await check_contract(SoftDeleteStory(), SoftDeleteServer, deaths=60, pairs=10) > 10


async def test_restoring_keeps_the_contract() -> None:
    assert await check_contract(RestoreStory(), RestoreServer, deaths=60, pairs=10) > 20
