"""Availability zones over HTTP: which there are, and for administrators the hosts in them (``/os-availability-zone``)."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Get
from minicloud.core.compute import hosts, zones
from minicloud.core.compute.hosts import INTERNAL_ZONE
from minicloud.core.policy import ADMIN, ANYONE

POLICY = "os_compute_api:os-availability-zone"


async def index(call: Call) -> Any:
    """The zones that servers may be asked into."""
    queries.only(call, since="2.102")
    found = zones.zones(await call.read(hosts.services))
    return {
        "availabilityZoneInfo": [
            {"zoneName": zone.name, "zoneState": {"available": zone.available}, "hosts": None}
            for zone in found
            if zone.name != INTERNAL_ZONE
        ]
    }


async def detail(call: Call) -> Any:
    """All zones with their hosts and services."""
    queries.only(call, since="2.102")
    alive = await call.world.servicegroup.members()
    told = []
    for zone in zones.zones(await call.read(hosts.services)):
        by_host: dict[str, dict[str, Any]] = {}
        for service in zone.services:
            beat = alive.get(f"{service.binary}@{service.host}")
            by_host.setdefault(service.host, {})[service.binary] = {
                "available": beat is not None and beat.up and not service.forced_down,
                "active": True,
                "updated_at": service.updated_at if beat is None else beat.seen,
            }
        told.append(
            {
                "zoneName": zone.name,
                "zoneState": {"available": zone.available},
                "hosts": by_host if zone.available else None,
            }
        )
    return {"availabilityZoneInfo": told}


routes = [
    Get("/os-availability-zone", index, policy=f"{POLICY}:list", allow=ANYONE),
    Get("/os-availability-zone/detail", detail, policy=f"{POLICY}:detail", allow=ADMIN),
]
