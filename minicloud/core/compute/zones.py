"""Availability zones: the hosts of each, and whether servers may go there at all."""

from collections.abc import Iterable

import msgspec

from minicloud.core.compute.hosts import COMPUTE, INTERNAL_ZONE, Service


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A zone is available while one of its services is not disabled. ``services`` are those that are enabled."""

    name: str
    available: bool
    services: list[Service]


def zone_of(service: Service) -> str:
    """The zone of a service; everything that is not a compute host is internal."""
    return service.zone if service.binary == COMPUTE else INTERNAL_ZONE


def zones(services: Iterable[Service]) -> list[Zone]:
    """All zones, those that are available first, each group by name."""
    enabled: dict[str, list[Service]] = {}
    names = set()
    for service in services:
        names.add(zone_of(service))
        if not service.disabled:
            enabled.setdefault(zone_of(service), []).append(service)
    return [
        Zone(name=name, available=name in enabled, services=enabled.get(name, []))
        for name in sorted(names, key=lambda name: (name not in enabled, name))
    ]
