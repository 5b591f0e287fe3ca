"""Descriptions of simulated hosts out of a file (``--hosts-file lab.yaml``): sizes, zones, aggregates, traits, cells, devices.

aggregates:
  - {name: fast, metadata: {ssd: "true"}}
hosts:
  - name: node            # with a count: node-1, node-2 ...
    count: 2
    zone: east
    aggregates: [fast]
    vcpus: 16
    memory_mb: 65536
    numa:
      - {cpus: "0-1", pinned: "2-7", threads: 2, memory_mb: 32768, pages: {2048: 4096}}
    devices:
      - {address: "0000:81:00.0", vendor_id: "8086", product_id: "1572", virtual_functions: 4, physical_network: one}
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from minicloud.base.errors import Invalid
from minicloud.core.compute.details import Cell, Device, Pages
from minicloud.core.compute.topology import cpu_numbers


class CellGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cell as it is written: CPU numbers as ``0-3,8``; neighbouring numbers are threads of one core; pages by size in KiB."""

    cpus: str = ""
    pinned: str = ""
    threads: int = 1
    memory_mb: int
    pages: dict[int, int] = {}


class DeviceGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device as it is written; with ``virtual_functions`` it is a card, and those may be given away, too."""

    address: str
    vendor_id: str
    product_id: str
    cell: int | None = None
    physical_network: str | None = None
    virtual_functions: int = 0
    traits: list[str] = []


class HostDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host, or ``count`` alike. What is None is as the settings have it. Memory in MiB, disk in GiB."""

    name: str
    count: int | None = None
    zone: str | None = None
    aggregates: list[str] = []
    vcpus: int | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None
    cpu_arch: str | None = None
    cpu_features: list[str] = []
    host_ip: str = "127.0.0.1"
    traits: list[str] = []
    metrics: dict[str, float] = {}
    cpu_allocation_ratio: float | None = None
    ram_allocation_ratio: float | None = None
    disk_allocation_ratio: float | None = None
    numa: list[CellGiven] = []
    devices: list[DeviceGiven] = []

    def cells(self) -> list[Cell]:
        """Its NUMA cells."""
        return [_cell(number, given) for number, given in enumerate(self.numa)]

    def cards(self) -> list[Device]:
        """Its PCI devices, virtual functions one by one."""
        return [device for given in self.devices for device in _devices(given)]


class AggregateGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An aggregate that is made, if there is none of its name."""

    name: str
    metadata: dict[str, str] = {}


class Lab(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file."""

    hosts: list[HostDescription]
    aggregates: list[AggregateGiven] = []

    def by_name(self) -> dict[str, HostDescription]:
        """Every host by its name."""
        found: dict[str, HostDescription] = {}
        for one in self.hosts:
            width = len(str(one.count or 1))
            names = [one.name] if one.count is None else [f"{one.name}-{i + 1:0{width}}" for i in range(one.count)]
            for name in names:
                if name in found:
                    raise Invalid(f"Two hosts are described by the name {name}")
                found[name] = one
        return found

    def metadata(self) -> Mapping[str, Mapping[str, str]]:
        """What is said of each aggregate."""
        return {one.name: one.metadata for one in self.aggregates}


NO_LAB = Lab(hosts=[])


def read_lab(text: str, where: str) -> Lab:
    """A file's text as a lab. Raises Invalid, saying where what is wrong."""
    try:
        given: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid(f"Cannot read {where}: {error}") from error
    try:
        lab = msgspec.convert(given, Lab, str_keys=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"Cannot use {where}: {error}") from error
    if not lab.by_name():
        raise Invalid(f"Cannot use {where}: it describes no hosts")
    for name, one in lab.by_name().items():
        _check(where, name, one)
    return lab


def _check(where: str, name: str, one: HostDescription) -> None:
    cells = one.cells()
    numbers = [cpu for cell in cells for cpu in {*cell.cpus, *cell.pinned}]
    if len(numbers) != len(set(numbers)):
        raise Invalid(f"Cannot use {where}: a CPU of {name} is in two cells")
    if one.vcpus is not None and cells and one.vcpus != len(numbers):
        raise Invalid(f"Cannot use {where}: {name} has {one.vcpus} vcpus, and its cells have {len(numbers)}")
    addresses = [device.address for device in one.cards()]
    if len(addresses) != len(set(addresses)):
        raise Invalid(f"Cannot use {where}: two devices of {name} have one address")
    for device in one.cards():
        if device.cell is not None and device.cell >= len(cells):
            raise Invalid(
                f"Cannot use {where}: device {device.address} of {name} is on cell {device.cell}, that is not there"
            )


def _cell(number: int, given: CellGiven) -> Cell:
    cpus, pinned = sorted(cpu_numbers(given.cpus)) if given.cpus else [], []
    if given.pinned:
        pinned = sorted(cpu_numbers(given.pinned))
    everything = sorted({*cpus, *pinned})
    threads = max(given.threads, 1)
    cores = [everything[i : i + threads] for i in range(0, len(everything), threads)] if threads > 1 else []
    pages = [Pages(size_kb=size, total=total) for size, total in sorted(given.pages.items())]
    return Cell(id=number, cpus=cpus, pinned=pinned, siblings=cores, memory_mb=given.memory_mb, pages=pages)


def _devices(given: DeviceGiven) -> list[Device]:
    card = Device(
        address=given.address,
        vendor_id=given.vendor_id,
        product_id=given.product_id,
        kind="type-PF" if given.virtual_functions else "type-PCI",
        cell=given.cell,
        physical_network=given.physical_network,
        traits=given.traits,
    )
    base = given.address.rpartition(".")[0] or given.address
    functions = [
        msgspec.structs.replace(card, address=f"{base}.{1 + i}", kind="type-VF", parent=card.address)
        for i in range(given.virtual_functions)
    ]
    return [card, *functions]
