"""ResizeServer keeps the contract of every saga, to another host and on the same; a resized server has two places until it is confirmed."""

from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.resize_server import ResizeServer
from minicloud.conductor.executor import Executor
from minicloud.core.compute import moves
from tests.support.datacenters import OWNER, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory

pytestmark = pytest.mark.anyio


def up(host: str) -> bool:
    return True


def begin_resize(tx: Any, executor: Executor, *, same: bool = False, flavor: str = "2") -> str:
    before, server, action_id, move = moves.resize(tx, OWNER, only_server(tx).id, flavor, disk_config=None, is_up=up)
    assert before.host is not None
    return executor.begin(
        tx,
        ResizeServer(
            server_id=server.id,
            action_id=action_id,
            claimed="resize_prep",
            migration_id=move.uuid,
            destination=before.host if same else None,
            ignored=[] if same else [before.host],
            source=before.host,
            was=before.vm_state,
        ),
    )


class ResizeStory(ServerStory):
    given = "running"
    hosts = 4
    same = False

    async def begin(self, executor: Executor) -> str:
        return str(await executor.world.database.write(lambda tx: begin_resize(tx, executor, same=self.same)))

    def is_finished(self, before: Picture, after: Picture) -> bool:
        """It waits for a verdict; or did not start, and is in ERROR with its new flavor where its disks are."""
        [(_, _, source, _)] = before.servers
        [(vm_state, task, dest, _)] = after.servers
        if vm_state == "error":
            return (
                (task, (dest == source)) == (None, self.same)
                and dest in after.disks
                and {port[1] for port in after.ports} == {dest}
                and [c[:1] + c[2:] for c in after.claims if c[1] == "MEMORY_MB"] == [(dest, 2048)]
                and (after.addresses, after.open_sagas, after.open_actions) == (before.addresses, [], [])
                and (len(after.faults), after.last_action) == (1, ("resize", "Error"))
            )
        power = "running" if self.given == "running" else "shutdown"
        there = after.machines.get(str(dest), {})
        return (
            (vm_state, task) == ("resized", None)
            and (dest == source) == self.same
            and list(there.values()) == ([power] if self.given == "running" or self.same else [])
            and set(after.disks) == {source, dest}
            and set(after.wired) <= {source, dest}
            and {port[1] for port in after.ports} == {dest}
            # The old flavor's claim and the new one's: m1.tiny on the source, m1.small on the destination.
            and sorted(c[2] for c in after.claims if c[1] == "MEMORY_MB") == [512, 2048]
            and (after.addresses, after.faults, after.open_sagas, after.open_actions) == (before.addresses, [], [], [])
            and after.last_action == ("resize", None)
        )

    def is_clean(self, before: Picture, after: Picture) -> bool:
        """Where it was with what it had: as it was, or in ERROR with a fault when the guest had been touched."""
        [(_, _, host, _)] = before.servers
        if after.last_action != ("resize", "Error"):
            return False
        kept = msgspec.structs.replace(after, last_action=before.last_action, servers=before.servers, faults=[])
        if after.servers == [("error", None, host, "living")]:
            return kept == before and len(after.faults) == 1
        return kept == before and after.servers == before.servers and not after.faults


class OnTheSameHost(ResizeStory):
    same = True


class OfStopped(ResizeStory):
    given = "stopped"


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(ResizeStory(), ResizeServer, deaths=40, pairs=10) > 100


async def test_on_the_same_host_it_keeps_the_contract() -> None:
    assert await check_contract(OnTheSameHost(), ResizeServer, deaths=15, pairs=5, troubles=15) > 30


async def test_what_was_off_stays_off() -> None:
    assert await check_contract(OfStopped(), ResizeServer, deaths=10, pairs=5, troubles=12) > 30
