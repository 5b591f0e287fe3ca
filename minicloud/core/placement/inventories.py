"""Inventories: how much of each resource class a provider has, and in what portions it gives it."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.placement import resource_classes, resource_providers
from minicloud.core.placement.names import LARGEST, by_standard
from minicloud.core.placement.resource_providers import CONCURRENT, ResourceProvider
from minicloud.engines.database import Transaction

IN_USE = "placement.inventory.inuse"
OTHER_GENERATION = "resource provider generation conflict"


class Stocked(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one class: (total - reserved) x allocation_ratio may be allocated, in portions of
    min_unit..max_unit that are multiples of step_size."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = LARGEST
    step_size: int = 1
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        """The most that may be allocated in all."""
        return int((self.total - self.reserved) * self.allocation_ratio)


class Inventory(records.Record, kw_only=True):
    """A provider's inventory of a class. ``used`` is the sum of its allocations."""

    TABLE = "placement_inventories"
    KEY: ClassVar[tuple[str, ...]] = ("provider_id", "resource_class")

    provider_id: str
    resource_class: str
    total: int
    reserved: int
    min_unit: int
    max_unit: int
    step_size: int
    allocation_ratio: float
    used: int = 0
    created_at: str
    updated_at: str


def stocked_of(found: Inventory) -> Stocked:
    """What is said of the class, without what became of it."""
    return Stocked(**{name: getattr(found, name) for name in Stocked.__struct_fields__})


def of_provider(tx: Transaction, provider_id: str) -> list[Inventory]:
    """All inventories of a provider, by class."""
    return records.select(tx, Inventory, "provider_id = ? ORDER BY resource_class", [provider_id])


def get(tx: Transaction, provider_id: str, resource_class: str) -> Inventory:
    """One inventory. Raises NotFound."""
    found = records.find(tx, Inventory, provider_id, resource_class)
    if found is None:
        raise NotFound(f"No inventory of class {resource_class} for {provider_id}")
    return found


def check_capacity(
    provider_id: str, stocked: Mapping[str, Stocked], *, may_be_empty: bool, because: str = "update"
) -> None:
    """Raises Invalid where all is reserved, and more; reserving exactly all is refused, too, unless ``may_be_empty`` (1.26)."""
    for name, one in stocked.items():
        if one.capacity < 0 or (one.capacity == 0 and not may_be_empty):
            than = "greater than" if may_be_empty else "greater than or equal to"
            raise Invalid(
                f"Unable to {because} inventory for resource provider {provider_id}: Invalid inventory for '{name}' on "
                f"resource provider '{provider_id}'. The reserved value is {than} total."
            )


def add(tx: Transaction, provider_id: str, resource_class: str, stocked: Stocked) -> tuple[ResourceProvider, Inventory]:
    """An inventory of one more class. Raises NotFound, Invalid for an unknown class, Conflict when there is one."""
    provider = resource_providers.get(tx, provider_id)
    try:
        resource_classes.require(tx, [resource_class])
    except NotFound as error:
        raise Invalid(f"Unable to create inventory for resource provider {provider_id}: {error.message}") from error
    if records.find(tx, Inventory, provider_id, resource_class) is not None:
        raise Conflict(
            f"Update conflict: there is an inventory of class {resource_class} on resource provider {provider_id}",
            kind=CONCURRENT,
        )
    made = records.insert(tx, _inventory(tx, provider_id, resource_class, stocked))
    trace.note("inventory_added", provider=provider_id, resource_class=resource_class, total=stocked.total)
    return resource_providers.moved_on(tx, provider), made


