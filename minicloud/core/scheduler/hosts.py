"""Hosts as filters and weighers see them: what compute knows of them, and what Placement says is left."""

from collections.abc import Callable, Mapping

import msgspec

from minicloud.core.compute import hosts
from minicloud.core.compute.hosts import HostRow
from minicloud.core.placement.index import Provider
from minicloud.engines.database import Transaction


class HostState(msgspec.Struct, frozen=True, gc=False):
    """A host at the moment of choosing. Totals are what may be allocated (overcommitted), free is that less what is used;
    MiB and GiB."""

    host: str
    node: str
    provider_id: str
    zone: str
    aggregates: frozenset[str]
    traits: frozenset[str]
    enabled: bool
    disabled_reason: str | None
    up: bool
    hypervisor_type: str
    hypervisor_version: int
    cpu_arch: str
    total_vcpus: int
    total_ram_mb: int
    total_disk_gb: int
    free_vcpus: int
    free_ram_mb: int
    free_disk_gb: int
    num_instances: int


class Directory(msgspec.Struct, frozen=True):
    """All compute hosts by provider, at one version of compute's tables."""

    version: int
    rows: Mapping[str, HostRow]


class KnownHosts:
    """Remembers the directory from one choice to the next. One per cloud; any thread may ask."""

    def __init__(self) -> None:
        self._directory: Directory | None = None

    def directory(self, tx: Transaction) -> Directory:
        """All hosts as this transaction sees them."""
        version = hosts.hosts_version(tx)
        known = self._directory
        if known is None or known.version != version:
            known = read_directory(tx, version)
            self._directory = known
        return known


def read_directory(tx: Transaction, version: int | None = None) -> Directory:
    """All hosts from the tables."""
    return Directory(
        hosts.hosts_version(tx) if version is None else version,
        {row.provider_id: row for row in hosts.scheduling_hosts(tx)},
    )


def state_of(row: HostRow, provider: Provider, is_up: Callable[[str], bool]) -> HostState:
    """A host with what is left on it. A provider without inventory of something has nothing of it."""
    vcpus, total_vcpus = _left(provider, "VCPU")
    ram_mb, total_ram_mb = _left(provider, "MEMORY_MB")
    disk_gb, total_disk_gb = _left(provider, "DISK_GB")
    return HostState(
        row.host,
        row.node,
        row.provider_id,
        row.zone,
        provider.aggregates,
        provider.traits,
        not row.disabled,
        row.disabled_reason,
        not row.forced_down and is_up(row.host),
        row.hypervisor_type,
        row.hypervisor_version,
        row.cpu_arch,
        total_vcpus,
        total_ram_mb,
        total_disk_gb,
        vcpus,
        ram_mb,
        disk_gb,
        provider.consumers,
    )


def _left(provider: Provider, resource_class: str) -> tuple[int, int]:
    stock = provider.stocks.get(resource_class)
    return (0, 0) if stock is None else (stock.capacity - stock.used, stock.capacity)
