"""Builders of providers in a database."""

from collections.abc import Iterable, Mapping

from minicloud.core.placement import aggregates, inventories, resource_providers, traits
from minicloud.core.placement.inventories import Stocked
from minicloud.engines.database import Transaction

SMALL_HOST = {
    "VCPU": Stocked(total=4, allocation_ratio=4.0, max_unit=4),
    "MEMORY_MB": Stocked(total=8192, reserved=512, max_unit=8192),
    "DISK_GB": Stocked(total=100),
}


def a_provider(
    tx: Transaction,
    name: str,
    stocked: Mapping[str, Stocked] | None = None,
    *,
    provider_id: str | None = None,
    parent_id: str | None = None,
    having: Iterable[str] = (),
    within: Iterable[str] = (),
) -> str:
    """A provider with inventories (those of a small host unless told), traits and aggregates; its id."""
    made = resource_providers.create(tx, name, provider_id=provider_id, parent_id=parent_id)
    inventories.set_all(tx, made.id, SMALL_HOST if stocked is None else stocked)
    if having:
        traits.set_of_provider(tx, made.id, having)
    if within:
        aggregates.set_of_provider(tx, made.id, within)
    return made.id
