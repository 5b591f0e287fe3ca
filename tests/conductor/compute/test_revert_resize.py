"""RevertResize keeps the contract of every saga: the old guest on the old host with the old flavor, or ERROR that says why."""

import pytest

from minicloud.conductor.compute.revert_resize import RevertResize
from minicloud.conductor.executor import Executor
from minicloud.core.compute import moves
from minicloud.reconcilers.leftovers import Leftovers
from minicloud.reconcilers.loop import Mending
from tests.conductor.compute.test_confirm_resize import Resized
from tests.support.datacenters import OWNER, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture

pytestmark = pytest.mark.anyio


class RevertStory(Resized):
    async def begin(self, executor: Executor) -> str:
        def work(tx: object) -> str:
            server, action_id, move = moves.revert(tx, OWNER, only_server(tx).id)  # type: ignore[arg-type]
            saga = RevertResize(
                server_id=server.id, action_id=action_id, claimed="resize_reverting", migration_id=move.uuid
            )
            return executor.begin(tx, saga)  # type: ignore[arg-type]

        return str(await executor.world.database.write(work))

    async def later(self, executor: Executor) -> None:
        await Leftovers().mend(Mending(executor.world, executor))

    def is_finished(self, before: Picture, after: Picture) -> bool:
        [(_, _, host, _)] = after.servers
        return (
            after.servers == [("active", None, host, "living")]
            and (host == before.servers[0][2]) == self.same
            and {h: list(powers.values()) for h, powers in after.machines.items()} == {host: ["running"]}
            and set(after.disks) == set(after.wired) == {host}
            and {(port[1], port[2]) for port in after.ports} == {(host, "ACTIVE")}
            and sorted(c[2] for c in after.claims if c[1] == "MEMORY_MB") == [512]
            and (after.open_sagas, after.open_actions, after.last_action) == ([], [], ("revertResize", None))
        )

    def is_clean(self, before: Picture, after: Picture) -> bool:
        """In ERROR on one host, old or new, with one place, and nothing of it on any other."""
        [(_, _, host, _)] = after.servers
        claims = {claim[0] for claim in after.claims}
        return (
            after.servers == [("error", None, host, "living")]
            and len(after.faults) == 1
            and claims == {host}
            and set(after.machines) | set(after.disks) | set(after.wired) <= {host}
            and (after.open_sagas, after.open_actions, after.last_action) == ([], [], ("revertResize", "Error"))
        )


class OnTheSameHost(RevertStory):
    same = True


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(RevertStory(), RevertResize, deaths=40, pairs=10) > 50


async def test_on_the_same_host_it_keeps_the_contract() -> None:
    assert await check_contract(OnTheSameHost(), RevertResize, deaths=15, pairs=5, troubles=15) > 20
