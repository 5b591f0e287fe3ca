"""CreateServer keeps the contract of every saga, tells why it failed, and goes to another host when one fails."""

from typing import Any

import pytest

from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.executor import Executor
from tests.support.datacenters import ask
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory

pytestmark = pytest.mark.anyio


class Creation(ServerStory):
    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id = ask(tx)
            return executor.begin(tx, CreateServer(server_id=server.id, action_id=action_id))

        return await executor.world.database.write(work)

    def is_finished(self, before: Picture, after: Picture) -> bool:
        [(vm_state, task_state, host, _)] = after.servers
        assert host is not None
        return (
            (vm_state, task_state) == ("active", None)
            and after.claims == [(host, "DISK_GB", 1), (host, "MEMORY_MB", 512), (host, "VCPU", 1)]
            and after.used == after.claims
            and [(port[1], port[2]) for port in after.ports] == [(host, "ACTIVE")]
            and after.addresses == before.addresses + 1
            and [list(powers.values()) for powers in after.machines.values()] == [["running"]]
            and list(after.machines) == list(after.disks) == list(after.wired) == [host]
            and len(after.wired[host]) == 1
            and not after.open_sagas
            and not after.open_actions
            and after.last_action == ("create", None)
        )

    def is_clean(self, before: Picture, after: Picture) -> bool:
        return (
            after.servers == [("error", None, None, "living")]
            and len(after.faults) == 1
            and not (after.claims or after.used or after.ports or after.machines or after.wired or after.disks)
            and after.addresses == before.addresses
            and not after.open_sagas
            and not after.open_actions
            and after.last_action == ("create", "Error")
        )


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Creation(), CreateServer) > 300
