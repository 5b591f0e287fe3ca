"""RebootServer keeps the contract of every saga, soft and hard; a reboot that fails half-way ends in ERROR and says why;
nothing comes between a reboot and the one that waits for it."""

from contextlib import AsyncExitStack
from typing import Any, Literal

import pytest

from minicloud.base.errors import Conflict
from minicloud.conductor import log
from minicloud.conductor.compute.reboot_server import RebootServer
from minicloud.conductor.compute.stop_server import StopServer
from minicloud.conductor.executor import Executor
from minicloud.core import records
from tests.support.datacenters import Datacenter, only_server, take
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


def reboot(tx: Any) -> RebootServer:
    server, action_id = take(tx, "reboot_hard")
    return RebootServer(server_id=server.id, action_id=action_id, claimed="rebooting_hard", kind="HARD")


async def test_a_server_that_another_reboot_waits_for_stays_taken() -> None:
    async with AsyncExitStack() as stack:
        center = await Reboot("HARD").outside(stack)
        assert isinstance(center, Datacenter)
        async with Executor(center.world(), [RebootServer]) as executor:
            first = await center.database.write(lambda tx: executor.begin(tx, reboot(tx)))
            # The second is written down, and does not look yet whether it is its turn.
            second = await center.database.write(lambda tx: log.begin(tx, reboot(tx)).id)
            assert await executor.ended(first) == "finished"
            with pytest.raises(Conflict, match="rebooting_hard"):
                await center.database.write(lambda tx: take(tx, "stop"))
            executor.drive(second)
            assert await executor.ended(second) == "finished"
        server = await center.database.read(only_server)
        assert (server.vm_state, server.task_state) == ("active", None)


async def test_a_guest_that_was_stopped_later_than_a_reboot_was_asked_for_stays_off() -> None:
    async with AsyncExitStack() as stack:
        center = await Reboot("HARD").outside(stack)
        assert isinstance(center, Datacenter)
        async with Executor(center.world(), [RebootServer, StopServer]) as executor:
            waiting = await center.database.write(lambda tx: log.begin(tx, reboot(tx)).id)

            def let_go_and_stop(tx: Any) -> str:
                records.change(tx, only_server(tx), task_state=None)
                server, action_id = take(tx, "stop")
                return executor.begin(tx, StopServer(server_id=server.id, action_id=action_id, claimed="powering-off"))

            assert await executor.ended(await center.database.write(let_go_and_stop)) == "finished"
            executor.drive(waiting)
            assert await executor.ended(waiting) == "rolled_back"
        server = await center.database.read(only_server)
        assert (server.vm_state, server.task_state) == ("stopped", None)
        assert center.machines()[server.host or ""] == {server.id: "shutdown"}