def update(
    tx: Transaction, provider_id: str, resource_class: str, stocked: Stocked, *, generation: int | None = None
) -> tuple[ResourceProvider, Inventory]:
    """Other amounts of a class. Below what is used is allowed: nothing more is given then.

    Raises NotFound, Conflict for another generation, Invalid where there is no inventory of the class.
    """
    provider = resource_providers.get(tx, provider_id)
    resource_providers.expect_generation(provider, generation, OTHER_GENERATION)
    resource_classes.require(tx, [resource_class])
    found = records.find(tx, Inventory, provider_id, resource_class)
    if found is None:
        raise Invalid(
            f"No inventory record with resource class for resource provider {provider_id}: "
            f"No inventory of class {resource_class} found."
        )
    changed = _update(tx, found, stocked)
    return resource_providers.moved_on(tx, provider), changed


def set_all(
    tx: Transaction, provider_id: str, stocked: Mapping[str, Stocked], *, generation: int | None = None
) -> tuple[ResourceProvider, list[Inventory]]:
    """Give a provider exactly these inventories; the provider, a generation later, and its inventories.

    Raises NotFound, Invalid for unknown classes, Conflict for another generation or where allocations would lose their
    inventory.
    """
    provider = resource_providers.get(tx, provider_id)
    resource_providers.expect_generation(provider, generation, OTHER_GENERATION)
    try:
        resource_classes.require(tx, list(stocked))
    except NotFound as error:
        raise Invalid(
            f"Unknown resource class in inventory for resource provider {provider_id}: {error.message}"
        ) from error
    had = {found.resource_class: found for found in of_provider(tx, provider_id)}
    gone = [found for name, found in had.items() if name not in stocked]
    _expect_unused(tx, provider_id, gone, "update conflict: ")
    for found in gone:
        records.remove(tx, found)
    now = [
        _update(tx, had[name], one) if name in had else records.insert(tx, _inventory(tx, provider_id, name, one))
        for name, one in stocked.items()
    ]
    return resource_providers.moved_on(tx, provider), now


def delete(tx: Transaction, provider_id: str, resource_class: str) -> None:
    """Take the inventory of one class away. Raises NotFound, Conflict while it is used."""
    provider = resource_providers.get(tx, provider_id)
    because = f"No inventory of class {resource_class} found for delete"
    try:
        resource_classes.require(tx, [resource_class])
    except NotFound as error:
        raise NotFound(f"{because}: {error.message}") from error
    found = records.find(tx, Inventory, provider_id, resource_class)
    if found is None:
        raise NotFound(f"{because}: {because}")
    _expect_unused(tx, provider_id, [found], f"Unable to delete inventory of class {resource_class}: ", CONCURRENT)
    records.remove(tx, found)
    resource_providers.moved_on(tx, provider)


def delete_all(tx: Transaction, provider_id: str) -> None:
    """Take all inventories away. Raises NotFound, Conflict while one of them is used."""
    provider = resource_providers.get(tx, provider_id)
    had = of_provider(tx, provider_id)
    _expect_unused(tx, provider_id, had, "")
    for found in had:
        records.remove(tx, found)
    resource_providers.moved_on(tx, provider)


def _expect_unused(
    tx: Transaction, provider_id: str, inventories: Iterable[Inventory], because: str, kind: str = IN_USE
) -> None:
    used = by_standard(found.resource_class for found in inventories if found.used)
    if used:
        raise Conflict(
            f"{because}Inventory for '{', '.join(used)}' on resource provider '{provider_id}' in use.", kind=kind
        )


def _inventory(tx: Transaction, provider_id: str, resource_class: str, stocked: Stocked) -> Inventory:
    return Inventory(
        provider_id=provider_id,
        resource_class=resource_class,
        created_at=tx.now,
        updated_at=tx.now,
        **msgspec.structs.asdict(stocked),
    )


def _update(tx: Transaction, found: Inventory, stocked: Stocked) -> Inventory:
    if found.used > stocked.capacity:
        trace.note(
            "over_capacity",
            provider=found.provider_id,
            resource_class=found.resource_class,
            used=found.used,
            capacity=stocked.capacity,
        )
    return records.change(tx, found, **msgspec.structs.asdict(stocked), updated_at=tx.now)
