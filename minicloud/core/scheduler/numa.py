"""Fitting a guest's cells onto a host's: CPUs, pinned or shared, and pages; pure, exact, and the same every time.

Each guest cell goes to a host cell of its own; all orders of host cells are tried until one takes them all.
"""

import itertools
from collections.abc import Collection, Sequence

from minicloud.core.compute.details import Cell
from minicloud.core.compute.pages import ANY, LARGE, SMALL, SMALL_KB
from minicloud.core.compute.topology import ISOLATE, REQUIRE, Wanted, WantedCell
from minicloud.core.scheduler.occupancy import CellFit, Occupancy


def fit(
    cells: Sequence[Cell],
    used: Occupancy,
    wanted: Wanted,
    *,
    cpu_ratio: float = 1.0,
    ram_ratio: float = 1.0,
    within: Collection[int] | None = None,
) -> list[CellFit] | str:
    """Where each guest cell sits; else, as a clause that can follow the host's name, why it cannot.

    ``within``: only these host cells (where devices are, say).
    """
    usable = [cell for cell in cells if within is None or cell.id in within]
    if not cells:
        return "has no NUMA topology, and the server asks for one"
    if len(wanted.cells) > len(usable):
        return f"has {len(usable)} usable NUMA cells, and {len(wanted.cells)} are wanted"
    reasons: dict[tuple[int, int], str] = {}
    fits: dict[tuple[int, int], CellFit] = {}
    for one in wanted.cells:
        for cell in usable:
            found = fit_cell(cell, used, one, wanted, cpu_ratio=cpu_ratio, ram_ratio=ram_ratio)
            if isinstance(found, str):
                reasons[one.id, cell.id] = found
            else:
                fits[one.id, cell.id] = found
    for order in itertools.permutations(usable, len(wanted.cells)):
        pairs = [(one.id, cell.id) for one, cell in zip(wanted.cells, order, strict=True)]
        if all(pair in fits for pair in pairs):
            return [fits[pair] for pair in pairs]
    told = "; ".join(f"cell {cell}: {why}" for (_, cell), why in list(reasons.items())[:4])
    return f"cannot take the server's NUMA cells ({told})"


def fit_cell(
    cell: Cell, used: Occupancy, one: WantedCell, wanted: Wanted, *, cpu_ratio: float = 1.0, ram_ratio: float = 1.0
) -> CellFit | str:
    """One guest cell on one host cell, or why not."""
    page_kb = _page(cell, used, one.memory_mb, wanted.page)
    if isinstance(page_kb, str):
        return page_kb
    if page_kb == 0:
        limit = int(cell.memory_mb * ram_ratio)
        taken = used.memory_mb.get(cell.id, 0)
        if one.memory_mb > cell.memory_mb or taken + one.memory_mb > limit:
            return f"wants {one.memory_mb} MiB, has {limit - taken} of {limit} left"
    shared = len(one.shared)
    if shared:
        most = int(len(cell.cpus) * cpu_ratio)
        busy = used.shared.get(cell.id, 0)
        if shared > len(cell.cpus) or busy + shared > most:
            return f"wants {shared} shared CPUs, has {most - busy} of {most} left on {len(cell.cpus)}"
    emulator = wanted.emulator and one.id == wanted.cells[0].id
    chosen = pack(cell, used.taken, len(one.pinned), wanted.threads, extra=int(emulator))
    if isinstance(chosen, str):
        return chosen
    cpus, taken_cpus = chosen
    return CellFit(
        cell=one.id,
        host_cell=cell.id,
        shared=shared,
        pins={str(virtual): cpu for virtual, cpu in zip(one.pinned, cpus, strict=False)},
        taken=sorted(taken_cpus),
        emulator=cpus[len(one.pinned) :],
        memory_mb=one.memory_mb,
        page_kb=page_kb,
    )


def pack(
    cell: Cell, taken: frozenset[int], count: int, threads: str, *, extra: int = 0
) -> tuple[list[int], set[int]] | str:
    """Host CPUs for so many pinned virtual ones and behind them ``extra`` for the emulator, and all that are then taken; or why not.

    ``require`` fills whole cores, ``isolate`` takes one thread of a core and leaves the others idle, else cores are filled as
    far as they go, the freest first.
    """
    if not count:
        return [], set()
    free = [sorted(set(core) - taken) for core in cores_of(cell)]
    whole = [core for core in cores_of(cell) if not taken & set(core)]
    if threads == ISOLATE:
        if len(whole) < count + extra:
            return f"wants {count + extra} cores for itself, has {len(whole)} idle"
        chosen = whole[: count + extra]
        return [core[0] for core in chosen], {cpu for core in chosen for cpu in core}
    total = sum(len(core) for core in free)
    if total < count + extra:
        return f"wants {count + extra} CPUs of its own, has {total} of {len(cell.pinned)} left"
    if threads == REQUIRE:
        return _on_siblings(free, count, extra)
    order = [cpu for core in sorted(free, key=lambda core: (-len(core), core)) for cpu in core]
    chosen_cpus = order[: count + extra]
    return chosen_cpus, set(chosen_cpus)


def _on_siblings(free: list[list[int]], count: int, extra: int) -> tuple[list[int], set[int]] | str:
    """As many threads of each core as possible; no virtual CPU alone on a core, unless it is the odd one."""
    widest = max((len(core) for core in free), default=0)
    if widest < 2:
        return "has no core with two idle threads, and threads are required"
    for threads in range(widest, 1, -1):
        usable = [core for core in free if len(core) >= threads]
        cpus = [cpu for core in usable for cpu in core[:threads]]
        if len(cpus) >= count:
            chosen = cpus[:count]
            others = [cpu for core in free for cpu in core if cpu not in chosen]
            if len(others) >= extra:
                return [*chosen, *others[:extra]], {*chosen, *others[:extra]}
    return f"wants {count} CPUs on cores whose threads are idle, and has too few"


def cores_of(cell: Cell) -> list[list[int]]:
    """The cores of a cell, as far as its CPUs may be pinned: sibling threads together."""
    pinned = set(cell.pinned)
    cores = [sorted(pinned & set(core)) for core in cell.siblings]
    known = {cpu for core in cores for cpu in core}
    return [*(core for core in cores if core), *([cpu] for cpu in sorted(pinned - known))]


def has_threads(cells: Sequence[Cell]) -> bool:
    """Whether any core of the host has more than one thread."""
    return any(len(core) > 1 for cell in cells for core in cell.siblings)


def _page(cell: Cell, used: Occupancy, memory_mb: int, wanted: str) -> int | str:
    """The size of page, in KiB, that the memory comes from (0: no size was asked for); or why there is none."""
    if not wanted:
        return 0
    sizes = sorted((page.size_kb for page in cell.pages), reverse=True)
    if wanted == SMALL:
        tried = [SMALL_KB]
    elif wanted == LARGE:
        tried = [size for size in sizes if size > SMALL_KB]
    elif wanted == ANY:
        tried = sizes
    else:
        tried = [int(wanted)]
    why = f"has no pages of {wanted} size"
    for size in tried:
        pages = next((page for page in cell.pages if page.size_kb == size), None)
        if pages is None:
            why = f"has no pages of {size} KiB"
            continue
        needed, rest = divmod(memory_mb * 1024, size)
        left = pages.total - pages.reserved - used.pages.get((cell.id, size), 0)
        if not rest and needed <= left:
            return size
        why = f"wants {needed + bool(rest)} pages of {size} KiB, has {left} of {pages.total} left"
    return why
