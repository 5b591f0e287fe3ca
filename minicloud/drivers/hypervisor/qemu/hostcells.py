"""The NUMA cells of this computer: processors and their cores, memory and its pages; read from the kernel each time."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from minicloud.drivers.hypervisor import HostCell, HostPages
from minicloud.drivers.hypervisor.qemu import hostfacts

SYSTEM = Path("/sys/devices/system")
_SMALL_KB = os.sysconf("SC_PAGE_SIZE") >> 10


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one of several hosts on this computer has of its cells.

    ``pinned``: processors for machines with some of their own. ``shared``: those for all others; None: whatever there is.
    Memory and pages are divided among so many ``hosts``.
    """

    shared: frozenset[int] | None = None
    pinned: frozenset[int] = frozenset()
    hosts: int = 1


def cells(part: Part, system: Path = SYSTEM) -> list[HostCell]:
    """The cells as one host has them. A kernel that tells of none has one, with everything."""
    usable = os.sched_getaffinity(0)
    shared = usable if part.shared is None else usable & part.shared
    nodes = sorted((int(path.name[4:]), path) for path in (system / "node").glob("node[0-9]*"))
    if not nodes:
        return [_cell(0, usable, part, shared, hostfacts.memory_mb() << 10, {}, system)]
    found = []
    for number, path in nodes:
        own = usable & numbers((path / "cpulist").read_text())
        pages = {
            int(size.name.split("-")[1].removesuffix("kB")): int((size / "nr_hugepages").read_text())
            for size in (path / "hugepages").glob("hugepages-*kB")
        }
        # Memory that came to a running computer may be missing in its only cell's sum.
        memory_kb = hostfacts.memory_mb() << 10 if len(nodes) == 1 else _memory_kb(path / "meminfo")
        found.append(_cell(number, own, part, shared, memory_kb, pages, system))
    return found


def numbers(text: str) -> set[int]:
    """The kernel's way to write sets: ``0-3,8``."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first:
            found.update(range(int(first), int(last or first) + 1))
    return found


def _cell(
    number: int, own: set[int], part: Part, shared: Iterable[int], memory_kb: int, pages: dict[int, int], system: Path
) -> HostCell:
    # Large pages are taken out of the memory that there is in small ones.
    small_kb = memory_kb - sum(size * count for size, count in pages.items())
    told = {_SMALL_KB: small_kb // _SMALL_KB, **pages}
    return HostCell(
        id=number,
        cpus=sorted(own.intersection(shared)),
        pinned=sorted(own & part.pinned),
        siblings=_cores(own & {*shared, *part.pinned}, system),
        memory_mb=(memory_kb >> 10) // part.hosts,
        pages=[HostPages(size_kb=size, total=count // part.hosts) for size, count in sorted(told.items())],
    )


def _cores(own: set[int], system: Path) -> list[list[int]]:
    """Cores with several threads; every other processor is a core by itself."""
    found = []
    for cpu in sorted(own):
        try:
            core = numbers((system / "cpu" / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text()) & own
        except OSError:
            continue
        if len(core) > 1 and min(core) == cpu:
            found.append(sorted(core))
    return found


def _memory_kb(meminfo: Path) -> int:
    for line in meminfo.read_text().splitlines():
        if "MemTotal:" in line:
            return int(line.partition("MemTotal:")[2].split()[0])
    return 0
