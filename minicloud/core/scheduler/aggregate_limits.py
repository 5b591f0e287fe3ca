"""Limits that aggregates set for their hosts, as numbers in their metadata."""

from minicloud.core.scheduler.hosts import Described


def least(described: Described, key: str, default: int) -> int:
    """The least that one of the host's aggregates says; the default where none does, or one says no number."""
    values = described.values.get(key)
    if not values:
        return default
    try:
        return min(int(value) for value in values)
    except ValueError:
        return default
