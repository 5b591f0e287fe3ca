"""What flavor and image ask of a machine, as its host is told: hardware, buses, limits. Nova's names on one side, ours on the other."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import CloudError, Invalid
from minicloud.core.compute import hardware
from minicloud.core.compute.pages import SMALL_KB
from minicloud.core.compute.servers import Server
from minicloud.core.compute.topology import wanted_topology
from minicloud.core.scheduler.occupancy import CellFit, ServerFit

_BUSES: dict[str, calls.Bus] = {"virtio": "virtio", "scsi": "scsi", "ide": "ide", "sata": "ide", "nvme": "nvme"}
"""On the machines that there are, IDE is SATA."""

_NICS = {
    **{name: name for name in get_args(calls.NicModel)},
    "virtuale1000": "e1000",
    "virtuale1000e": "e1000e",
    "virtualpcnet32": "pcnet",
    "virtualvmxnet3": "vmxnet3",
}
_SCSI = {"lsilogicsas": "lsisas1068", "paravirtual": "vmpvscsi"}
_VIDEO = {"gop": None, "none": None}
_LIMITS = {
    f"quota:disk_{what}_{unit}_sec{suffix}": f"{what}_{name}{suffix}"
    for what in ("total", "read", "write")
    for unit, name in (("bytes", "bytes"), ("iops", "iops"))
    for suffix in ("", "_max", "_max_length")
}


def of_server(server: Server, seat: ServerFit | None = None) -> calls.Hardware:
    """The hardware of a server that sits there on its host. Raises Invalid where no host here could be that."""
    specs, image = server.flavor.extra_specs, server.image_properties.properties
    spread = hardware.spread(server.flavor.vcpus, specs, image)
    seats = {} if seat is None else {cell.cell: cell for cell in seat.cells}
    cells = _cells(server, seats)
    video = image.get("hw_video_model")
    return _hardware(
        machine_type=image.get("hw_machine_type") or None,
        sockets=spread.sockets,
        cores=spread.cores,
        threads=spread.threads,
        cells=cells,
        # Ordinary memory is in pages of 4 KiB, asked for or not.
        page_kb=max((cell.page_kb for cell in seats.values() if cell.page_kb > SMALL_KB), default=0),
        emulator=[cpu for cell in seats.values() for cpu in cell.emulator],
        rng=hardware.is_true(specs.get("hw_rng:allowed", "True")),
        rng_bytes=_number(specs.get("hw_rng:rate_bytes")),
        rng_period_ms=_number(specs.get("hw_rng:rate_period")),
        watchdog=hardware.watchdog(specs, image),
        guest_agent=hardware.is_true(image.get("hw_qemu_guest_agent")),
        quiesce=hardware.is_true(image.get("os_require_quiesce")),
        video=_VIDEO.get(video, video) if video is not None else None,
        input_bus=image.get("hw_input_bus") or None,
        tablet="hw_pointer_model" in image,
        scsi=_SCSI.get(said := image.get("hw_scsi_model", "virtio-scsi"), said),
        secure_boot=(specs.get("os:secure_boot") or image.get("os_secure_boot")) == "required",
        cpu_shares=_number(specs.get("quota:cpu_shares")),
        cpu_quota_us=_number(specs.get("quota:cpu_quota")),
        cpu_period_us=_number(specs.get("quota:cpu_period")),
    )


def disk_bus(server: Server) -> calls.Bus:
    """The bus of the server's local disks. Raises Invalid."""
    return _bus(server.image_properties.properties.get("hw_disk_bus", "virtio"))


def cdrom_bus(server: Server) -> calls.Bus | None:
    """The bus on which its config drive is a CD-ROM; None: it is a disk like others. Raises Invalid."""
    said = server.image_properties.properties.get("hw_cdrom_bus")
    return None if said is None else _bus(said)


def nic_model(server: Server) -> calls.NicModel:
    """What its cards are. Raises Invalid."""
    said = server.image_properties.properties.get("hw_vif_model", "virtio").lower()
    if said not in _NICS:
        raise _unsupported(said)
    model: calls.NicModel = msgspec.convert(_NICS[said], calls.NicModel)
    return model


def throttle(server: Server) -> calls.Throttle | None:
    """What its flavor allows local disks in a second."""
    specs = server.flavor.extra_specs
    limits = {ours: _number(specs[name]) for name, ours in _LIMITS.items() if name in specs}
    return calls.Throttle(**limits) if any(limits.values()) else None


def _cells(server: Server, seats: Mapping[int, CellFit]) -> list[calls.Cell]:
    """The guest's cells, each with its seat where it has one."""
    specs, image = server.flavor.extra_specs, server.image_properties.properties
    try:
        wanted = wanted_topology(server.flavor.vcpus, server.flavor.memory_mb, specs, image)
    except CloudError as error:
        trace.note("topology_passed_over", server=server.id, why=error.message)
        return []
    cells = []
    for cell in wanted.cells if wanted is not None else ():
        seat = seats.get(cell.id)
        cells.append(
            calls.Cell(
                cpus=sorted((*cell.shared, *cell.pinned)),
                memory_mb=cell.memory_mb,
                host_cell=None if seat is None else seat.host_cell,
                pins={} if seat is None else {int(virtual): cpu for virtual, cpu in seat.pins.items()},
            )
        )
    return cells


def _hardware(**said: Any) -> calls.Hardware:
    try:
        return msgspec.convert(said, calls.Hardware)
    except msgspec.ValidationError as error:
        what = next(
            (value for value in said.values() if isinstance(value, str) and f"'{value}'" in str(error)), str(error)
        )
        raise _unsupported(what) from error


def _bus(said: str) -> calls.Bus:
    if said not in _BUSES:
        raise _unsupported(said)
    return _BUSES[said]


def _unsupported(what: str) -> Invalid:
    return Invalid(f"Requested hardware '{what}' is not supported by the 'qemu' virt driver")


def _number(text: str | None) -> int:
    # Before 2.86 any text could be stored as an extra spec; no host hears of a number that does not fit into 63 bits.
    return min(int(text), 2**63 - 1) if text is not None and text.strip().isdecimal() else 0
