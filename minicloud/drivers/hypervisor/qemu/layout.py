"""Where a machine's devices sit: each in a PCI Express port of its own, so that it can be taken out while the guest runs."""

import msgspec

from minicloud.base.errors import Conflict, Invalid
from minicloud.drivers.hypervisor import Disk, Machine, Nic

FREE_PORTS = 8
"""Empty PCI Express ports per machine at its start, for disks and cards that are attached later."""

IDE_PORTS = 6
_FIRST_SLOT, _LAST_SLOT, _FUNCTIONS = 0x10, 0x1C, 8
_MOST_PORTS = (_LAST_SLOT - _FIRST_SLOT + 1) * _FUNCTIONS


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How many ports there are (numbered from 1), and which one holds which device; for disks on IDE, which of its own ports."""

    ports: int = 0
    places: dict[str, int] = {}

    def with_device(self, name: str) -> "Layout":
        """A layout with this device in the first free port. Raises Conflict: all are taken."""
        taken = set(self.places.values())
        free = next((port for port in range(1, self.ports + 1) if port not in taken), None)
        if free is None:
            raise Conflict(
                "all of the machine's PCI Express ports are taken: a hard reboot makes room for more devices"
            )
        return Layout(ports=self.ports, places={**self.places, name: free})

    def without(self, name: str) -> "Layout":
        """A layout where this device's port is free."""
        return Layout(ports=self.ports, places={key: port for key, port in self.places.items() if key != name})


def fresh(machine: Machine) -> Layout:
    """The layout of a machine that starts anew. Raises Invalid: too many devices, or two disks with one name."""
    if len({disk_device_name(disk.id) for disk in machine.disks}) < len(machine.disks):
        raise Invalid("two disks of the machine have ids that are too much alike")
    places: dict[str, int] = {}
    ide = port = 0
    for disk in machine.disks:
        if disk.bus == "ide":
            if ide == IDE_PORTS:
                raise Invalid(f"a machine has {IDE_PORTS} IDE ports: use virtio or scsi for more disks")
            places[disk_device_name(disk.id)] = ide
            ide += 1
        elif needs_port(disk):
            port += 1
            places[disk_device_name(disk.id)] = port
    for nic in machine.nics:
        port += 1
        places[nic_device_name(nic.id)] = port
    if port + FREE_PORTS > _MOST_PORTS:
        raise Invalid(f"a machine takes no more than {_MOST_PORTS - FREE_PORTS} disks and cards")
    return Layout(ports=port + FREE_PORTS, places=places)


def needs_port(device: Disk | Nic) -> bool:
    """Whether the device is one on the PCI bus; SCSI and IDE disks hang on a controller."""
    return isinstance(device, Nic) or device.bus in ("virtio", "nvme")


def node_name(disk_id: str) -> str:
    """The name of a disk's block node: at most 31 characters, beginning with a letter."""
    plain = "".join(letter for letter in disk_id if letter.isalnum() or letter in "-_.")
    return f"d-{plain if len(plain) <= 29 else plain.replace('-', '')[:29]}"


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
    for number in range(1, layout.ports + 1):
        slot, function = divmod(number - 1, _FUNCTIONS)
        many = ",multifunction=on" if function == 0 else ""
        where = f"addr={_FIRST_SLOT + slot:#x}.{function}{many}"
        argv += ["-device", f"pcie-root-port,id=port{number},chassis={number},slot={number},{where}"]
    return argv
