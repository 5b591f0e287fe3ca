"""Hosts as filters and weighers see them: what compute knows of them, and what Placement says is left."""

from collections.abc import Iterable, Mapping

import msgspec

from minicloud.core.compute import aggregates, details, hosts
from minicloud.core.compute.aggregates import Aggregate
from minicloud.core.compute.details import Cell, Device, HostDetails
from minicloud.core.compute.hosts import HostRow
from minicloud.core.placement.index import Provider
from minicloud.core.scheduler.occupancy import Occupancy
from minicloud.core.scheduler.workload import Workload
from minicloud.engines.database import Transaction


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What stays of a host from one choice to the next.

    ``values``: its aggregates' metadata as written, ``metadata``: the same with lists of values taken apart at commas;
    ``multipliers``: what its aggregates say of weighers (the least of them).
    """

    host_ip: str = "127.0.0.1"
    cpu_features: frozenset[str] = frozenset()
    cells: tuple[Cell, ...] = ()
    devices: tuple[Device, ...] = ()
    metrics: Mapping[str, float] = {}
    values: Mapping[str, frozenset[str]] = {}
    metadata: Mapping[str, frozenset[str]] = {}
    multipliers: Mapping[str, float] = {}
    cpu_ratio: float = 1.0
    ram_ratio: float = 1.0


PLAIN = Described()


class HostState(msgspec.Struct, frozen=True, gc=False):
    """A host at the moment of choosing. Totals are what may be allocated (overcommitted), free is that less what is used;
    MiB and GiB. ``occupancy`` is there where the request asks for CPUs, pages or devices of its own."""

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
    num_io_ops: int = 0
    failed_builds: int = 0
    described: Described = PLAIN
    occupancy: Occupancy = Occupancy()


class Directory(msgspec.Struct, frozen=True):
    """All compute hosts by provider, and all aggregates, at one version of compute's tables."""

    version: int
    rows: Mapping[str, HostRow]
    described: Mapping[str, Described] = {}
    aggregates: tuple[Aggregate, ...] = ()
    has_devices: bool = False
    disabled: tuple[HostRow, ...] = ()


class KnownHosts:
    """Remembers the directory from one choice to the next, and each host as it was seen last: few change between two choices.

    One per cloud; any thread may ask.
    """

    def __init__(self) -> None:
        self._directory: Directory | None = None
        self._seen: dict[str, tuple[Provider, HostRow, Described, HostState]] = {}

    def state(
        self,
        row: HostRow,
        provider: Provider,
        up: bool,
        described: Described,
        workload: Workload,
        taken: Occupancy | None,
    ) -> HostState:
        """``state_of``, where anything is another one than it was."""
        seen = self._seen.get(row.provider_id)
        if (
            seen is not None
            and taken is None
            and seen[0] is provider
            and seen[1] is row
            and seen[2] is described
            and seen[3].up is (up and not row.forced_down)
            and seen[3].num_io_ops == workload.io_ops.get(row.host, 0)
            and seen[3].failed_builds == workload.failures.get(row.host, 0)
        ):
            return seen[3]
        made = state_of(row, provider, up, described, workload, taken)
        if taken is None:
            self._seen[row.provider_id] = (provider, row, described, made)
        return made

    def directory(self, tx: Transaction) -> Directory:
        """All hosts as this transaction sees them."""
        version = hosts.hosts_version(tx)
        known = self._directory
        if known is None or known.version != version:
            known = read_directory(tx, version)
            self._directory, self._seen = known, {}
        return known


def read_directory(tx: Transaction, version: int | None = None) -> Directory:
    """All hosts from the tables."""
    told = details.all_of(tx)
    groups = aggregates.by_host(tx)
    rows = {row.provider_id: row for row in hosts.scheduling_hosts(tx)}
    described: dict[str, Described] = {}
    same: list[Described] = []
    for row in rows.values():
        one = _described(told.get(row.host), groups.get(row.host, ()))
        if one != PLAIN:
            # Hosts are mostly alike: one description for all that are keeps a directory of thousands small.
            known = next((other for other in same[:32] if other == one), None)
            if known is None:
                same.append(one)
            described[row.host] = known or one
    return Directory(
        hosts.hosts_version(tx) if version is None else version,
        rows,
        described,
        tuple(members.aggregate for members in aggregates.listed(tx)),
        any(one.devices for one in described.values()),
        tuple(row for row in rows.values() if row.disabled),
    )


def _described(told: HostDetails | None, groups: Iterable[Aggregate]) -> Described:
    values: dict[str, set[str]] = {}
    for aggregate in groups:
        for key, value in aggregate.metadata.items():
            values.setdefault(key, set()).add(value)
    told = told or HostDetails(host="")
    return Described(
        host_ip=told.host_ip,
        cpu_features=frozenset(told.cpu_features),
        cells=tuple(told.cells),
        devices=tuple(told.devices),
        metrics=told.metrics,
        values={key: frozenset(found) for key, found in values.items()},
        metadata={
            key: frozenset(part.strip() for value in found for part in value.split(","))
            for key, found in values.items()
        },
        multipliers=_multipliers(values),
        cpu_ratio=told.cpu_ratio,
        ram_ratio=told.ram_ratio,
    )


def _multipliers(values: Mapping[str, Iterable[str]]) -> dict[str, float]:
    found = {}
    for key, texts in values.items():
        if key.endswith("_weight_multiplier"):
            try:
                found[key] = min(float(text) for text in texts)
            except ValueError:
                continue  # what is no number says nothing, as upstream has it
    return found


def state_of(
    row: HostRow,
    provider: Provider,
    up: bool,
    described: Described = PLAIN,
    workload: Workload | None = None,
    occupancy: Occupancy | None = None,
) -> HostState:
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
        up and not row.forced_down,
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
        0 if workload is None else workload.io_ops.get(row.host, 0),
        0 if workload is None else workload.failures.get(row.host, 0),
        described,
        occupancy or FREE,
    )


FREE = Occupancy()


def _left(provider: Provider, resource_class: str) -> tuple[int, int]:
    stock = provider.stocks.get(resource_class)
    return (0, 0) if stock is None else (stock.capacity - stock.used, stock.capacity)
