"""ConfirmResize keeps the contract of every saga: the old host has nothing left, and the old place is free."""

import pytest

from minicloud.conductor.compute.confirm_resize import ConfirmResize
from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.compute.resize_server import ResizeServer
from minicloud.conductor.executor import Executor
from minicloud.core.compute import moves
from tests.conductor.compute.test_resize_server import begin_resize, up
from tests.support.datacenters import OWNER, Datacenter, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was

pytestmark = pytest.mark.anyio


class Resized(ServerStory):
    """A server that waits for the verdict."""

    given = "running"
    same = False

    async def _prepared(self, stack: object) -> Datacenter:
        center = await super()._prepared(stack)  # type: ignore[arg-type]
        async with Executor(center.world(), [CreateServer, ResizeServer]) as executor:
            await center.database.write(lambda tx: begin_resize(tx, executor, same=self.same))
            await executor.idle()
        return center


class ConfirmStory(Resized):
    async def begin(self, executor: Executor) -> str:
        def work(tx: object) -> str:
            server, action_id, move = moves.confirm(tx, OWNER, only_server(tx).id, is_up=up)  # type: ignore[arg-type]
            saga = ConfirmResize(server_id=server.id, action_id=action_id, migration_id=move.uuid)
            return executor.begin(tx, saga)  # type: ignore[arg-type]

        return str(await executor.world.database.write(work))

    def is_finished(self, before: Picture, after: Picture) -> bool:
        [(_, _, host, _)] = after.servers
        return (
            after.servers == [("active", None, host, "living")]
            and list(after.machines.values()) == [before.machines[str(host)]]
            and set(after.machines) == set(after.disks) == set(after.wired) == {host}
            and sorted(c[2] for c in after.claims if c[1] == "MEMORY_MB") == [2048]
            and (after.open_sagas, after.open_actions, after.last_action) == ([], [], ("confirmResize", None))
        )

    def is_clean(self, before: Picture, after: Picture) -> bool:
        return as_it_was(before, after) and after.last_action == ("confirmResize", "Error")


class OnTheSameHost(ConfirmStory):
    same = True


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(ConfirmStory(), ConfirmResize, pairs=10) > 20


async def test_on_the_same_host_it_keeps_the_contract() -> None:
    assert await check_contract(OnTheSameHost(), ConfirmResize, pairs=10) > 20
