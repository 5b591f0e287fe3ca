"""Traits: what a provider is like; the standard ones, and custom ones that operators add."""

from collections.abc import Iterable
from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.placement import resource_providers
from minicloud.core.placement.names import CUSTOM, standard_traits
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.engines.database import Transaction

CHANGED = "Resource provider's generation already changed. Please update the generation and try again."


class Trait(records.Record, kw_only=True):
    """A custom trait; a standard one has no row and no date."""

    TABLE = "placement_traits"
    KEY: ClassVar[tuple[str, ...]] = ("name",)
    MISSING: ClassVar[str] = "No such trait(s): {id}."

    name: str
    created_at: str | None = None


def listed(
    tx: Transaction, *, names: Iterable[str] | None = None, prefix: str | None = None, associated: bool | None = None
) -> list[Trait]:
    """All traits, or those of these names, with this beginning, that some provider (or none) has."""
    found = [Trait(name=name) for name in sorted(standard_traits())]
    found += records.select(tx, Trait, "1 = 1 ORDER BY created_at, name")
    if names is not None:
        wanted = set(names)
        found = [trait for trait in found if trait.name in wanted]
    if prefix is not None:
        found = [trait for trait in found if trait.name.startswith(prefix)]
    if associated is not None:
        had = {row[0] for row in tx.all("SELECT DISTINCT trait FROM placement_provider_traits")}
        found = [trait for trait in found if (trait.name in had) == associated]
    return found


def get(tx: Transaction, name: str) -> Trait:
    """The trait. Raises NotFound."""
    if name in standard_traits():
        return Trait(name=name)
    return records.get(tx, Trait, name)


def require(tx: Transaction, names: Iterable[str]) -> None:
    """Raises NotFound for the first of these that is no trait."""
    standard = standard_traits()
    for name in names:
        if name not in standard and records.find(tx, Trait, name) is None:
            raise NotFound(f"No such trait(s): {name}.")


def ensure(tx: Transaction, name: str) -> tuple[Trait, bool]:
    """The custom trait is there; the trait, and whether it was created now."""
    found = records.find(tx, Trait, name)
    if found is not None:
        return found, False
    trace.note("trait_created", name=name)
    return records.insert(tx, Trait(name=name, created_at=tx.now)), True


def delete(tx: Transaction, name: str) -> None:
    """Forget a custom trait. Raises NotFound, Invalid for a standard one, Conflict while a provider has it."""
    get(tx, name)
    if not name.startswith(CUSTOM):
        raise Invalid(f"Cannot delete standard trait {name}.")
    if tx.one("SELECT 1 FROM placement_provider_traits WHERE trait = ? LIMIT 1", [name]) is not None:
        raise Conflict(f"The trait {name} is in use by a resource provider.")
    tx.execute("DELETE FROM placement_traits WHERE name = ?", [name])
    trace.note("trait_deleted", name=name)


def of_provider(tx: Transaction, provider_id: str) -> list[Trait]:
    """A provider's traits by name."""
    rows = tx.all(
        "SELECT p.trait, t.created_at FROM placement_provider_traits p LEFT JOIN placement_traits t ON t.name = p.trait "
        "WHERE p.provider_id = ? ORDER BY p.trait",
        [provider_id],
    )
    return [Trait(name=name, created_at=created_at) for name, created_at in rows]


def set_of_provider(
    tx: Transaction, provider_id: str, names: Iterable[str], *, generation: int | None = None
) -> ResourceProvider:
    """Give a provider exactly these traits; the provider, a generation later if anything changed.

    Raises NotFound, Conflict for another generation than the one given, Invalid for names that are no traits.
    """
    provider = resource_providers.get(tx, provider_id)
    resource_providers.expect_generation(provider, generation, CHANGED)
    wanted = set(names)
    unknown = sorted(name for name in wanted - standard_traits() if records.find(tx, Trait, name) is None)
    if unknown:
        raise Invalid(f"No such trait {', '.join(unknown)}")
    had = {row[0] for row in tx.all("SELECT trait FROM placement_provider_traits WHERE provider_id = ?", [provider_id])}
    if had == wanted:
        return provider
    tx.many(
        "DELETE FROM placement_provider_traits WHERE provider_id = ? AND trait = ?",
        [(provider_id, name) for name in had - wanted],
    )
    tx.many(
        "INSERT INTO placement_provider_traits (provider_id, trait) VALUES (?, ?)",
        [(provider_id, name) for name in sorted(wanted - had)],
    )
    trace.note("provider_traits", provider=provider_id, added=sorted(wanted - had), removed=sorted(had - wanted))
    return resource_providers.moved_on(tx, provider)
