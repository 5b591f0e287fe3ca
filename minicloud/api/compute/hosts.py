"""Hosts as Nova showed them before 2.43: those that bear a service, and what servers take of one (``/os-hosts``)."""

from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.microversions import NotNull
from minicloud.api.routes import Get, Put
from minicloud.base.errors import Invalid, NotFound, NotOffered
from minicloud.core.compute import hosts, servers, zones
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-hosts"
LAST = "2.42"
Switch = Literal["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]


class HostUpdate(Body):
    """The body of PUT /os-hosts/{host}."""

    status: Annotated[Switch | None, NotNull()] = None
    maintenance_mode: Annotated[Switch | None, NotNull()] = None


class _Taken(msgspec.Struct):
    cpu: int = 0
    memory_mb: int = 0
    disk_gb: int = 0


async def index(call: Call) -> Any:
    """Hosts with an enabled service, of one zone if the caller says."""
    zone = call.parameter("zone")
    found = [one for one in await call.read(hosts.services) if not one.disabled]
    return {
        "hosts": [
            {"host_name": one.host, "service": one.binary.removeprefix("nova-"), "zone": zones.zone_of(one)}
            for one in found
            if not zone or zones.zone_of(one) == zone
        ]
    }


async def show(call: Call, host: str) -> Any:
    """What a host has, and what its servers take of it, in all and by project."""

    def work(tx: Transaction) -> dict[str, _Taken]:
        node = hosts.node_of(tx, host)
        if node is None:
            raise _absent(host)
        total = _Taken(node.vcpus, node.memory_mb, node.disk_gb)
        found = {"(total)": total, "(used_now)": _Taken(), "(used_max)": _Taken()}
        for server in servers.on_host(tx, host):
            for name in ("(used_now)", "(used_max)", server.project_id):
                place = found.setdefault(name, _Taken())
                place.cpu += server.vcpus
                place.memory_mb += server.memory_mb
                place.disk_gb += server.disk_gb
        return found

    taken = await call.read(work)
    return {
        "host": [
            {"resource": {"host": host, "project": project, **msgspec.structs.asdict(one)}}
            for project, one in taken.items()
        ]
    }


def _absent(host: str) -> NotFound:
    return NotFound(f"Compute host {host} could not be found.")


async def update(call: Call, host: str, body: HostUpdate) -> Any:
    """What no hypervisor that is left can do."""
    if body.status is None and body.maintenance_mode is None:
        raise Invalid("{} is not valid under any of the given schemas")
    await _refuse(call, host)


async def power(call: Call, host: str) -> Any:
    """What no hypervisor that is left can do."""
    await _refuse(call, host)


async def _refuse(call: Call, host: str) -> None:
    if await call.read(lambda tx: hosts.service_of(tx, host)) is None:
        raise _absent(host)
    raise NotOffered("The requested functionality is not supported.")


routes = [
    Get("/os-hosts", index, policy=f"{POLICY}:list", allow=ADMIN, until=LAST),
    Get("/os-hosts/{host}", show, policy=f"{POLICY}:show", allow=ADMIN, until=LAST),
    Put("/os-hosts/{host}", update, policy=f"{POLICY}:update", allow=ADMIN, until=LAST),
    Get("/os-hosts/{host}/startup", power, policy=f"{POLICY}:start", allow=ADMIN, until=LAST),
    Get("/os-hosts/{host}/shutdown", power, policy=f"{POLICY}:shutdown", allow=ADMIN, until=LAST),
    Get("/os-hosts/{host}/reboot", power, policy=f"{POLICY}:reboot", allow=ADMIN, until=LAST),
]
