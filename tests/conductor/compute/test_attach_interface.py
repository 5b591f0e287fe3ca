"""AttachInterface keeps the contract of every saga: a card with its port and its wires, or none of them."""

from typing import Any

import pytest

from minicloud.conductor.compute.attach_interface import AttachInterface
from minicloud.conductor.executor import Executor
from minicloud.core.compute import interfaces
from tests.support.card_stories import Cards, CardStory
from tests.support.datacenters import OWNER, only_server
from tests.support.saga_contract import check_contract

pytestmark = pytest.mark.anyio


class Attached(CardStory):
    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server, action_id, port = interfaces.attach(tx, OWNER, only_server(tx).id)
            return executor.begin(tx, AttachInterface(server_id=server.id, action_id=action_id, port_id=port.id))

        return await executor.world.database.write(work)

    def is_finished(self, before: Cards, after: Cards) -> bool:
        [(host, wired)] = after.server.wired.items()
        return (
            after.cards == [2]
            and len(wired) == 2
            and [port[1:] for port in after.server.ports] == [(host, "ACTIVE")] * 2
            and after.server.addresses == before.server.addresses + 1
            and after.server.servers == before.server.servers
            and after.server.last_action == ("attach_interface", None)
            and not after.server.open_actions
        )


class AttachedToStopped(Attached):
    given = "stopped"


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Attached(), AttachInterface, pairs=40) > 100


async def test_attaching_to_a_guest_that_is_off_keeps_it_too() -> None:
    assert await check_contract(AttachedToStopped(), AttachInterface, pairs=20) > 100
