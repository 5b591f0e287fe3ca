"""Where a guest finds its disks and cards: addresses on its PCI bus, as its firmware has numbered them."""

from collections.abc import Iterator
from typing import Any

from minicloud.base.errors import Conflict
from minicloud.drivers.hypervisor import DeviceAddress
from minicloud.drivers.hypervisor.qemu.layout import disk_device_name, needs_port, nic_device_name
from minicloud.drivers.hypervisor.qemu.vm import Vm


async def addresses(vm: Vm) -> dict[str, DeviceAddress]:
    """As the promise's ``addresses``."""
    async with vm.by_itself() as (record, qmp):
        if qmp is None:
            raise Conflict(f"machine {vm.machine_id} is {record.power}: its bus has no addresses")
        found = {name: place for bus in await qmp.execute("query-pci") for name, place in _on(bus)}
    machine = record.machine
    told = {nic.id: DeviceAddress(bus="pci", address=found.get(nic_device_name(nic.id), "")) for nic in machine.nics}
    for disk in machine.disks:
        on_pci = needs_port(disk)
        told[disk.id] = DeviceAddress(
            bus="pci" if on_pci else "scsi" if disk.bus == "scsi" else "ide",
            address=found.get(disk_device_name(disk.id), "") if on_pci else "",
        )
    return told


def _on(bus: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Devices on a bus, and on those behind its bridges, by the names that we gave them."""
    for device in bus.get("devices", ()):
        yield device["qdev_id"], f"0000:{device['bus']:02x}:{device['slot']:02x}.{device['function']:x}"
        yield from _on(device.get("pci_bridge", {}))
