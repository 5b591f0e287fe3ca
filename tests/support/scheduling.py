"""Builders of compute hosts with providers, and of what the scheduler is asked."""

from collections.abc import Mapping
from typing import Any

from minicloud.core.compute import hosts
from minicloud.core.placement.inventories import Stocked
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.engines.database import Transaction
from tests.support.placement import a_provider


def a_host(
    tx: Transaction, name: str, stocked: Mapping[str, Stocked] | None = None, *, zone: str | None = None, **more: Any
) -> str:
    """A compute host that reports 4 vCPUs, 8 GiB and 100 GiB, with its provider; the provider's id."""
    node = hosts.register(
        tx,
        name,
        hypervisor_type="QEMU",
        hypervisor_version=9_000_000,
        cpu_arch="x86_64",
        cpu_model="max",
        accelerator="tcg",
        vcpus=4,
        memory_mb=8192,
        disk_gb=100,
        free_disk_gb=100,
        fabric="fake",
    )
    if zone is not None:
        service = hosts.service_of(tx, name)
        assert service is not None
        hosts.change_service(tx, service, zone=zone)
    return a_provider(tx, name, stocked, provider_id=node.uuid, **more)


def a_request(**changes: Any) -> RequestSpec:
    """A server of one vCPU, 512 MiB and 1 GiB."""
    wanted: dict[str, Any] = {
        "server_id": "5eed0000-0000-4000-8000-000000000001",
        "project_id": "project",
        "user_id": "user",
        "flavor_id": "1",
        "flavor_name": "m1.tiny",
        "vcpus": 1,
        "memory_mb": 512,
        "root_gb": 1,
    }
    return RequestSpec(**{**wanted, **changes})


def a_state(**changes: Any) -> HostState:
    """A host as filters see it: enabled, up, empty."""
    state: dict[str, Any] = {
        "host": "one",
        "node": "one",
        "provider_id": "provider",
        "zone": "nova",
        "aggregates": frozenset(),
        "traits": frozenset(),
        "enabled": True,
        "disabled_reason": None,
        "up": True,
        "hypervisor_type": "QEMU",
        "hypervisor_version": 9_000_000,
        "cpu_arch": "x86_64",
        "total_vcpus": 64,
        "total_ram_mb": 8192,
        "total_disk_gb": 100,
        "free_vcpus": 64,
        "free_ram_mb": 8192,
        "free_disk_gb": 100,
        "num_instances": 0,
    }
    return HostState(**{**state, **changes})
