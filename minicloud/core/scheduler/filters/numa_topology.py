"""NUMATopologyFilter: the cells, pinned CPUs and pages that a server asks for fit on the host."""

from minicloud.core.compute.topology import REQUIRE
from minicloud.core.scheduler import numa, seats
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_NOTHING = Verdict(True, "no NUMA topology is asked for", for_all=True)


class NUMATopologyFilter:
    """What fits, exactly, is said by ``numa``; devices that must be near are looked at together with the cells."""

    name = "NUMATopologyFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        wanted = request.topology
        if wanted is None:
            return _NOTHING
        cells = host.described.cells
        if wanted.threads == REQUIRE and cells and not numa.has_threads(cells):
            return Verdict(False, "has no cores with several threads, and they are required")
        found = seats.seat(host, request)
        if isinstance(found, str):
            return Verdict(False, found)
        told = ", ".join(f"cell {fit.cell} on host cell {fit.host_cell}" for fit in found.cells)
        return Verdict(True, f"takes {told}")
