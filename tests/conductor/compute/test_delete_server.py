"""DeleteServer keeps the contract of every saga: past the first destruction it goes on until nothing is left."""

import itertools
from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.compute.delete_server import DeleteServer
from minicloud.conductor.compute.reboot_server import RebootServer
from minicloud.conductor.compute.start_server import StartServer
from minicloud.conductor.compute.stop_server import StopServer
from minicloud.conductor.executor import Executor
from minicloud.conductor.recovery import recover
from minicloud.conductor.step import Saga
from minicloud.engines.database import Transaction
from tests.support.datacenters import Datacenter, ask, only_server, take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was
from tests.support.worlds import Crash, Points

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


class Meeting(ServerStory):
    """A server that is deleted while other work on it is under way."""

    def __init__(self, given: str, kind: type[Any]) -> None:
        super().__init__()
        self.given = given
        self._kind = kind

    async def begin(self, executor: Executor) -> str:
        return await executor.world.database.write(lambda tx: self.begun(tx, executor))

    def is_finished(self, before: Picture, after: Picture) -> bool:
        return after.servers[0][0] == "deleted"

    def begun(self, tx: Transaction, executor: Executor) -> str:
        """Begin the other work."""
        if self._kind is CreateServer:
            server, action_id = ask(tx)
            return executor.begin(tx, CreateServer(server_id=server.id, action_id=action_id))
        server, action_id = take(tx, ACTIONS[self._kind])
        claimed = server.task_state or ""
        more = {"kind": "SOFT"} if self._kind is RebootServer else {}
        return executor.begin(tx, self._kind(server_id=server.id, action_id=action_id, claimed=claimed, **more))


ACTIONS: dict[type[Any], str] = {StartServer: "start", StopServer: "stop", RebootServer: "reboot_soft"}
KINDS = (CreateServer, DeleteServer, StartServer, StopServer, RebootServer)


def delete(tx: Transaction, executor: Executor) -> None:
    """As the API does it."""
    if only_server(tx).task_state != "deleting":
        server, action_id = take(tx, "delete")
        executor.begin(tx, DeleteServer(server_id=server.id, action_id=action_id, claimed="deleting"))


async def meet(story: Meeting, point: int, crash: int | None) -> tuple[Picture, int, bool]:
    """The other work begins, and the delete when it has come to this point; the process may die at another one."""
    async with AsyncExitStack() as stack:
        center = await story.outside(stack)
        assert isinstance(center, Datacenter)
        points = Points(set() if crash is None else {crash})
        try:
            async with Executor(center.world(points), KINDS) as executor:

                async def delete_now() -> None:
                    await center.database.write(lambda tx: delete(tx, executor))

                points.meanwhile[point] = delete_now
                await story.begin(executor)
                points.counting = True
                await executor.idle()
        except BaseExceptionGroup as group:
            if group.split(Crash)[1] is not None:
                raise
        points.counting = False
        async with Executor(center.world(), KINDS) as executor:
            await recover(executor)
            await executor.idle()
            if crash is not None:
                # It may have died before anybody asked to delete.
                await center.database.write(lambda tx: None if only_server(tx).deleted else delete(tx, executor))
                await executor.idle()
        return await story.picture(center), points.reached, point not in points.meanwhile


@pytest.mark.parametrize(
    ("given", "kind"),
    [("nothing", CreateServer), ("stopped", StartServer), ("running", StopServer), ("running", RebootServer)],
)
async def test_a_delete_in_the_middle_of_other_work_leaves_nothing_whenever_it_comes(
    given: str, kind: type[Saga]
) -> None:
    story = Meeting(given, kind)
    before = await empty(story)
    tried = 0
    for point in itertools.count(1):
        crashes: list[int | None] = [None]
        for crash in crashes:
            after, reached, met = await meet(story, point, crash)
            if not met and crash is None:
                # The other work has fewer points than that: every one has been tried.
                assert tried >= 12
                return
            label = f"{kind.__name__}, deleted at point {point}, killed at {crash}"
            assert [(s[0], s[1], s[3]) for s in after.servers] == [("deleted", None, "deleted")], label
            remains = [after.claims, after.used, after.ports, after.machines, after.wired, after.disks]
            assert not any([*remains, after.open_sagas, after.open_actions]), (label, after)
            assert after.addresses == before, label
            tried += 1
            if crash is None:
                crashes += range(point + 1, reached + 1, 2)


async def empty(story: Meeting) -> int:
    """How many addresses are in use without the server."""
    async with AsyncExitStack() as stack:
        center = await story.outside(stack)
        count: int = (await story.picture(center)).addresses
        return count - (story.given != "nothing")
