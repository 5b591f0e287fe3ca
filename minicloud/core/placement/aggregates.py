"""Aggregates: groups of providers, known by an id alone; they share inventory, make zones, and are asked for by ``member_of``."""

from collections.abc import Iterable

from minicloud.base import trace
from minicloud.core.placement import changes, resource_providers
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.core.placement.traits import CHANGED
from minicloud.engines.database import Transaction


def of_provider(tx: Transaction, provider_id: str) -> list[str]:
    """The aggregates that a provider is in."""
    rows = tx.all(
        "SELECT aggregate_id FROM placement_provider_aggregates WHERE provider_id = ? ORDER BY aggregate_id",
        [provider_id],
    )
    return [row[0] for row in rows]


def set_of_provider(
    tx: Transaction,
    provider_id: str,
    aggregate_ids: Iterable[str],
    *,
    generation: int | None = None,
    move_on: bool = True,
) -> ResourceProvider:
    """Put a provider into exactly these aggregates. ``move_on`` False leaves its generation, as the API before 1.19 does.

    Raises NotFound, Conflict for another generation than the one given.
    """
    provider = resource_providers.get(tx, provider_id)
    resource_providers.expect_generation(provider, generation, CHANGED)
    wanted, had = set(aggregate_ids), set(of_provider(tx, provider_id))
    tx.many(
        "DELETE FROM placement_provider_aggregates WHERE provider_id = ? AND aggregate_id = ?",
        [(provider_id, aggregate_id) for aggregate_id in had - wanted],
    )
    tx.many(
        "INSERT INTO placement_provider_aggregates (provider_id, aggregate_id) VALUES (?, ?)",
        [(provider_id, aggregate_id) for aggregate_id in sorted(wanted - had)],
    )
    if wanted != had:
        trace.note(
            "provider_aggregates", provider=provider_id, added=sorted(wanted - had), removed=sorted(had - wanted)
        )
    if move_on:
        return resource_providers.moved_on(tx, provider)
    changes.record(tx, [provider_id])
    return provider


def add(tx: Transaction, provider_id: str, aggregate_id: str) -> None:
    """Put a provider into one more aggregate; content when it is there. Raises NotFound."""
    set_of_provider(tx, provider_id, {*of_provider(tx, provider_id), aggregate_id})


def discard(tx: Transaction, provider_id: str, aggregate_id: str) -> None:
    """Take a provider out of an aggregate; content when it is not there. Raises NotFound."""
    set_of_provider(tx, provider_id, set(of_provider(tx, provider_id)) - {aggregate_id})
