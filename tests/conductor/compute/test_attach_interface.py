"""AttachInterface and DetachInterface keep the contract of every saga: a card with its port and its wires, or none of them."""

from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.attach_interface import AttachInterface
from minicloud.conductor.compute.detach_interface import DetachInterface
from minicloud.conductor.executor import Executor
from minicloud.core.compute import interfaces
from minicloud.core.network import ports
from tests.support.datacenters import OWNER, Datacenter, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio


class Cards(msgspec.Struct, frozen=True):
    """What of a card could be left behind."""

    server: Picture
    cards: list[int]


class CardStory(ServerStory):
    given = "running"

    async def picture(self, outside: Outside) -> Any:
        assert isinstance(outside, Datacenter)
        rows = [row for host in outside.agents for row in outside.log.rows("machines", host).values()]
        machines = [row["machine"] if isinstance(row, dict) else row.machine for row in rows]
        cards = [len(m["nics"]) if isinstance(m, dict) else len(m.nics) for m in machines]
        return Cards(server=await super().picture(outside), cards=cards)

    def is_clean(self, before: Cards, after: Cards) -> bool:
        assert after.server.last_action is not None
        return (
            as_it_was(before.server, after.server)
            and after.cards == before.cards
            and after.server.last_action[1] == "Error"
        )


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


async def test_attaching_keeps_the_contract() -> None:
    assert await check_contract(Attached(), AttachInterface, pairs=40) > 100


async def test_attaching_to_a_guest_that_is_off_keeps_it_too() -> None:
    assert await check_contract(AttachedToStopped(), AttachInterface, pairs=20) > 100


async def test_detaching_keeps_the_contract() -> None:
    assert await check_contract(Detached(), DetachInterface, pairs=40) > 80
