"""The network cards of a server (``/servers/{id}/os-interface``)."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Get
from minicloud.core.compute import interfaces
from minicloud.core.compute.servers import Server
from minicloud.core.network.ports import PortDetails
from minicloud.core.policy import PROJECT_READER_OR_ADMIN

POLICY = "os_compute_api:os-attach-interfaces"


async def index(call: Call, server_id: str) -> Any:
    """All cards."""
    queries.only(call, since="2.102")
    server, found = await call.read(lambda tx: interfaces.of_server(tx, call.context, server_id))
    return {"interfaceAttachments": [_view(call, server, one) for one in found]}


async def show(call: Call, server_id: str, port_id: str) -> Any:
    """One card."""
    queries.only(call, since="2.102")
    server, found = await call.read(lambda tx: interfaces.get(tx, call.context, server_id, port_id))
    return {"interfaceAttachment": _view(call, server, found)}


def _view(call: Call, server: Server, details: PortDetails) -> dict[str, Any]:
    port = details.port
    document: dict[str, Any] = {
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac_address,
        "port_state": port.status,
        "fixed_ips": [{"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address} for fixed in details.fixed_ips],
    }
    if call.at_least("2.70"):
        asked = [wish for wish in server.requested_networks or [] if wish.port_id == port.id]
        document["tag"] = asked[0].tag if asked else None
    return document


routes = [
    Get("/servers/{server_id}/os-interface", index, policy=f"{POLICY}:list", allow=PROJECT_READER_OR_ADMIN),
    Get("/servers/{server_id}/os-interface/{port_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
]
