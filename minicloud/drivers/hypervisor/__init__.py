"""The hypervisor promise: machines made from plain specs. Keepers: ``fake`` (simulated, kept in a file) and ``qemu``.

Every verb is named for the state that it brings about and may be called again after a crash: ``ensure_running`` of a
machine that runs already changes nothing, ``ensure_gone`` of one that never was is content. A machine outlives the
process that started it; a keeper finds its machines again when it is opened. One contract suite runs on all keepers.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Literal, Protocol

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


Bus = Literal["virtio", "scsi", "ide", "nvme"]


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A block device: ``path`` is absolute and its ``format`` is stated, never guessed.

    The guest reads ``serial`` (a volume's id), of which virtio shows the first 20 characters: /dev/disk/by-id/virtio-....
    """

    id: str
    path: str
    format: Literal["raw", "qcow2"] = "qcow2"
    bus: Bus = "virtio"
    device: Literal["disk", "cdrom"] = "disk"
    boot_index: int | None = None
    serial: str | None = None
    read_only: bool = False
    throttle: Throttle | None = None


NicModel = Literal["virtio", "e1000", "e1000e", "igb", "rtl8139", "ne2k_pci", "pcnet", "vmxnet3"]


class Nic(msgspec.Struct, frozen=True, kw_only=True):
    """A network card of the port ``id``; ``plug`` says how the fabric lets the machine reach its network."""

    id: str
    mac: str
    mtu: int = 1450
    model: NicModel = "virtio"
    plug: Plug


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A NUMA cell of the guest: the numbers of its processors, and its memory in MiB."""

    cpus: list[int]
    memory_mb: int


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """What else a machine is made of; every default is the plain machine that most guests get.

    ``sockets`` 0: as many as processors. ``page_kb``: memory in pages of this size, 0 in ordinary ones. ``rng_bytes`` every
    ``rng_period_ms`` are what the generator gives, 0 without limit. ``cpu_shares`` weigh against other machines (1024 is
    ordinary), ``cpu_quota_us`` of every ``cpu_period_us`` is what each processor may run.
    """

    machine_type: str | None = None
    sockets: int = 0
    cores: int = 1
    threads: int = 1
    cells: list[Cell] = []
    page_kb: int = 0
    rng: bool = True
    rng_bytes: int = 0
    rng_period_ms: int = 0
    watchdog: Literal["none", "pause", "poweroff", "reset"] | None = None
    guest_agent: bool = False
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
    """What is known of a machine that exists on this host. ``argv`` is the exact command line (simulated machines: empty)."""

    id: str
    name: str
    power_state: PowerState
    pid: int | None = None
    argv: list[str] = []


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


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What this host can give: capacity, and how it runs machines."""

    hypervisor_type: str
    hypervisor_version: int
    vcpus: int
    memory_mb: int
    disk_gb: int
    cpu_arch: str = "x86_64"
    cpu_model: str = ""
    accelerator: str = ""


class MoveProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a machine's move to another host is, in bytes of memory and of disks."""

    memory_total: int
    memory_processed: int
    memory_remaining: int
    disk_total: int = 0
    disk_processed: int = 0
    disk_remaining: int = 0


PowerChanged = Callable[[str, PowerState], Awaitable[None]]
"""Told (machine id, new state) when a machine changes by itself: the guest powered off, the process died."""


