"""Where a guest finds its disks and cards: addresses on its PCI bus, as its firmware numbers them."""

from collections.abc import Sequence

from minicloud.base.errors import Conflict
from minicloud.drivers.hypervisor import DeviceAddress, Disk
from minicloud.drivers.hypervisor.qemu.layout import (
    Layout,
    disk_device_name,
    needs_port,
    nic_device_name,
    pci_address,
)
from minicloud.drivers.hypervisor.qemu.vm import Vm


async def addresses(vm: Vm) -> dict[str, DeviceAddress]:
    """As the promise's ``addresses``."""
    async with vm.by_itself() as (record, qmp):
        if qmp is None:
            raise Conflict(f"machine {vm.machine_id} is {record.power}: its bus has no addresses")
        machine = record.machine
        return places(record.layout, machine.disks, [nic.id for nic in machine.nics])


def places(layout: Layout, disks: Sequence[Disk], nics: Sequence[str]) -> dict[str, DeviceAddress]:
    """Where the guest of a machine of this layout finds each disk and card, by its id."""
    told = {nic: DeviceAddress(bus="pci", address=pci_address(layout, nic_device_name(nic))) for nic in nics}
    for disk in disks:
        if needs_port(disk):
            told[disk.id] = DeviceAddress(bus="pci", address=pci_address(layout, disk_device_name(disk.id)))
        else:
            told[disk.id] = DeviceAddress(bus="scsi" if disk.bus == "scsi" else "ide")
    return told
