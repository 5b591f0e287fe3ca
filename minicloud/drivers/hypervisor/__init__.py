"""The hypervisor promise: machines made from plain specs. Keepers: ``fake`` (simulated, kept in a file) and ``qemu``.

Every verb is named for the state that it brings about and may be called again after a crash: ``ensure_running`` of a
machine that runs already changes nothing, ``ensure_gone`` of one that never was is content. A machine outlives the
process that started it; a keeper finds its machines again when it is opened. One contract suite runs on all keepers.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from minicloud.drivers.hypervisor.specs import (
    Bus,
    Cell,
    DeviceAddress,
    Disk,
    DiskFormat,
    DiskUsage,
    Hardware,
    HostCell,
    HostFacts,
    HostPages,
    Machine,
    MachineFacts,
    MachineUsage,
    MoveProgress,
    Nic,
    NicModel,
    NicUsage,
    PowerState,
    Throttle,
)

__all__ = [
    "Bus",
    "Cell",
    "DeviceAddress",
    "Disk",
    "DiskFormat",
    "DiskUsage",
    "Hardware",
    "HostCell",
    "HostFacts",
    "HostPages",
    "Hypervisor",
    "Machine",
    "MachineFacts",
    "MachineUsage",
    "MoveProgress",
    "Nic",
    "NicModel",
    "NicUsage",
    "PowerChanged",
    "PowerState",
    "Throttle",
]


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

    async def ensure_disks_copied(self, machine_id: str, paths: Mapping[str, str]) -> None:
        """A running or paused machine's disks, all as they are at the same moment after this call began, stand in these blank
        qcow2 files, each of its disk's size.

        The guest goes on meanwhile. A copy that an earlier call left unfinished is given up.

        Raises NotFound (the machine or the disk), Conflict (the machine is off, or ended meanwhile: its files may be read),
        Failed (no room).
        """

    async def ensure_disk_not_copied(self, machine_id: str, disk_id: str) -> None:
        """Nobody copies the disk any more, and nothing holds the file that it was copied to; also of a machine that is not here."""

    async def ensure_disk_moved(
        self, machine_id: str, disk_id: str, *, path: str, format: DiskFormat, copied: bool = False
    ) -> bool:
        """A running or paused machine's disk lies in this file from now on, with all that it held; the guest goes on meanwhile.
        The file is of the disk's size, whatever it holds. A move that an earlier call began goes on, or is given up where
        it leads elsewhere. True also when the disk lies there already.

        False when the machine is off or suspended, and nothing was done: whoever has ``copied`` the disk says so, and the
        machine finds it there from its next start on.

        Raises NotFound (the machine or the disk), Conflict (it ended meanwhile; ``copied``, but it runs), Failed (no room: the
        disk lies where it lay).
        """

    async def ensure_nic_attached(self, machine_id: str, nic: Nic) -> None:
        """The machine has the card, as ``ensure_disk_attached``; the fabric has wired its port before. Raises the same."""

    async def ensure_nic_detached(self, machine_id: str, nic_id: str, *, timeout_s: float) -> None:
        """The machine has no such card, and its tap is let go, as ``ensure_disk_detached``. Raises the same."""

    async def addresses(self, machine_id: str) -> dict[str, DeviceAddress]:
        """Where the guest finds each disk and card, by its id. Raises NotFound, Conflict (it is off)."""

    def places(self, hardware: Hardware, disks: Sequence[Disk], nics: Sequence[str]) -> dict[str, DeviceAddress]:
        """Where the guest of a machine that starts anew with these will find each disk and card (by their ids). Raises Invalid."""

    async def usage(self, machine_id: str) -> MachineUsage:
        """What a machine that runs or stands paused has used so far. Raises NotFound, Conflict (it is off)."""

    async def inject_nmi(self, machine_id: str) -> None:
        """A non-maskable interrupt reaches the guest, whose kernel may crash and dump. Raises NotFound, Conflict (it is off)."""

    async def ensure_password(self, machine_id: str, user: str, password: str) -> None:
        """The user inside the guest has this password, set by an agent there.

        Raises NotFound, Conflict (kind ``no_agent``: the machine was made without a way to one; it does not run), NotOffered
        (the agent does not answer), Failed (it refused).
        """

    async def built(self, machine_id: str) -> str:
        """How the machine is put together here, in words that only keepers of this kind understand: where each of its devices
        sits, which may have come and gone since its start. Raises NotFound.
        """

    async def ensure_awaited(self, machine: Machine, built: str = "") -> str:
        """The machine stands here without a guest and waits for the memory of one that runs elsewhere: the address to send that to.

        ``built`` is what its host says of it: the guest finds every device where it was. Files of a disk that is not in the
        machine's own folder are shared between both hosts, and are let alone here until the guest has come.

        Raises what ``ensure_running`` does; Failed for a ``built`` that does not fit; Conflict when the guest is here already.
        """

    async def ensure_not_awaited(self, machine_id: str) -> None:
        """Nothing of a machine that waits is left. Raises Conflict when its guest has arrived: that is left alone."""

    async def arrived(self, machine_id: str) -> bool | None:
        """Whether the machine is here with its guest; False when it is not and nothing is on its way to it; None when
        memory is still coming, and only a later question will tell.
        """

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
