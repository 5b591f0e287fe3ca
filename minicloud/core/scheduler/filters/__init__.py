"""Filters, one to a file, by Nova's names."""

from collections.abc import Mapping

from minicloud.core.scheduler.filters.availability_zone import AvailabilityZoneFilter
from minicloud.core.scheduler.filters.compute import ComputeFilter
from minicloud.core.scheduler.verdict import Filter


def all_filters() -> Mapping[str, Filter]:
    """Every filter by name."""
    filters: list[Filter] = [ComputeFilter(), AvailabilityZoneFilter()]
    return {one.name: one for one in filters}
