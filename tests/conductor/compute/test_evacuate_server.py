"""EvacuateServer keeps the contract of every saga: on another host with the places of both, or in ERROR where it was."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.evacuate_server import EvacuateServer
from minicloud.conductor.executor import Executor
from minicloud.core.compute import lifecycle, moves
from tests.support.datacenters import OWNER, Datacenter, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio


def down(host: str) -> bool:
    return False


class EvacuateStory(ServerStory):
    given = "running"
    hosts = 4
    target = lifecycle.ACTIVE

    async def outside(self, stack: AsyncExitStack) -> Outside:
        center = await super().outside(stack)
        assert isinstance(center, Datacenter)
        server = await center.database.read(only_server)
        await center.host_stops(str(server.host))
        # Its agent takes leave at the end, as one that lives.
        stack.push_async_callback(center.servicegroup.join, f"nova-compute@{server.host}")
        return center

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            before, server, action_id, move = moves.evacuate(
                tx, OWNER, only_server(tx).id, host=None, password="secret", is_up=down
            )
            assert before.host is not None
            saga = EvacuateServer(
                server_id=server.id,
                action_id=action_id,
                claimed="rebuilding",
                migration_id=move.uuid,
                ignored=[before.host],
                source=before.host,
                target=self.target,
            )
            return executor.begin(tx, saga)

        return str(await executor.world.database.write(work))

    def is_finished(self, before: Picture, after: Picture) -> bool:
        [(_, _, source, _)] = before.servers
        [(vm_state, task, dest, _)] = after.servers
        there = list(after.machines.get(str(dest), {}).values())
        return (
            (vm_state, task, dest == source) == (self.target, None, False)
            and there == (["running"] if self.target == lifecycle.ACTIVE else [])
            and after.machines[str(source)] == before.machines[str(source)]
            and set(after.disks) == {source, dest}
            and [(host, status) for _, host, status in after.ports] == [(dest, "ACTIVE")]
            and {claim[0] for claim in after.claims} == {source, dest}
            and (after.addresses, after.open_sagas, after.open_actions) == (before.addresses, [], [])
            and after.last_action == ("evacuate", None)
        )

    def is_clean(self, before: Picture, after: Picture) -> bool:
        [(_, _, host, _)] = before.servers
        rest = msgspec.structs.replace(
            after, servers=before.servers, faults=[], last_action=before.last_action, ports=before.ports
        )
        return (
            after.servers == [("error", None, host, "living")]
            and len(after.faults) == 1
            and rest == before
            and [port[1] for port in after.ports] == [host]
            and after.last_action == ("evacuate", "Error")
        )


class Stopped(EvacuateStory):
    target = lifecycle.STOPPED


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(EvacuateStory(), EvacuateServer, deaths=30, pairs=10) > 50


async def test_to_be_off_it_keeps_the_contract() -> None:
    assert await check_contract(Stopped(), EvacuateServer, deaths=10, pairs=5, troubles=10) > 20
