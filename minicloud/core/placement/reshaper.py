"""Reshaping: inventories and allocations moved between providers at once, as when a host's devices become providers of their own."""

from collections.abc import Mapping, Sequence

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.placement import allocations, inventories, resource_providers
from minicloud.core.placement.allocations import Wish
from minicloud.core.placement.inventories import Stocked
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.engines.database import Transaction


class Reshaped(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider is to have in the end, and its generation as it was read."""

    generation: int
    stocked: Mapping[str, Stocked]


def reshape(tx: Transaction, wanted: Mapping[str, Reshaped], wishes: Sequence[Wish]) -> None:
    """Bring providers and consumers into their new shape; the caller's transaction must be given up when this raises.

    In between a provider has what it had and what it is to have, for there is no allocation without its inventory. Raises
    Invalid for a provider that does not exist, else what ``inventories.set_all`` and ``allocations.replace`` raise.
    """
    for provider_id, reshaped in wanted.items():
        provider = records.find(tx, ResourceProvider, provider_id)
        if provider is None:
            raise Invalid(
                f"Resource provider {provider_id} in inventories not found: No resource provider with uuid {provider_id} "
                "found",
                kind="placement.resource_provider.not_found",
            )
        resource_providers.expect_generation(
            provider,
            reshaped.generation,
            f"resource provider generation conflict for provider {provider_id}: actual: {provider.generation}, given: "
            f"{reshaped.generation}",
        )
    for provider_id, reshaped in wanted.items():
        if reshaped.stocked:
            had = {
                found.resource_class: inventories.stocked_of(found)
                for found in inventories.of_provider(tx, provider_id)
            }
            inventories.set_all(tx, provider_id, {**had, **reshaped.stocked})
    allocations.replace(tx, wishes)
    for provider_id, reshaped in wanted.items():
        inventories.set_all(tx, provider_id, reshaped.stocked)
    trace.note("reshaped", providers=list(wanted), consumers=[wish.consumer_id for wish in wishes])
