"""LiveMigrateServer keeps the contract of every saga: the guest goes on, there or here, and never on two hosts or none."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from minicloud.base import trace
from minicloud.base.errors import ErrorFacts
from minicloud.conductor.compute.live_migrate_server import LiveMigrateServer
from minicloud.conductor.executor import Executor
from minicloud.core import records
from minicloud.core.compute import moves
from minicloud.core.network.rows import Port
from minicloud.drivers.faults import Fault
from tests.support.datacenters import OWNER, Datacenter, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio

BROKEN = Fault(verb="ensure_switched", after=True, error=ErrorFacts("failed", "the connection broke"))
LOST = Fault(verb="arrived", error=ErrorFacts("timed_out", "nobody answered"))
COMING = Fault(verb="arrived", error=ErrorFacts("conflict", "it is coming", kind="coming"))
NEVER = msgspec.structs.replace(COMING, count=650)
GONE = Fault(verb="arrived", error=ErrorFacts("conflict", "its QEMU died", kind="lost"))


class Moving(msgspec.Struct, frozen=True):
    """The server, its ports' profiles, and how often its guest has booted."""

    server: Picture
    profiles: list[dict[str, Any]]
    boots: list[int]


class LiveStory(ServerStory):
    given = "running"
    hosts = 4

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            before, server, action_id, move = moves.live_migrate(tx, OWNER, only_server(tx).id, host=None)
            assert before.host is not None
            saga = LiveMigrateServer(
                server_id=server.id,
                action_id=action_id,
                claimed="migrating",
                migration_id=move.uuid,
                ignored=[before.host],
                source=before.host,
                was=before.vm_state,
            )
            return executor.begin(tx, saga)

        return str(await executor.world.database.write(work))

    async def picture(self, outside: Outside) -> Any:
        found = await super().picture(outside)
        ports = await outside.database.read(lambda tx: records.select(tx, Port, "device_owner LIKE 'compute:%'"))
        rows = [row for host in outside.agents for row in outside.log.rows("machines", host).values()]  # type: ignore[attr-defined]
        return Moving(found, [port.profile for port in ports], [row.boots for row in rows])

    def is_finished(self, before: Moving, after: Moving) -> bool:
        [(_, _, source, _)] = before.server.servers
        [(vm_state, task, dest, _)] = after.server.servers
        return (
            (vm_state, task, dest == source) == ("active", None, False)
            and {host: list(powers.values()) for host, powers in after.server.machines.items()} == {dest: ["running"]}
            and set(after.server.disks) == set(after.server.wired) == {dest}
            and [(host, status) for _, host, status in after.server.ports] == [(dest, "ACTIVE")]
            and {claim[0] for claim in after.server.claims} == {dest}
            and (after.profiles, after.boots) == ([{}], [1])
            and (after.server.open_sagas, after.server.open_actions) == ([], [])
            and after.server.last_action == ("live-migration", None)
        )

    def is_clean(self, before: Moving, after: Moving) -> bool:
        rest = msgspec.structs.replace(after.server, last_action=before.server.last_action)
        return (
            rest == before.server
            and (after.profiles, after.boots) == (before.profiles, before.boots)
            and after.server.last_action == ("live-migration", "Error")
        )


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(LiveStory(), LiveMigrateServer, deaths=60, pairs=20) > 50


@pytest.mark.parametrize(
    ("faults", "boots", "said"),
    [
        # Twice nobody can tell, once the answer is lost; then it is there, and is not sent again.
        ([BROKEN, COMING, COMING, LOST], [1], set[str]()),
        # It never came: it is sent once more.
        ([msgspec.structs.replace(BROKEN, after=False)], [1], {"sent_again"}),
        # It waits for nothing for a minute.
        ([msgspec.structs.replace(BROKEN, after=False), NEVER], [1], {"sent_again"}),
        # The old host has let go of it, and the new one has not got it: there it begins anew.
        ([GONE], [2], {"guest_lost"}),
    ],
)
async def test_a_connection_that_breaks_in_the_last_moment(
    faults: list[Fault], boots: list[int], said: set[str]
) -> None:
    notes, story = trace.Recording(), LiveStory()
    async with AsyncExitStack() as stack:
        outside = await story.outside(stack)
        assert isinstance(outside, Datacenter)
        outside.fake.faults.set(faults)
        with trace.recording(notes):
            async with Executor(outside.world(), [LiveMigrateServer]) as executor:
                await story.begin(executor)
                await executor.idle()
        after = await story.picture(outside)
        assert (after.server.last_action, after.boots) == (("live-migration", None), boots)
        [(host, powers)] = after.server.machines.items()
        assert (after.server.servers, list(powers.values())) == ([("active", None, host, "living")], ["running"])
        assert {"sent_again", "guest_lost"} & set(notes.words()) == said
        assert outside.fake.faults.remaining() == []
