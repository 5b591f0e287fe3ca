"""Reshaping: a host's devices become providers of their own, with those who use them."""

import pytest

from minicloud.base.errors import Conflict, Invalid
from minicloud.core.placement import allocations, resource_providers, usages
from minicloud.core.placement.allocations import Wish
from minicloud.core.placement.inventories import Stocked
from minicloud.core.placement.reshaper import Reshaped, reshape
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase
from tests.support.placement import a_provider

pytestmark = pytest.mark.anyio


async def test_inventory_and_allocations_move_to_a_child_at_once() -> None:
    database = InlineDatabase()

    def story(tx: Transaction) -> None:
        host = a_provider(tx, "host", {"VCPU": Stocked(total=4), "VGPU": Stocked(total=2)})
        card = a_provider(tx, "card", {}, parent_id=host)
        allocations.claim(tx, "server", "p", "u", {host: {"VCPU": 1, "VGPU": 2}})

        def generation(provider_id: str) -> int:
            return resource_providers.get(tx, provider_id).generation

        wanted = {
            host: Reshaped(generation=generation(host), stocked={"VCPU": Stocked(total=4)}),
            card: Reshaped(generation=generation(card), stocked={"VGPU": Stocked(total=2)}),
        }
        wish = Wish(
            consumer_id="server",
            project_id="p",
            user_id="u",
            allocations={host: {"VCPU": 1}, card: {"VGPU": 2}},
            generation=1,
        )
        reshape(tx, wanted, [wish])
        assert usages.of_provider(tx, host) == {"VCPU": 1}
        assert usages.of_provider(tx, card) == {"VGPU": 2}
        with pytest.raises(Conflict, match="generation conflict for provider"):
            reshape(tx, wanted, [])
        with pytest.raises(Conflict, match="in use"):
            reshape(tx, {card: Reshaped(generation=generation(card), stocked={})}, [])
        with pytest.raises(Invalid) as missing:
            reshape(tx, {"nowhere": Reshaped(generation=0, stocked={})}, [])
        assert missing.value.kind == "placement.resource_provider.not_found"

    await database.write(story)
