"""What machines are made of, and what is known of them: plain structs, the same for every keeper of the promise."""

from enum import StrEnum
from typing import Literal

import msgspec

from minicloud.drivers.fabric import Plug


class PowerState(StrEnum):
    """What the hypervisor sees of a machine; the control side turns it to Nova's numbers."""

    RUNNING = "running"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"
    CRASHED = "crashed"
    SUSPENDED = "suspended"


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """What a disk may do in a second: bytes and operations, read, written and together. 0: as much as it can.

    ``..._max`` is what it may do for a moment of ``..._length`` seconds.
    """

    total_bytes: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    total_iops: int = 0
    read_iops: int = 0
    write_iops: int = 0
    total_bytes_max: int = 0
    read_bytes_max: int = 0
    write_bytes_max: int = 0
    total_iops_max: int = 0
    read_iops_max: int = 0
    write_iops_max: int = 0
    total_bytes_max_length: int = 0
    read_bytes_max_length: int = 0
    write_bytes_max_length: int = 0
    total_iops_max_length: int = 0
    read_iops_max_length: int = 0
    write_iops_max_length: int = 0
    iops_size: int = 0


DiskFormat = Literal["raw", "qcow2"]
Bus = Literal["virtio", "scsi", "ide", "nvme"]


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A block device: ``path`` is absolute and its ``format`` is stated, never guessed.

    The guest reads ``serial`` (a volume's id), of which virtio shows the first 20 characters: /dev/disk/by-id/virtio-....
    A raw disk that is ``shared`` may be in other machines, too, which agree among themselves who writes.
    """

    id: str
    path: str
    format: DiskFormat = "qcow2"
    bus: Bus = "virtio"
    device: Literal["disk", "cdrom"] = "disk"
    boot_index: int | None = None
    serial: str | None = None
    read_only: bool = False
    throttle: Throttle | None = None
    shared: bool = False


NicModel = Literal["virtio", "e1000", "e1000e", "igb", "rtl8139", "ne2k_pci", "pcnet", "vmxnet3"]


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """A network card of the port ``id``; ``plug`` says how the fabric lets the machine reach its network."""

    id: str
    mac: str
    mtu: int = 1450
    model: NicModel = "virtio"
    plug: Plug


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A NUMA cell of the guest: the numbers of its processors, and its memory in MiB.

    Its seat on the host, where it has one: ``host_cell``, from which its memory comes and on whose shared processors it runs;
    ``pins``, the host's processor for each of its own that has one for itself.
    """

    cpus: list[int]
    memory_mb: int
    host_cell: int | None = None
    pins: dict[int, int] = {}


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """What else a machine is made of; every default is the plain machine that most guests get.

    ``sockets`` 0: as many as processors. ``page_kb``: memory in pages of this size, 0 in ordinary ones. ``rng_bytes`` every
    ``rng_period_ms`` are what the generator gives, 0 without limit. ``emulator``: the host's processors on which everything
    but the guest's own processors runs; empty: on those of its cells. ``cpu_shares`` weigh against other machines (1024 is
    ordinary), ``cpu_quota_us`` of every ``cpu_period_us`` is what each processor may run.
    ``quiesce``: no copy of a disk is made unless the agent in the guest has written everything out before.
    """

    machine_type: str | None = None
    sockets: int = 0
    cores: int = 1
    threads: int = 1
    cells: list[Cell] = []
    page_kb: int = 0
    emulator: list[int] = []
    rng: bool = True
    rng_bytes: int = 0
    rng_period_ms: int = 0
    watchdog: Literal["none", "pause", "poweroff", "reset"] | None = None
    guest_agent: bool = False
    quiesce: bool = False
    video: Literal["cirrus", "qxl", "vga", "vmvga", "virtio", "bochs"] | None = None
    input_bus: Literal["usb", "virtio"] | None = None
    tablet: bool = False
    scsi: Literal["virtio-scsi", "lsilogic", "lsisas1068", "lsisas1078", "vmpvscsi"] = "virtio-scsi"
    secure_boot: bool = False
    cpu_shares: int = 0
    cpu_quota_us: int = 0
    cpu_period_us: int = 0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """All that a machine is made of. Memory in MiB. ``kernel`` and ``ramdisk`` are paths for a direct boot."""

    id: str
    name: str
    vcpus: int
    memory_mb: int
    disks: list[Disk] = []
    nics: list[Nic] = []
    firmware: Literal["bios", "uefi"] = "bios"
    kernel: str | None = None
    ramdisk: str | None = None
    command_line: str | None = None
    hardware: Hardware = Hardware()
    properties: dict[str, str] = {}


class MachineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a machine that exists on this host. ``argv`` is the exact command line (simulated machines: empty),
    ``nics`` are the ids of the cards that it has, or will have from its next start on."""

    id: str
    name: str
    power_state: PowerState
    pid: int | None = None
    argv: list[str] = []
    nics: list[str] = []


class DeviceAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a guest finds a device: its ``address`` on the PCI bus (``0000:01:00.0``); '' on other buses, and where nobody knows."""

    bus: Literal["pci", "scsi", "ide"]
    address: str = ""


class DiskUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the disk ``id`` did since its machine started."""

    id: str
    read_bytes: int = 0
    read_requests: int = 0
    write_bytes: int = 0
    write_requests: int = 0
    errors: int = 0


class NicUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What came (``rx``) to the card of the port ``id`` and went from it, as its guest sees it; None: nobody counts."""

    id: str
    mac: str
    rx_bytes: int | None = None
    rx_packets: int | None = None
    rx_errors: int | None = None
    rx_drop: int | None = None
    tx_bytes: int | None = None
    tx_packets: int | None = None
    tx_errors: int | None = None
    tx_drop: int | None = None


class MachineUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a running machine has used: time of each processor in nanoseconds, memory in MiB (its own, and what it costs its host)."""

    cpu_ns: list[int]
    memory_mb: int
    resident_mb: int
    disks: list[DiskUsage]
    nics: list[NicUsage]


class HostPages(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of a host's cell in pages of one size."""

    size_kb: int
    total: int


class HostCell(msgspec.Struct, frozen=True, kw_only=True):
    """A NUMA cell of the host. ``cpus`` are for machines that share processors, ``pinned`` for those with some of their own.

    ``siblings``: threads of one core stand together. Memory in MiB.
    """

    id: int
    cpus: list[int] = []
    pinned: list[int] = []
    siblings: list[list[int]] = []
    memory_mb: int
    pages: list[HostPages] = []


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What this host can give: capacity, and how it runs machines. A host that knows no cells of its own tells of none."""

    hypervisor_type: str
    hypervisor_version: int
    vcpus: int
    memory_mb: int
    disk_gb: int
    cpu_arch: str = "x86_64"
    cpu_model: str = ""
    accelerator: str = ""
    cells: list[HostCell] = []


class MoveProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a machine's move to another host is, in bytes of memory and of disks."""

    memory_total: int
    memory_processed: int
    memory_remaining: int
    disk_total: int = 0
    disk_processed: int = 0
    disk_remaining: int = 0
