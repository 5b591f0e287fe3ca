"""Disks and cards as QEMU's own structures, the same for the command line and for attaching them to a running machine."""

from collections.abc import Mapping, Sequence
from typing import Any

from minicloud.drivers.fabric import TapPlug, UserPlug
from minicloud.drivers.hypervisor import Disk, Nic, Throttle
from minicloud.drivers.hypervisor.qemu.layout import (
    Layout,
    bus_of,
    disk_device_name,
    ide_of,
    needs_port,
    net_name,
    nic_device_name,
    node_name,
)

SCSI = "scsi0"
"""The controller of all SCSI disks."""

_NIC_DEVICES = {"virtio": "virtio-net-pci"}
_SERIAL_LENGTHS = {"scsi": 36}
_SERIAL_LENGTH = 20


def block_node(disk: Disk) -> dict[str, Any]:
    """The disk's block node, for ``-blockdev`` and ``blockdev-add``."""
    read_only = disk.read_only or disk.device == "cdrom"
    file = {"driver": "file", "filename": disk.path, "read-only": read_only, "discard": "unmap"}
    node = {"driver": disk.format, "node-name": node_name(disk.id), "read-only": read_only, "discard": "unmap"}
    return {**node, "file": file}


def disk_device(disk: Disk, layout: Layout, *, in_order: bool = True) -> dict[str, Any]:
    """What shows the disk to the guest, for ``-device`` and ``device_add``; ``in_order``: its boot index counts."""
    cdrom = disk.device == "cdrom"
    if disk.bus == "virtio":
        # Few cloud kernels know a CD-ROM on q35's own controller: on this bus it is a read-only disk.
        kind = "virtio-blk-pci"
    elif disk.bus == "nvme":
        kind = "nvme"
    else:
        kind = f"{disk.bus}-{'cd' if cdrom else 'hd'}"
    name = disk_device_name(disk.id)
    device: dict[str, Any] = {"driver": kind, "id": name, "drive": node_name(disk.id)}
    if in_order and disk.boot_index is not None:
        device["bootindex"] = disk.boot_index
    serial = disk.serial or (disk.id if disk.bus == "nvme" else None)
    if serial:
        device["serial"] = serial[: _SERIAL_LENGTHS.get(disk.bus, _SERIAL_LENGTH)]
    if disk.shared:
        device["share-rw"] = True
    if disk.bus == "scsi":
        device["bus"] = f"{SCSI}.0"
    elif disk.bus == "ide":
        device |= ide_of(layout, name)
    elif needs_port(disk):
        device |= bus_of(layout, name)
    return device


def throttling(disk: Disk, limits: Throttle | None) -> dict[str, Any]:
    """Arguments of ``block_set_io_throttle``: limits of the device, which hold at once and may be changed while it works."""
    limits = limits or Throttle()
    # A virtio device has two halves, and the disk belongs to the one behind.
    behind = "/virtio-backend" if disk.bus == "virtio" else ""
    said: dict[str, Any] = {"id": f"/machine/peripheral/{disk_device_name(disk.id)}{behind}"}
    for ours, theirs in (("bytes", "bps"), ("iops", "iops")):
        for which, suffix in (("total", ""), ("read", "_rd"), ("write", "_wr")):
            name = f"{theirs}{suffix}"
            said[name] = getattr(limits, f"{which}_{ours}")
            if most := getattr(limits, f"{which}_{ours}_max"):
                said[f"{name}_max"] = most
                if length := getattr(limits, f"{which}_{ours}_max_length"):
                    said[f"{name}_max_length"] = length
    if limits.iops_size:
        said["iops_size"] = limits.iops_size
    return said


def nic_backend(nic: Nic, taps: Mapping[str, Sequence[int]]) -> str:
    """The card's way out, for ``-netdev``: the tap's open descriptors, or user networking."""
    if isinstance(nic.plug, TapPlug):
        descriptors = ":".join(map(str, taps[nic.id]))
        return f"tap,id={net_name(nic.id)},{'fds' if nic.plug.queues > 1 else 'fd'}={descriptors}"
    if isinstance(nic.plug, UserPlug):
        return f"user,id={net_name(nic.id)},{nic.plug.options}"
    # A simulated network: the card is there, and nobody answers.
    return f"user,id={net_name(nic.id)},restrict=on"


def nic_device(nic: Nic, layout: Layout) -> dict[str, Any]:
    """The card, for ``-device`` and ``device_add``."""
    name = nic_device_name(nic.id)
    device: dict[str, Any] = {"driver": _NIC_DEVICES.get(nic.model, nic.model), "id": name, "netdev": net_name(nic.id)}
    device |= {"mac": nic.mac, "romfile": "", **bus_of(layout, name)}
    if nic.model == "virtio":
        device["host_mtu"] = nic.mtu
        if isinstance(nic.plug, TapPlug) and nic.plug.queues > 1:
            # An interrupt for each way of each queue, for changes, and for control.
            device |= {"mq": True, "vectors": 2 * nic.plug.queues + 2}
    return device


def option(device: Mapping[str, Any]) -> str:
    """A device as one option of the command line: its driver first, commas in values doubled."""
    words = [str(device["driver"])]
    for key, value in device.items():
        if key != "driver":
            words.append(f"{key}={escape(('on' if value else 'off') if isinstance(value, bool) else str(value))}")
    return ",".join(words)


def escape(text: str) -> str:
    """Commas separate QEMU's options; doubled ones are meant."""
    return text.replace(",", ",,")
