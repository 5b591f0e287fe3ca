"""Where a machine's devices sit: each in a PCI Express port of its own, so that it can be taken out while the guest runs."""

from collections.abc import Sequence

import msgspec

from minicloud.base.errors import Conflict, Invalid
from minicloud.drivers.hypervisor import Disk, Hardware, Machine, Nic

FREE_PORTS = 8
"""Empty PCI Express ports per machine at its start, for disks and cards that are attached later."""

IDE_PORTS, OLD_IDE_PORTS = 6, 4
_FIRST_SLOT, _LAST_SLOT, _FUNCTIONS = 0x10, 0x1C, 8
_FIRST_OLD_SLOT, _MOST_OLD_PORTS = 0x8, 0x17
_MOST_PORTS = (_LAST_SLOT - _FIRST_SLOT + 1) * _FUNCTIONS


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How many ports there are (numbered from 1), and which one holds which device; for disks on IDE, which of its own ports.

    The older machine (``express`` false) has no such ports, but its only bus takes and gives back devices by itself.
    ``scsi``: there is a controller for SCSI disks, which stays when the last of them goes.
    """

    express: bool = True
    ports: int = 0
    scsi: bool = False
    places: dict[str, int] = {}

    def with_device(self, name: str) -> "Layout":
        """A layout with this device in the first free port. Raises Conflict: all are taken."""
        taken = set(self.places.values())
        free = next((port for port in range(1, self.ports + 1) if port not in taken), None)
        if free is None:
            raise Conflict(
                "all of the machine's PCI Express ports are taken: a hard reboot makes room for more devices"
            )
        return msgspec.structs.replace(self, places={**self.places, name: free})

    def without(self, name: str) -> "Layout":
        """A layout where this device's port is free."""
        return msgspec.structs.replace(self, places={key: port for key, port in self.places.items() if key != name})


def fresh(machine: Machine) -> Layout:
    """The layout of a machine that starts anew. Raises as ``planned``."""
    return planned(machine.hardware, machine.disks, [nic.id for nic in machine.nics])


def planned(hardware: Hardware, disks: Sequence[Disk], nics: Sequence[str]) -> Layout:
    """The layout of a machine that starts anew with these. Raises Invalid: too many devices, or two disks with one name."""
    express = is_express(hardware)
    ides, most = (IDE_PORTS, _MOST_PORTS) if express else (OLD_IDE_PORTS, _MOST_OLD_PORTS)
    if len({disk_device_name(disk.id) for disk in disks}) < len(disks):
        raise Invalid("two disks of the machine have ids that are too much alike")
    places: dict[str, int] = {}
    ide = port = 0
    for disk in disks:
        if disk.bus == "ide":
            if ide == ides:
                raise Invalid(f"a machine has {ides} IDE ports: use virtio or scsi for more disks")
            places[disk_device_name(disk.id)] = ide
            ide += 1
        elif needs_port(disk):
            port += 1
            places[disk_device_name(disk.id)] = port
    for nic in nics:
        port += 1
        places[nic_device_name(nic)] = port
    if port + FREE_PORTS > most:
        raise Invalid(f"a machine takes no more than {most - FREE_PORTS} disks and cards")
    scsi = any(disk.bus == "scsi" for disk in disks)
    return Layout(express=express, ports=port + FREE_PORTS, scsi=scsi, places=places)


def is_express(hardware: Hardware) -> bool:
    """Whether the machine's bus is PCI Express. Raises Invalid for machines that this host cannot be."""
    kind = hardware.machine_type or "q35"
    if kind == "q35" or kind.startswith("pc-q35-"):
        return True
    if kind == "pc" or kind.startswith("pc-i440fx-"):
        return False
    raise Invalid(f"machines of type {kind} cannot be run here: q35, pc, or one of their versions")


def bus_of(layout: Layout, name: str) -> dict[str, str]:
    """Where a device of the PCI bus is put."""
    place = layout.places[name]
    return {"bus": f"port{place}"} if layout.express else {"bus": "pci.0", "addr": f"{_FIRST_OLD_SLOT + place - 1:#x}"}


def pci_address(layout: Layout, name: str) -> str:
    """Where the guest finds a device of the PCI bus: the firmware numbers the buses behind our ports, the only ones, in their order."""
    place = layout.places.get(name)
    if place is None:
        return ""
    return f"0000:{place:02x}:00.0" if layout.express else f"0000:00:{_FIRST_OLD_SLOT + place - 1:02x}.0"


def ide_of(layout: Layout, name: str) -> dict[str, str | int]:
    """Where a disk on IDE is put; the older machine has two to a cable."""
    place = layout.places[name]
    return {"bus": f"ide.{place}"} if layout.express else {"bus": f"ide.{place // 2}", "unit": place % 2}


def needs_port(device: Disk | Nic) -> bool:
    """Whether the device is one on the PCI bus; SCSI and IDE disks hang on a controller."""
    return isinstance(device, Nic) or device.bus in ("virtio", "nvme")


def node_name(disk_id: str) -> str:
    """The name of a disk's block node: at most 31 characters, beginning with a letter."""
    plain = "".join(letter for letter in disk_id if letter.isalnum() or letter in "-_.")
    return f"d-{plain if len(plain) <= 29 else plain.replace('-', '')[:29]}"


def second_node_name(disk_id: str) -> str:
    """The name that takes turns with ``node_name`` when the disk moves to another file under its guest."""
    return f"n{node_name(disk_id)[1:]}"


def disk_device_name(disk_id: str) -> str:
    """The name of the device that shows the disk to the guest."""
    return f"{node_name(disk_id)}-device"


def nic_device_name(nic_id: str) -> str:
    """The name of the card."""
    return f"nic-{nic_id}"


def net_name(nic_id: str) -> str:
    """The name of the card's network backend."""
    return f"net-{nic_id}"


def ports(layout: Layout) -> list[str]:
    """Arguments for all ports; eight of them share a slot of the root bus, which has only 32."""
    argv = []
    for number in range(1, layout.ports + 1) if layout.express else ():
        slot, function = divmod(number - 1, _FUNCTIONS)
        many = ",multifunction=on" if function == 0 else ""
        where = f"addr={_FIRST_SLOT + slot:#x}.{function}{many}"
        argv += ["-device", f"pcie-root-port,id=port{number},chassis={number},slot={number},{where}"]
    return argv
