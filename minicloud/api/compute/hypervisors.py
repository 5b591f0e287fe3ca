"""Hypervisors: what each host offers and holds (``/os-hypervisors``)."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since, Until
from minicloud.api.routes import Get
from minicloud.base.errors import NotFound
from minicloud.core.compute import hosts
from minicloud.core.compute.hosts import ComputeNode, Service
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


class _Found(msgspec.Struct):
    node: ComputeNode
    service: Service
    used: tuple[int, int, int, int]
    """Servers, vCPUs, MiB and GiB that live there."""


async def index(call: Call) -> Any:
    """Hypervisors by name."""
    found = _matching(call, await call.read(_all))
    return {"hypervisors": [_brief(call, entry) for entry in found]}


async def detail(call: Call) -> Any:
    """Hypervisors with all they have."""
    found = _matching(call, await call.read(_all))
    return {"hypervisors": [_view(call, entry) for entry in found]}


async def show(call: Call, hypervisor_id: str) -> Any:
    """One hypervisor, by number before 2.53 and by UUID since."""
    found = await call.read(_all)
    for entry in found:
        if str(_id(call, entry.node)) == hypervisor_id:
            return {"hypervisor": _view(call, entry)}
    raise NotFound(f"Hypervisor with ID '{hypervisor_id}' could not be found.")


async def statistics(call: Call) -> Any:
    """The sum of all."""
    found = await call.read(_all)
    views = [_view(call, entry) for entry in found if not entry.service.disabled]
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


def _matching(call: Call, found: list[_Found]) -> list[_Found]:
    pattern = call.parameter("hypervisor_hostname_pattern")
    if pattern is None:
        return found
    kept = [entry for entry in found if pattern in entry.node.node]
    if not kept:
        raise NotFound(f"No hypervisor matching '{pattern}' could be found.")
    return kept


def _id(call: Call, node: ComputeNode) -> int | str:
    return node.uuid if call.at_least("2.53") else node.id


def _state(call: Call, entry: _Found) -> tuple[str, str]:
    up = hosts.member(entry.node.host) not in call.world.servicegroup.down and not entry.service.forced_down
    return ("up" if up else "down"), ("disabled" if entry.service.disabled else "enabled")


def _brief(call: Call, entry: _Found) -> dict[str, Any]:
    state, status = _state(call, entry)
    return {"id": _id(call, entry.node), "hypervisor_hostname": entry.node.node, "state": state, "status": status}


def _view(call: Call, entry: _Found) -> HypervisorView:
    node, (servers, vcpus, memory_mb, disk_gb) = entry.node, entry.used
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
        running_vms=servers,
        disk_available_least=node.free_disk_gb,
        # An object since 2.28, the same as text before.
        cpu_info=cpu if call.at_least("2.28") else msgspec.json.encode(cpu).decode(),
    )


routes = [
    Get("/os-hypervisors", index, policy=f"{POLICY}:list", allow=ADMIN),
    Get("/os-hypervisors/detail", detail, policy=f"{POLICY}:list-detail", allow=ADMIN),
    Get("/os-hypervisors/statistics", statistics, policy=f"{POLICY}:statistics", allow=ADMIN, until="2.87"),
    Get("/os-hypervisors/{hypervisor_id}", show, policy=f"{POLICY}:show", allow=ADMIN),
]
