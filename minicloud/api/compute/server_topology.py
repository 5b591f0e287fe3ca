"""The cells of a server that has any (``/servers/{id}/topology``)."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Get
from minicloud.core import records
from minicloud.core.compute import servers
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.scheduler.occupancy import CellFit, ServerFit

POLICY = "compute:server:topology"
HOST = f"{POLICY}:host:index"


async def index(call: Call, server_id: str) -> Any:
    """Its virtual cells; administrators see where on the host they are."""
    queries.only(call, since="2.102")

    def work(tx: Transaction) -> ServerFit | None:
        server = servers.get(tx, call.context, server_id)
        return records.find(tx, ServerFit, server.id)

    fit = await call.read(work)
    if fit is None or not fit.cells:
        return {"nodes": [], "pagesize_kb": None}
    host_shown = call.allows(HOST)
    pages = [cell.page_kb for cell in fit.cells if cell.page_kb]
    return {"nodes": _nodes(fit.cells, host_shown), "pagesize_kb": pages[-1] if pages else None}


def _nodes(cells: list[CellFit], host_shown: bool) -> list[dict[str, Any]]:
    """CPUs are numbered through all cells, in their order; those with a host CPU of their own say so themselves."""
    shown: list[dict[str, Any]] = []
    following = 0
    for cell in cells:
        pinned = sorted(int(cpu) for cpu in cell.pins)
        taken, own = set(pinned), list(pinned)
        while len(own) < len(pinned) + cell.shared:
            if following not in taken:
                own.append(following)
            following += 1
        following = max([following, *(cpu + 1 for cpu in own)])
        node: dict[str, Any] = {"vcpu_set": sorted(own), "siblings": [], "memory_mb": cell.memory_mb}
        if host_shown:
            node["host_node"] = cell.host_cell
            node["cpu_pinning"] = cell.pins
        shown.append(node)
    return shown


routes = [
    Get("/servers/{server_id}/topology", index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN, since="2.78", extra=[(HOST, ADMIN)]),
]  # fmt: skip
