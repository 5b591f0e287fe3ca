"""What a simulated machine has used: what a small guest would have needed for the boots that it had, always the same."""

from collections.abc import Sequence

from minicloud.drivers.hypervisor import DeviceAddress, Disk, DiskUsage, Machine, MachineUsage, NicUsage

_BOOT_NS = 1_300_000_000
_READ, _READS = 26_214_400, 1_120
_WRITTEN, _WRITES = 786_432, 96
_CAME, _WENT = 2_310, 1_764
_PACKETS = 17


def usage_of(machine: Machine, boots: int) -> MachineUsage:
    """Its guest booted so often from the first disk, and asked for its address and metadata on every card."""
    return MachineUsage(
        cpu_ns=[_BOOT_NS * boots if cpu == 0 else _BOOT_NS * boots // 10 for cpu in range(machine.vcpus)],
        memory_mb=machine.memory_mb,
        resident_mb=machine.memory_mb // 2,
        disks=[
            DiskUsage(
                id=disk.id,
                read_bytes=_READ * boots,
                read_requests=_READS * boots,
                write_bytes=_WRITTEN * boots,
                write_requests=_WRITES * boots,
            )
            if number == 0
            else DiskUsage(id=disk.id)
            for number, disk in enumerate(machine.disks)
        ],
        nics=[
            NicUsage(
                id=nic.id,
                mac=nic.mac,
                rx_bytes=_CAME * boots,
                rx_packets=_PACKETS * boots,
                rx_errors=0,
                rx_drop=0,
                tx_bytes=_WENT * boots,
                tx_packets=_PACKETS * boots,
                tx_errors=0,
                tx_drop=0,
            )
            for nic in machine.nics
        ],
    )


def addresses_of(machine: Machine) -> dict[str, DeviceAddress]:
    """As ``places_of``."""
    return places_of(machine.disks, [nic.id for nic in machine.nics])


def places_of(disks: Sequence[Disk], nics: Sequence[str]) -> dict[str, DeviceAddress]:
    """Cards and disks stand on one PCI bus in the order of their names, as if each had been there from the start."""
    names = sorted((*nics, *(disk.id for disk in disks if disk.bus in ("virtio", "nvme"))))
    told = {
        name: DeviceAddress(bus="pci", address=f"0000:{number // 29:02x}:{number % 29 + 3:02x}.0")
        for number, name in enumerate(names)
    }
    for disk in disks:
        if disk.id not in told:
            told[disk.id] = DeviceAddress(bus="scsi" if disk.bus == "scsi" else "ide")
    return told
