"""What a host can be asked for by name, in the words of Nova's host state: for extra specs and queries."""

from collections.abc import Sequence
from typing import Any

from minicloud.core.scheduler.hosts import HostState


def capabilities(host: HostState) -> dict[str, object]:
    """The names with their values. Memory in MiB, disks in GiB but for ``free_disk_mb``."""
    described = host.described
    return {
        "host": host.host,
        "nodename": host.node,
        "hypervisor_hostname": host.node,
        "uuid": host.provider_id,
        "host_ip": described.host_ip,
        "availability_zone": host.zone,
        "hypervisor_type": host.hypervisor_type,
        "hypervisor_version": host.hypervisor_version,
        "total_usable_ram_mb": host.total_ram_mb,
        "total_usable_disk_gb": host.total_disk_gb,
        "free_ram_mb": host.free_ram_mb,
        "free_disk_mb": host.free_disk_gb * 1024,
        "vcpus_total": host.total_vcpus,
        "vcpus_used": host.total_vcpus - host.free_vcpus,
        "num_instances": host.num_instances,
        "num_io_ops": host.num_io_ops,
        "failed_builds": host.failed_builds,
        "ram_allocation_ratio": described.ram_ratio,
        "cpu_allocation_ratio": described.cpu_ratio,
        "enabled": host.enabled,
        "metrics": dict(described.metrics),
        "cpu_info": {
            "arch": host.cpu_arch,
            "features": sorted(described.cpu_features),
            "topology": {"cells": len(described.cells)},
        },
        "supported_instances": [[host.cpu_arch, host.hypervisor_type.lower(), "hvm"]],
    }


def found_in(known: dict[str, object], path: Sequence[str]) -> Any:
    """What stands at a path of names; None where it leads nowhere."""
    value: Any = known
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
