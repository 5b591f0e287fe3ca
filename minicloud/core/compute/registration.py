"""What follows from a host's registration: its details, what its provider offers and is like, the aggregates it joins."""

from collections.abc import Mapping, Sequence

from minicloud.core import records
from minicloud.core.compute import aggregates, details, host_traits
from minicloud.core.compute.aggregates import Aggregate
from minicloud.core.compute.descriptions import HostDescription, Lab
from minicloud.core.compute.details import Cell, HostDetails
from minicloud.core.compute.topology import HYPERTHREADING
from minicloud.core.placement import inventories, traits
from minicloud.core.placement.inventories import Stocked
from minicloud.core.placement.names import standard_traits
from minicloud.engines.database import Transaction


def details_of(
    host: str,
    described: HostDescription | None,
    *,
    cells: Sequence[Cell] = (),
    cpu_ratio: float,
    ram_ratio: float,
    disk_ratio: float,
) -> HostDetails:
    """A host in detail. ``cells`` are those it told of, the ratios are the settings'; a description overrules both."""
    if described is None:
        return HostDetails(
            host=host, cells=list(cells), cpu_ratio=cpu_ratio, ram_ratio=ram_ratio, disk_ratio=disk_ratio
        )
    return HostDetails(
        host=host,
        host_ip=described.host_ip,
        cpu_features=described.cpu_features,
        cells=described.cells(),
        devices=described.cards(),
        metrics=described.metrics,
        cpu_ratio=described.cpu_allocation_ratio or cpu_ratio,
        ram_ratio=described.ram_allocation_ratio or ram_ratio,
        disk_ratio=described.disk_allocation_ratio or disk_ratio,
    )


def offer(
    tx: Transaction, provider_id: str, told: HostDetails, *, vcpus: int, memory_mb: int, disk_gb: int, reserved_mb: int
) -> None:
    """Let the provider have what the host has; what others gave it (a custom class, say) stays."""
    ratios = details.ratios(told, [one.metadata for one in aggregates.of_host(tx, told.host)])
    pinned = sum(len(cell.pinned) for cell in told.cells)
    shared = min(sum(len(cell.cpus) for cell in told.cells), vcpus) if told.cells else vcpus
    disk_gb = max(disk_gb, 1)
    offered = {
        "MEMORY_MB": Stocked(
            total=memory_mb,
            reserved=min(reserved_mb, memory_mb - 1),
            max_unit=memory_mb,
            allocation_ratio=ratios["MEMORY_MB"],
        ),
        "DISK_GB": Stocked(total=disk_gb, max_unit=disk_gb, allocation_ratio=ratios["DISK_GB"]),
    }
    if shared:
        offered["VCPU"] = Stocked(total=shared, max_unit=shared, allocation_ratio=ratios["VCPU"])
    if pinned:
        offered["PCPU"] = Stocked(total=pinned, max_unit=pinned)
    known = {one.resource_class: inventories.stocked_of(one) for one in inventories.of_provider(tx, provider_id)}
    wanted = {**known, **offered}
    if known != wanted:
        inventories.set_all(tx, provider_id, wanted)


def characterise(
    tx: Transaction, provider_id: str, told: HostDetails, described: HostDescription | None, cpu_arch: str
) -> None:
    """Let the provider have the traits that follow from the host; those that an operator gave it stay."""
    given = described.traits if described is not None else []
    for name in given:
        if name not in standard_traits():
            traits.ensure(tx, name)
    wanted = {*given, *host_traits.of_host(cpu_arch, told.cpu_features)}
    if any(len(core) > 1 for cell in told.cells for core in cell.siblings):
        wanted.add(HYPERTHREADING)
    had = {trait.name for trait in traits.of_provider(tx, provider_id)}
    kept = {name for name in had if not name.startswith(host_traits.OWN) and name != HYPERTHREADING}
    if had != wanted | kept:
        traits.set_of_provider(tx, provider_id, wanted | kept)


def join(tx: Transaction, host: str, described: HostDescription | None, lab: Lab) -> None:
    """Put a host into the aggregates of its description, which are made where there are none; a zone is one, too.

    Only said once: what an administrator changes later stays.
    """
    if described is None:
        return
    for name in described.aggregates:
        _enter(tx, host, name, lab.metadata().get(name, {}))
    if described.zone is not None:
        _enter(tx, host, f"zone {described.zone}", {aggregates.ZONE: described.zone})


def _enter(tx: Transaction, host: str, name: str, metadata: Mapping[str, str]) -> None:
    found = records.select(tx, Aggregate, "name = ?", [name])
    number = found[0].id if found else aggregates.create(tx, name).aggregate.id
    if not found and metadata:
        aggregates.set_metadata(tx, number, metadata)
    if host not in aggregates.get(tx, number).hosts:
        aggregates.add_host(tx, number, host)
