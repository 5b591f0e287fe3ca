"""Availability zones: the hosts of each, whether servers may go there at all, and holding a server to its own."""

from collections.abc import Iterable

import msgspec

from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.core.compute.hosts import COMPUTE, INTERNAL_ZONE, Service
from minicloud.core.compute.servers import Server
from minicloud.engines.database import Transaction


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


def pin(tx: Transaction, server: Server, zone: str | None) -> Server:
    """Hold a server to the zone that it is in, or to none. Raises Conflict for any other zone."""
    if zone == server.requested_zone:
        return server
    if zone is not None and server.requested_zone is not None:
        raise Conflict(
            "Cannot change pinned availability zone directly. Unpin first by setting pinned_availability_zone to null."
        )
    if zone is not None and zone != server.zone:
        raise Conflict(
            f"Server can only be pinned to its current availability zone '{server.zone}', but '{zone}' was requested."
        )
    return records.change(tx, server, requested_zone=zone)
