"""DetachInterface keeps the contract of every saga: nothing of a card is left, or the server has it still."""

from typing import Any

import pytest

from minicloud.conductor.compute.detach_interface import DetachInterface
from minicloud.conductor.executor import Executor
from minicloud.core.compute import interfaces
from minicloud.core.network import ports
from tests.support.card_stories import Cards, CardStory
from tests.support.datacenters import OWNER, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import as_it_was

pytestmark = pytest.mark.anyio


class Detached(CardStory):
    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            server = only_server(tx)
            [port] = ports.of_server(tx, server.id)
            server, action_id = interfaces.detach(tx, OWNER, server.id)
            return executor.begin(tx, DetachInterface(server_id=server.id, action_id=action_id, port_id=port.id))

        return await executor.world.database.write(work)

    def is_finished(self, before: Cards, after: Cards) -> bool:
        return (
            after.cards == [0]
            and (after.server.ports, after.server.wired) == ([], {})
            and after.server.addresses == before.server.addresses - 1
            and after.server.servers == before.server.servers
            and after.server.last_action == ("detach_interface", None)
            and not after.server.open_actions
        )

    def is_clean(self, before: Cards, after: Cards) -> bool:
        """The record is as it was; a guest that has let go already is given its card again by its next start."""
        assert after.server.last_action is not None
        return (
            as_it_was(before.server, after.server)
            and after.cards in ([1], [0])
            and after.server.last_action[1] == "Error"
        )


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Detached(), DetachInterface, pairs=40) > 80
