"""Usages: sums of allocations, of a provider, or of a project and its users."""

import msgspec

from minicloud.engines.database import Transaction

UNKNOWN = "unknown"
"""The type of consumers that came without one, before version 1.38."""


class TypeUsage(msgspec.Struct, kw_only=True):
    """What consumers of one type have together, and how many they are."""

    consumer_count: int
    resources: dict[str, int]


def of_provider(tx: Transaction, provider_id: str) -> dict[str, int]:
    """How much of each class that a provider has is used."""
    rows = tx.all(
        "SELECT resource_class, used FROM placement_inventories WHERE provider_id = ? ORDER BY resource_class",
        [provider_id],
    )
    return dict(rows)


def of_project(tx: Transaction, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """How much of each class a project's consumers (of one user) have."""
    rows = tx.all(
        "SELECT a.resource_class, sum(a.used) FROM placement_consumers c "
        "JOIN placement_allocations a ON a.consumer_id = c.id "
        "WHERE c.project_id = ? AND (? IS NULL OR c.user_id = ?) GROUP BY a.resource_class ORDER BY a.resource_class",
        [project_id, user_id, user_id],
    )
    return {name: int(used) for name, used in rows}


def by_type(
    tx: Transaction, project_id: str, user_id: str | None = None, consumer_type: str | None = None
) -> dict[str, TypeUsage]:
    """The same for each type of consumers; of ``consumer_type``: a type, ``unknown``, or ``all`` for all types as one."""
    kind = None if consumer_type in (None, "all") else consumer_type
    rows = tx.all(
        "SELECT COALESCE(c.consumer_type, 'unknown'), c.id, a.resource_class, a.used FROM placement_consumers c "
        "JOIN placement_allocations a ON a.consumer_id = c.id WHERE c.project_id = ? AND (? IS NULL OR c.user_id = ?) "
        "AND (? IS NULL OR COALESCE(c.consumer_type, 'unknown') = ?) ORDER BY 1, 3",
        [project_id, user_id, user_id, kind, kind],
    )
    found: dict[str, TypeUsage] = {}
    counted: dict[str, set[str]] = {}
    for type_, consumer_id, resource_class, used in rows:
        word = "all" if consumer_type == "all" else type_
        usage = found.setdefault(word, TypeUsage(consumer_count=0, resources={}))
        usage.resources[resource_class] = usage.resources.get(resource_class, 0) + used
        counted.setdefault(word, set()).add(consumer_id)
        usage.consumer_count = len(counted[word])
    return found
