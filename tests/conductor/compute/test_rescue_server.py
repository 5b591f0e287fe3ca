"""RescueServer and UnrescueServer keep the contract of every saga: the guest runs from one disk or the other, or it is said why not."""

from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.rescue_server import RescueServer, UnrescueServer
from minicloud.conductor.executor import Executor
from minicloud.core.compute import rescues
from tests.support.datacenters import OWNER, Datacenter, only_server, take
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio


class Disks(msgspec.Struct, frozen=True):
    """The server, and the names of its disks on all hosts."""

    server: Picture
    names: list[str]


def begin_rescue(tx: Any, executor: Executor) -> str:
    before, server, action_id, image = rescues.ask(tx, OWNER, only_server(tx).id, None, "secret")
    saga = RescueServer(server_id=server.id, action_id=action_id, claimed="rescuing", was=before.vm_state, rescue=image)
    return executor.begin(tx, saga)


class RescueStory(ServerStory):
    given = "running"
    action, state = "rescue", "rescued"

    async def begin(self, executor: Executor) -> str:
        return str(await executor.world.database.write(lambda tx: begin_rescue(tx, executor)))

    async def picture(self, outside: Outside) -> Any:
        assert isinstance(outside, Datacenter)
        keys = [key for host in outside.agents for key in outside.log.rows("disks", host)]
        return Disks(await super().picture(outside), sorted(key.partition("/")[2] for key in keys if "/" in key))

    def is_finished(self, before: Disks, after: Disks) -> bool:
        [(_, _, host, _)] = before.server.servers
        rest = msgspec.structs.replace(
            after.server, servers=before.server.servers, last_action=None, machines=before.server.machines
        )
        return (
            after.server.servers == [(self.state, None, host, "living")]
            and after.names == (["disk", "disk.rescue"] if self.action == "rescue" else ["disk"])
            and [list(powers.values()) for powers in after.server.machines.values()] == [["running"]]
            and rest == msgspec.structs.replace(before.server, last_action=None)
            and after.server.last_action == (self.action, None)
        )

    def is_clean(self, before: Disks, after: Disks) -> bool:
        """In ERROR with a fault, on its own disk; running if it ran from that before."""
        [(_, _, host, _)] = before.server.servers
        return (
            after.server.servers == [("error", None, host, "living")]
            and len(after.server.faults) == 1
            and set(after.names) <= {"disk", *before.names}
            and after.server.claims == before.server.claims
            and (self.action == "unrescue" or after.server.machines == before.server.machines)
            and after.server.last_action == (self.action, "Error")
            and (after.server.open_sagas, after.server.open_actions) == ([], [])
        )


class OfStopped(RescueStory):
    given = "stopped"


class UnrescueStory(RescueStory):
    action, state = "unrescue", "active"

    async def _prepared(self, stack: Any) -> Datacenter:
        center = await super()._prepared(stack)
        async with Executor(center.world(), [RescueServer]) as executor:
            await center.database.write(lambda tx: begin_rescue(tx, executor))
            await executor.idle()
        return center

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = take(tx, "unrescue")
            return executor.begin(tx, UnrescueServer(server_id=server.id, action_id=action_id, claimed="unrescuing"))

        return str(await executor.world.database.write(work))


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(RescueStory(), RescueServer, deaths=40, pairs=10) > 50


async def test_of_a_stopped_server_it_keeps_the_contract() -> None:
    assert await check_contract(OfStopped(), RescueServer, deaths=10, pairs=5, troubles=10) > 20


async def test_the_way_back_keeps_the_contract() -> None:
    assert await check_contract(UnrescueStory(), UnrescueServer, deaths=40, pairs=10) > 50
