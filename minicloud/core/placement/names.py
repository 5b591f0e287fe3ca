"""Standard traits and resource classes, as the packages os-traits and os-resource-classes list them, and what custom names look like."""

import functools
import re
from collections.abc import Iterable
from importlib.resources import files

CUSTOM = "CUSTOM_"
SHARES = "MISC_SHARES_VIA_AGGREGATE"
"""The trait of a provider whose inventory others may use, who are in one of its aggregates."""

LARGEST = 2_147_483_647
"""The largest amount of anything: a 32-bit integer in upstream's tables."""

NAME = re.compile(r"[A-Z0-9_]+\Z")
CUSTOM_NAME = re.compile(r"CUSTOM_[A-Z0-9_]+\Z")


@functools.cache
def standard_traits() -> frozenset[str]:
    """Every trait that os-traits knows."""
    return frozenset(_lines("standard_traits.txt"))


@functools.cache
def standard_resource_classes() -> tuple[str, ...]:
    """Every class that os-resource-classes knows, in its order."""
    return tuple(_lines("standard_resource_classes.txt"))


def by_standard(names: Iterable[str]) -> list[str]:
    """Resource classes in the order in which upstream numbers them: the standard ones, then the others by name."""
    order = {name: i for i, name in enumerate(standard_resource_classes())}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def _lines(name: str) -> list[str]:
    return files("minicloud.core.placement").joinpath(name).read_text(encoding="utf-8").split()
