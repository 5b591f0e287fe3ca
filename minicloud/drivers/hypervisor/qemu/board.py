"""The machine around disks and cards as QEMU's arguments: its type, processors, memory, and what flavors and images add to it."""

from minicloud.base.errors import Invalid
from minicloud.drivers.hypervisor import Hardware, Machine
from minicloud.drivers.hypervisor.qemu.devices import SCSI

_VIDEO = {
    "cirrus": "cirrus-vga",
    "qxl": "qxl-vga",
    "vga": "VGA",
    "vmvga": "vmware-svga",
    "virtio": "virtio-vga",
    "bochs": "bochs-display",
}
_SCSI = {
    "virtio-scsi": "virtio-scsi-pci",
    "lsilogic": "lsi53c895a",
    "lsisas1068": "mptsas1068",
    "lsisas1078": "megasas",
    "vmpvscsi": "pvscsi",
}


def machine(spec: Machine) -> str:
    """The value of ``-machine``. Memory in pages of a size is one piece, where the guest has no cells."""
    hardware = spec.hardware
    kind = hardware.machine_type or "q35"
    return f"{kind},memory-backend=ram0" if hardware.page_kb and not hardware.cells else kind


def processors(spec: Machine, *, bound: bool = False) -> list[str]:
    """Processors, memory and cells, ``bound`` to the host's cells in which they sit. Raises Invalid: they do not add up."""
    hardware = spec.hardware
    sockets = hardware.sockets or spec.vcpus
    if sockets * hardware.cores * hardware.threads != spec.vcpus:
        raise Invalid(
            f"{sockets} sockets of {hardware.cores} cores of {hardware.threads} threads are not {spec.vcpus} processors"
        )
    argv = ["-smp", f"{spec.vcpus},sockets={sockets},cores={hardware.cores},threads={hardware.threads}"]
    argv += ["-m", str(spec.memory_mb)]
    if not hardware.cells:
        return argv + (["-object", _memory(0, spec.memory_mb, hardware.page_kb)] if hardware.page_kb else [])
    if sum(cell.memory_mb for cell in hardware.cells) != spec.memory_mb:
        raise Invalid(f"the memory of the machine's cells does not add up to {spec.memory_mb} MiB")
    for number, cell in enumerate(hardware.cells):
        cpus = "".join(f",cpus={cpu}" for cpu in cell.cpus)
        argv += ["-object", _memory(number, cell.memory_mb, hardware.page_kb, cell.host_cell if bound else None)]
        argv += ["-numa", f"node,nodeid={number}{cpus},memdev=ram{number}"]
    return argv


def _memory(number: int, memory_mb: int, page_kb: int, host_cell: int | None = None) -> str:
    there = "" if host_cell is None else f",host-nodes={host_cell},policy=bind"
    if not page_kb:
        return f"memory-backend-ram,id=ram{number},size={memory_mb}M{there}"
    return f"memory-backend-memfd,id=ram{number},size={memory_mb}M,hugetlb=on,hugetlbsize={page_kb}K,prealloc=on{there}"


def extras(hardware: Hardware) -> list[str]:
    """Generator, watchdog, the agent's channel, screen and pointer."""
    argv: list[str] = []
    if hardware.rng:
        # Without it a guest's first SSH host key waits for a second or more.
        limit = f",max-bytes={hardware.rng_bytes},period={hardware.rng_period_ms or 1000}" if hardware.rng_bytes else ""
        argv += ["-object", "rng-random,id=rng0,filename=/dev/urandom"]
        argv += ["-device", f"virtio-rng-pci,id=rng,rng=rng0{limit}"]
    if hardware.watchdog is not None:
        argv += ["-device", "i6300esb,id=watchdog", "-action", f"watchdog={hardware.watchdog}"]
    if hardware.guest_agent:
        argv += [
            "-chardev",
            "socket,id=agent,path=agent,server=on,wait=off",
            "-device",
            "virtio-serial-pci,id=channels",
        ]
        argv += ["-device", "virtserialport,id=agent0,bus=channels.0,chardev=agent,name=org.qemu.guest_agent.0"]
    if hardware.video is not None:
        argv += ["-device", f"{_VIDEO[hardware.video]},id=video"]
    if hardware.input_bus == "virtio":
        argv += ["-device", "virtio-keyboard-pci,id=keyboard"]
        argv += ["-device", f"virtio-{'tablet' if hardware.tablet else 'mouse'}-pci,id=pointer"]
    elif hardware.input_bus == "usb" or hardware.tablet:
        argv += ["-device", "qemu-xhci,id=usb"]
        if hardware.input_bus == "usb":
            argv += ["-device", "usb-kbd,id=keyboard,bus=usb.0"]
        argv += ["-device", f"usb-{'tablet' if hardware.tablet else 'mouse'},id=pointer,bus=usb.0"]
    return argv


def scsi(hardware: Hardware) -> str:
    """The controller of all SCSI disks."""
    return f"{_SCSI[hardware.scsi]},id={SCSI}"
