"""The availability zones of networks and routers. The fabric spans all hosts, so there is one."""

from collections.abc import Iterable

from minicloud.base.errors import NotFound

ZONE = "nova"


def check(hints: Iterable[str]) -> None:
    """Raises NotFound for a zone that does not exist."""
    for hint in hints:
        if hint != ZONE:
            raise NotFound(f"AvailabilityZone {hint} could not be found.", kind="AvailabilityZoneNotFound")
