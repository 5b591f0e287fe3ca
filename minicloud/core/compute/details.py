"""Hosts in detail: their address, CPU features, NUMA cells, PCI devices, measured numbers, and the ratios that they offer."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from minicloud.base import trace
from minicloud.core import records
from minicloud.core.compute import hosts
from minicloud.core.placement import inventories
from minicloud.engines.database import Transaction

RATIOS = {"VCPU": "cpu_allocation_ratio", "MEMORY_MB": "ram_allocation_ratio", "DISK_GB": "disk_allocation_ratio"}
"""The key of an aggregate's metadata, for each class, that overrules what its hosts offer by themselves."""


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """Pages of one size on a cell. ``size_kb``: 4, 2048 or 1048576 on x86; ``reserved`` are never given to servers."""

    size_kb: int
    total: int
    reserved: int = 0


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A NUMA cell of a host. ``cpus``: numbers for servers that share CPUs; ``pinned``: for those with CPUs of their own.

    ``siblings``: threads of one core stand together; a CPU that no set names is a core with one thread.
    """

    id: int
    cpus: list[int] = []
    pinned: list[int] = []
    siblings: list[list[int]] = []
    memory_mb: int
    pages: list[Pages] = []


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A PCI device that may be given to a server. ``cell`` None: the device belongs to no cell."""

    address: str
    vendor_id: str
    product_id: str
    kind: str = "type-PCI"
    cell: int | None = None
    physical_network: str | None = None
    parent: str | None = None
    traits: list[str] = []


class HostDetails(records.Record, kw_only=True):
    """What a host told of itself. ``metrics`` are numbers by name; the ratios are those of its settings."""

    TABLE = "host_details"
    KEY: ClassVar[tuple[str, ...]] = ("host",)

    host: str
    host_ip: str = "127.0.0.1"
    cpu_features: list[str] = []
    cells: list[Cell] = []
    devices: list[Device] = []
    metrics: dict[str, float] = {}
    cpu_ratio: float = 1.0
    ram_ratio: float = 1.0
    disk_ratio: float = 1.0


def write(tx: Transaction, told: HostDetails) -> None:
    """Write down what a host told of itself now."""
    found = records.find(tx, HostDetails, told.host)
    if found == told:
        return
    if found is None:
        records.insert(tx, told)
    else:
        changes = {name: getattr(told, name) for name in told.__struct_fields__ if name != "host"}
        records.change(tx, found, **changes)
    hosts.touched(tx)


def all_of(tx: Transaction) -> dict[str, HostDetails]:
    """What every host told, by host."""
    return {found.host: found for found in records.select(tx, HostDetails)}


def ratios(own: HostDetails, metadata: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """What a host offers of each class for each real one: the least that one of its aggregates says, else its own ratio."""
    found = {"VCPU": own.cpu_ratio, "MEMORY_MB": own.ram_ratio, "DISK_GB": own.disk_ratio}
    for name, key in RATIOS.items():
        said = [ratio for one in metadata if (ratio := _ratio(one.get(key))) is not None]
        if said:
            found[name] = min(said)
    return found


def settle_ratios(tx: Transaction, host: str, provider_id: str, metadata: Sequence[Mapping[str, str]]) -> None:
    """Let the provider of a host offer what follows from the host and its aggregates."""
    own = records.find(tx, HostDetails, host)
    if own is None:
        return
    wanted = ratios(own, metadata)
    for found in inventories.of_provider(tx, provider_id):
        ratio = wanted.get(found.resource_class, found.allocation_ratio)
        if ratio != found.allocation_ratio:
            stocked = msgspec.structs.replace(inventories.stocked_of(found), allocation_ratio=ratio)
            inventories.update(tx, provider_id, found.resource_class, stocked)
            trace.note("ratio_changed", host=host, resource_class=found.resource_class, ratio=ratio)


def _ratio(text: str | None) -> float | None:
    """A ratio out of metadata; what is none is passed over, as upstream does."""
    if text is None:
        return None
    try:
        ratio = float(text)
    except ValueError:
        trace.note("ratio_unreadable", text=text)
        return None
    return ratio if ratio > 0 else None
