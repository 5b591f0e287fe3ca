"""Hypervisors: what each host offers and holds (``/os-hypervisors``)."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries, server_views
from minicloud.api.listing import Listing, Page, truth
from minicloud.api.microversions import Since, Until
from minicloud.api.routes import Get
from minicloud.base.errors import Invalid, NotFound
from minicloud.conductor.compute import uptimes
from minicloud.core.compute import hosts, servers
from minicloud.core.compute.hosts import ComputeNode, Service
from minicloud.core.compute.servers import Server
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-hypervisors"


class HypervisorView(Body):
    """A hypervisor in detail; statistics left the API with 2.88."""

    id: int | str
    hypervisor_hostname: str
    state: str
    status: str
    hypervisor_type: str
    hypervisor_version: int
    host_ip: str
    service: dict[str, Any]
    vcpus: Annotated[int, Until("2.87")]
    memory_mb: Annotated[int, Until("2.87")]
    local_gb: Annotated[int, Until("2.87")]
    vcpus_used: Annotated[int, Until("2.87")]
    memory_mb_used: Annotated[int, Until("2.87")]
    local_gb_used: Annotated[int, Until("2.87")]
    free_ram_mb: Annotated[int, Until("2.87")]
    free_disk_gb: Annotated[int, Until("2.87")]
    current_workload: Annotated[int, Until("2.87")]
    running_vms: Annotated[int, Until("2.87")]
    disk_available_least: Annotated[int | None, Until("2.87")]
    cpu_info: Annotated[Any, Until("2.87")]
    uptime: Annotated[str | None, Since("2.88")] = None
    servers: list[dict[str, str]] | UnsetType = UNSET


class _Found(msgspec.Struct):
    node: ComputeNode
    service: Service
    used: tuple[int, int, int, int]
    """Servers, vCPUs, MiB and GiB that live there."""
    servers: list[Server] | None = None
    """Where they were asked for."""


async def index(call: Call) -> Any:
    """Hypervisors, oldest first; in pages since 2.33."""
    return await _listed(call, _brief)


async def detail(call: Call) -> Any:
    """Hypervisors with all they have."""
    return await _listed(call, _view)


async def _listed(call: Call, view: Any) -> Any:
    if call.at_least("2.53"):
        queries.only(call, "limit", "marker", "hypervisor_hostname_pattern", "with_servers", since="2.53")
    pattern = call.parameter("hypervisor_hostname_pattern") if call.at_least("2.53") else None
    if pattern is not None and {"limit", "marker"} & {name for name, _ in call.parameters}:
        raise Invalid("Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported.")
    with_servers = _with_servers(call)

    def work(tx: Transaction) -> list[_Found]:
        found = _all(tx) if pattern is None else _matching(_all(tx), pattern)
        return _joined(tx, found) if with_servers else found

    found = await call.read(work)
    page = call.page if call.at_least("2.33") and pattern is None else None
    more = False
    if page is not None:
        found, more = _cut(call, page, found)
    said = await _uptimes(call, found) if view is _view else {}
    views = [view(call, entry, said) for entry in found]
    if page is None:
        return {"hypervisors": views}
    return page.document(views, more=more, last_id=str(_id(call, found[-1].node)) if found else None)


def _cut(call: Call, page: Page, found: list[_Found]) -> tuple[list[_Found], bool]:
    marker = page.query.marker
    if marker is not None:
        places = [place for place, entry in enumerate(found) if str(_id(call, entry.node)) == marker]
        if not places:
            raise Invalid(f"marker [{marker}] not found", kind="marker")
        found = found[places[0] + 1 :]
    return page.cut(found)


def _with_servers(call: Call) -> bool:
    return call.at_least("2.53") and truth(call.parameter("with_servers") or "0")


async def _uptimes(call: Call, found: list[_Found]) -> dict[str, str]:
    """What hosts say of themselves, since 2.88."""
    return await uptimes.uptimes(call.world, [entry.node.host for entry in found]) if call.at_least("2.88") else {}


async def show(call: Call, hypervisor_id: str) -> Any:
    """One hypervisor, by number before 2.53 and by UUID since."""
    queries.only(call, "with_servers", since="2.53")
    with_servers = _with_servers(call)
    entry = await call.read(lambda tx: _one(tx, call, hypervisor_id, with_servers=with_servers))
    return {"hypervisor": _view(call, entry, await _uptimes(call, [entry]))}


def _one(tx: Transaction, call: Call, hypervisor_id: str, *, with_servers: bool = False) -> _Found:
    if call.at_least("2.53"):
        queries.check_uuid(hypervisor_id)
    found = [entry for entry in _all(tx) if str(_id(call, entry.node)) == hypervisor_id]
    if not found:
        raise NotFound(f"Hypervisor with ID '{hypervisor_id}' could not be found.")
    return _joined(tx, found)[0] if with_servers else found[0]


async def uptime(call: Call, hypervisor_id: str) -> Any:
    """How long a host has been up, before 2.88."""
    entry = await call.read(lambda tx: _one(tx, call, hypervisor_id))
    host = entry.node.host
    said = await uptimes.uptimes(call.world, [host])
    if host not in said:
        raise Invalid(f"Compute service of {host} is unavailable at this time.")
    return {"hypervisor": {**_brief(call, entry, {}), "uptime": said[host]}}


async def search(call: Call, hypervisor_id: str) -> Any:
    """Hypervisors by a part of their name, before 2.53."""
    found = await call.read(lambda tx: _matching(_all(tx), hypervisor_id))
    return {"hypervisors": [_brief(call, entry, {}) for entry in found]}


async def servers_of(call: Call, hypervisor_id: str) -> Any:
    """The servers of hypervisors by a part of their name, before 2.53."""
    found = await call.read(lambda tx: _joined(tx, _matching(_all(tx), hypervisor_id)))
    return {"hypervisors": [_brief(call, entry, {}) for entry in found]}


async def statistics(call: Call) -> Any:
    """The sum of all."""
    found = await call.read(_all)
    views = [_view(call, entry, {}) for entry in found if not entry.service.disabled]
    names = (
        "vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used", "free_ram_mb", "free_disk_gb",
        "current_workload", "running_vms",
    )  # fmt: skip
    total: dict[str, Any] = {name: sum(getattr(view, name) for view in views) for name in names}
    total["count"] = len(views)
    total["disk_available_least"] = sum(view.disk_available_least or 0 for view in views)
    return {"hypervisor_statistics": total}


def _all(tx: Transaction) -> list[_Found]:
    services = {service.host: service for service in hosts.services(tx) if service.binary == hosts.COMPUTE}
    used = hosts.used(tx)
    return [
        _Found(node, services[node.host], used.get(node.host, (0, 0, 0, 0)))
        for node in hosts.nodes(tx)
        if node.host in services
    ]


def _joined(tx: Transaction, found: list[_Found]) -> list[_Found]:
    """With the servers that live there."""
    return [msgspec.structs.replace(entry, servers=servers.on_host(tx, entry.node.host)) for entry in found]


def _matching(found: list[_Found], pattern: str) -> list[_Found]:
    kept = [entry for entry in found if pattern in entry.node.node]
    if not kept:
        raise NotFound(f"No hypervisor matching '{pattern}' could be found.")
    return kept


def _id(call: Call, node: ComputeNode) -> int | str:
    return node.uuid if call.at_least("2.53") else node.id


def _state(call: Call, entry: _Found) -> tuple[str, str]:
    up = hosts.member(entry.node.host) not in call.world.servicegroup.down and not entry.service.forced_down
    return ("up" if up else "down"), ("disabled" if entry.service.disabled else "enabled")


def _servers(call: Call, entry: _Found) -> list[dict[str, str]] | UnsetType:
    """The servers, where they were asked for; before 2.75 left out where there are none."""
    if entry.servers is None or not (entry.servers or call.at_least("2.75")):
        return UNSET
    return [{"name": server_views.instance_name(server), "uuid": server.id} for server in entry.servers]


def _brief(call: Call, entry: _Found, said: dict[str, str]) -> dict[str, Any]:
    state, status = _state(call, entry)
    document = {"id": _id(call, entry.node), "hypervisor_hostname": entry.node.node, "state": state, "status": status}
    found = _servers(call, entry)
    return document if found is UNSET else {**document, "servers": found}


def _view(call: Call, entry: _Found, said: dict[str, str]) -> HypervisorView:
    node, (count, vcpus, memory_mb, disk_gb) = entry.node, entry.used
    state, status = _state(call, entry)
    cpu = {
        "arch": node.cpu_arch,
        "model": node.cpu_model,
        "vendor": "",
        "features": [],
        "topology": {"cores": node.vcpus, "threads": 1, "sockets": 1},
    }
    return HypervisorView(
        id=_id(call, node),
        hypervisor_hostname=node.node,
        state=state,
        status=status,
        hypervisor_type=node.hypervisor_type,
        hypervisor_version=node.hypervisor_version,
        host_ip="127.0.0.1",
        service={
            "id": entry.service.uuid if call.at_least("2.53") else entry.service.id,
            "host": node.host,
            "disabled_reason": entry.service.disabled_reason,
        },
        vcpus=node.vcpus,
        memory_mb=node.memory_mb,
        local_gb=node.disk_gb,
        vcpus_used=vcpus,
        memory_mb_used=memory_mb,
        local_gb_used=disk_gb,
        free_ram_mb=node.memory_mb - memory_mb,
        free_disk_gb=node.disk_gb - disk_gb,
        current_workload=0,
        running_vms=count,
        disk_available_least=node.free_disk_gb,
        # An object since 2.28, the same as text before.
        cpu_info=cpu if call.at_least("2.28") else msgspec.json.encode(cpu).decode(),
        uptime=said.get(node.host),
        servers=_servers(call, entry),
    )


HYPERVISORS = Listing(name="hypervisors", links_when_full=True)

routes = [
    Get("/os-hypervisors", index, policy=f"{POLICY}:list", allow=ADMIN, listing=HYPERVISORS),
    Get("/os-hypervisors/detail", detail, policy=f"{POLICY}:list-detail", allow=ADMIN, listing=HYPERVISORS),
    Get("/os-hypervisors/statistics", statistics, policy=f"{POLICY}:statistics", allow=ADMIN, until="2.87"),
    Get("/os-hypervisors/{hypervisor_id}", show, policy=f"{POLICY}:show", allow=ADMIN),
    Get("/os-hypervisors/{hypervisor_id}/uptime", uptime, policy=f"{POLICY}:uptime", allow=ADMIN, until="2.87"),
    Get("/os-hypervisors/{hypervisor_id}/search", search, policy=f"{POLICY}:search", allow=ADMIN, until="2.52"),
    Get("/os-hypervisors/{hypervisor_id}/servers", servers_of, policy=f"{POLICY}:servers", allow=ADMIN, until="2.52"),
]  # fmt: skip
