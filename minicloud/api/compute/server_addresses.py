"""The addresses of a server (``/servers/{id}/ips``)."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Get
from minicloud.base.errors import NotFound
from minicloud.core.compute import servers
from minicloud.core.network import ports
from minicloud.core.policy import PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:ips"


async def index(call: Call, server_id: str) -> Any:
    """Addresses by network."""
    queries.only(call, since="2.102")
    return {"addresses": await _addresses(call, server_id)}


async def show(call: Call, server_id: str, network: str) -> Any:
    """Addresses on one network, by its name."""
    queries.only(call, since="2.102")
    found = await _addresses(call, server_id)
    if network not in found:
        raise NotFound("Instance is not a member of specified network")
    return {network: found[network]}


async def _addresses(call: Call, server_id: str) -> dict[str, list[dict[str, Any]]]:
    def work(tx: Transaction) -> dict[str, list[dict[str, Any]]]:
        server = servers.get(tx, call.context, server_id)
        by_network = ports.addresses_of(tx, [server.id]).get(server.id, {})
        return {
            network: [{"version": place.version, "addr": place.address} for place in places]
            for network, places in by_network.items()
        }

    return await call.read(work)


routes = [
    Get("/servers/{server_id}/ips", index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN),
    Get("/servers/{server_id}/ips/{network}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
]