class Hypervisor(Protocol):
    """Runs machines on one host."""

    async def open(self, changed: PowerChanged) -> None:
        """Find the machines that an earlier process left, and watch all from now on."""

    async def close(self) -> None:
        """Stop watching; the machines go on."""

    async def facts(self) -> HostFacts:
        """Capacity and kind of this host."""

    async def machines(self) -> list[MachineFacts]:
        """Every machine that exists here, running or not."""

    async def machine(self, machine_id: str) -> MachineFacts | None:
        """One machine, or None when there is no such machine here."""

    async def ensure_running(self, machine: Machine) -> MachineFacts:
        """The machine exists as specified and runs (also resumes a paused or suspended one); a changed specification counts from the next start.

        A start that fails leaves nothing new behind. Raises ToolMissing, Failed, Invalid, Unavailable (no memory).
        """

    async def ensure_shutdown(self, machine_id: str, *, grace_s: float) -> None:
        """The machine is powered off: asked politely by ACPI, and after ``grace_s`` seconds (0: at once) by force. It stays defined.

        Raises NotFound.
        """

    async def ensure_gone(self, machine_id: str) -> None:
        """No process, socket, log or record of the machine is left. Its disks belong to storage."""

    async def ensure_paused(self, machine_id: str) -> None:
        """The machine stands still in memory. Raises NotFound, Conflict (it does not run)."""

    async def ensure_unpaused(self, machine_id: str) -> None:
        """A machine that stood still goes on; one that runs is left alone. Raises NotFound, Conflict (it is off)."""

    async def ensure_suspended(self, machine_id: str) -> None:
        """The machine's memory lies in a file of its host, and nothing of it runs; ``ensure_running`` takes it up where it was.

        Raises NotFound, Conflict (it is off), Failed (disk full: it runs on).
        """

    async def reboot_soft(self, machine_id: str, *, grace_s: float) -> bool:
        """Ask the guest to power off within ``grace_s`` and start it again; False when the guest did not react and nothing was done.

        Raises NotFound.
        """

    async def ensure_disk_attached(self, machine_id: str, disk: Disk) -> None:
        """The machine has the disk: at once when it runs or stands paused, otherwise from its next start on.

        Raises NotFound, Conflict (it is suspended; its bus takes no disk while the guest runs; no place is free), Failed
        (nothing of it is left attached then).
        """

    async def ensure_disk_detached(self, machine_id: str, disk_id: str, *, timeout_s: float) -> None:
        """The machine has no such disk, and nothing holds its file any more; a running guest is asked to let go of it.

        Raises NotFound (the machine), Conflict (it is suspended or paused, or the disk cannot be taken out while it
        runs), TimedOut (the guest did not let go in time: the disk is still attached).
        """

    async def ensure_disk_size(self, machine_id: str, disk_id: str, *, size_bytes: int) -> bool:
        """A running machine's disk has grown, file and all, and the guest sees it. False when the machine is off: storage may grow the file.

        Raises NotFound (the machine or the disk), Failed (no room).
        """

    async def ensure_disk_throttle(self, machine_id: str, disk_id: str, throttle: Throttle | None) -> None:
        """The disk is held to these limits, from now on. Raises NotFound (the machine or the disk)."""

    async def ensure_disk_copied(self, machine_id: str, disk_id: str, path: str) -> None:
        """A running or paused machine's disk, as it is at one moment after this call began, stands in the blank qcow2 file ``path``.

        The guest goes on meanwhile. A copy that an earlier call left unfinished is given up. ``path`` is of the disk's size.

        Raises NotFound (the machine or the disk), Conflict (the machine is off, or ended meanwhile: its files may be read),
        Failed (no room).
        """

    async def ensure_disk_not_copied(self, machine_id: str, disk_id: str) -> None:
        """Nobody copies the disk any more, and nothing holds the file that it was copied to; also of a machine that is not here."""

    async def ensure_nic_attached(self, machine_id: str, nic: Nic) -> None:
        """The machine has the card, as ``ensure_disk_attached``; the fabric has wired its port before. Raises the same."""

    async def ensure_nic_detached(self, machine_id: str, nic_id: str, *, timeout_s: float) -> None:
        """The machine has no such card, and its tap is let go, as ``ensure_disk_detached``. Raises the same."""

    async def usage(self, machine_id: str) -> MachineUsage:
        """What a machine that runs or stands paused has used so far. Raises NotFound, Conflict (it is off)."""

    async def inject_nmi(self, machine_id: str) -> None:
        """A non-maskable interrupt reaches the guest, whose kernel may crash and dump. Raises NotFound, Conflict (it is off)."""

    async def ensure_password(self, machine_id: str, user: str, password: str) -> None:
        """The user inside the guest has this password, set by an agent there.

        Raises NotFound, Conflict (kind ``no_agent``: the machine was made without a way to one; it does not run), NotOffered
        (the agent does not answer), Failed (it refused).
        """

    async def ensure_awaited(self, machine: Machine) -> str:
        """The machine stands here without a guest and waits for the memory of one that runs elsewhere: the address to send that to.

        Raises what ``ensure_running`` does; NotOffered where this kind of host cannot; Conflict when the guest is here already.
        """

    async def ensure_not_awaited(self, machine_id: str) -> None:
        """Nothing of a machine that waits is left. Raises Conflict when its guest has arrived: that is left alone."""

    async def arrived(self, machine_id: str) -> bool:
        """Whether the machine is here with its guest; False for one that still waits, or is not here."""

    async def ensure_sent(self, machine_id: str, address: str) -> None:
        """All memory but the last of it lies at the address, and the guest stands still here for the rest: ``ensure_switched``
        lets it go on there, ``ensure_not_sent`` here. Whoever gives up this call lets it go on here.

        Raises NotFound, Conflict (it is off, or ``ensure_not_sent`` was called meanwhile), Failed, NotOffered.
        """

    async def ensure_switched(self, machine_id: str, address: str) -> None:
        """The guest goes on at the address, and the machine here is off. Raises NotFound, Failed (it goes on here)."""

    async def ensure_not_sent(self, machine_id: str) -> None:
        """The guest stays here and goes on, if it was being sent; content when it was not, or is not here."""

    async def hurry(self, machine_id: str) -> None:
        """A guest that is being sent shall not hold up its own move any longer, even if it has to stand still for that.

        Raises NotFound, Conflict (it is not being sent).
        """

    async def move_progress(self, machine_id: str) -> MoveProgress | None:
        """How far the move is; None when the machine is not being sent."""

    async def console_output(self, machine_id: str, *, tail_bytes: int) -> bytes:
        """The last bytes that the guest wrote on its first serial console; empty when there were none. Raises NotFound."""
