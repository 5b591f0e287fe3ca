"""Where on a host a server would sit: its cells and its devices together, for filters, and for who writes it down."""

import itertools
from collections.abc import Collection, Iterator

import msgspec

from minicloud.core.scheduler import numa, pci
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.occupancy import CellFit
from minicloud.core.scheduler.request import RequestSpec


class Seat(msgspec.Struct, frozen=True):
    """Host cells for the guest's, and the addresses of its devices."""

    cells: list[CellFit]
    devices: list[str]


def seat(host: HostState, request: RequestSpec) -> Seat | str:
    """The first way to have all of it at once; else why there is none. A request that asks for nothing in particular has an
    empty seat."""
    described, used = host.described, host.occupancy
    if request.topology is None:
        found = pci.assign(described.devices, used.devices, request.devices)
        return found if isinstance(found, str) else Seat([], [device.address for device in found])
    why = ""
    for within in _ways(host, request):
        fits = numa.fit(
            described.cells,
            used,
            request.topology,
            cpu_ratio=described.cpu_ratio,
            ram_ratio=described.ram_ratio,
            within=within,
        )
        if isinstance(fits, str):
            why = why or fits
            continue
        cells = {fit.host_cell for fit in fits}
        found = pci.assign(described.devices, used.devices, request.devices, cells=cells)
        if not isinstance(found, str):
            return Seat(fits, [device.address for device in found])
        why = found
    return why


def _ways(host: HostState, request: RequestSpec) -> Iterator[Collection[int] | None]:
    """The sets of host cells to try: any; then, where devices may have to be near, each choice of so many cells."""
    yield None
    if request.devices and request.topology is not None:
        numbers = [cell.id for cell in host.described.cells]
        yield from itertools.combinations(numbers, min(len(request.topology.cells), len(numbers)))
