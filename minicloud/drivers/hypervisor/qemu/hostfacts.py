"""What this computer has: processors, memory, room on the disk; read from the kernel each time."""

import os
from pathlib import Path

from minicloud.base.errors import Unavailable
from minicloud.drivers.hypervisor import Machine

_OWN_NEEDS_MB = 64
"""What a QEMU process takes besides its guest's memory, at least."""


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def processor_model() -> str:
    """The processor's name, or an empty text."""
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return ""


def memory_mb() -> int:
    """All memory, in MiB."""
    return _meminfo("MemTotal")


def available_mb() -> int:
    """Memory that could be used now without swapping, in MiB."""
    return _meminfo("MemAvailable")


def check_memory(machine: Machine) -> None:
    """Raises Unavailable when a machine with this much memory would make the host swap or kill.

    Large pages are set apart already: when there are too few of them, QEMU says so itself.
    """
    free, needs = available_mb(), _OWN_NEEDS_MB + (0 if machine.hardware.page_kb else machine.memory_mb)
    if free < needs:
        raise Unavailable(
            f"host has {free} MiB free, the machine needs {needs} MiB: stop other machines or use a smaller flavor",
            free_mb=free,
            needs_mb=needs,
        )


def disk_gb(folder: Path) -> int:
    """The size of the file system that will hold this folder, in GiB."""
    while not folder.exists():
        folder = folder.parent
    room = os.statvfs(folder)
    return (room.f_blocks * room.f_frsize) >> 30


def _meminfo(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) >> 10
    return 0
