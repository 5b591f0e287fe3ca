"""Networks as Nova showed them before 2.36: Neutron's, with the little that is left of Nova's own form."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Get
from minicloud.base.errors import NotFound
from minicloud.core.network import networks
from minicloud.core.network.rows import Network
from minicloud.core.policy import PROJECT_READER_OR_ADMIN
from minicloud.core.records import Query

POLICY = "os_compute_api:os-networks"
TENANT_POLICY = "os_compute_api:os-tenant-networks"
LAST = "2.35"
EMPTY = ("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6", "netmask_v6")
EMPTY_FOR_ADMINISTRATORS = (
    "created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address",
    "vpn_public_port", "vpn_private_address", "dhcp_start", "project_id", "host", "bridge_interface", "multi_host",
    "priority", "rxtx_base", "mtu", "dhcp_server", "enable_dhcp", "share_address",
)  # fmt: skip
"""What nova-network knew of a network, and nobody knows since: null."""


async def index(call: Call) -> Any:
    """Networks that the project may use."""
    return {"networks": [_view(call, found) for found in await _all(call)]}


async def show(call: Call, network_id: str) -> Any:
    """One network."""
    return {"network": _view(call, await _one(call, network_id))}


async def index_briefly(call: Call) -> Any:
    """Networks that the project may use, with their names."""
    return {"networks": [_brief(found) for found in await _all(call)]}


async def show_briefly(call: Call, network_id: str) -> Any:
    """One network, with its name."""
    return {"network": _brief(await _one(call, network_id))}


async def _all(call: Call) -> list[Network]:
    query = Query(sort=[("created_at", False), ("id", False)])
    return await call.read(lambda tx: networks.page(tx, call.context, query))


async def _one(call: Call, network_id: str) -> Network:
    try:
        return await call.read(lambda tx: networks.get(tx, call.context, network_id))
    except NotFound as error:
        raise NotFound("Network not found") from error


def _view(call: Call, network: Network) -> dict[str, Any]:
    names = EMPTY + (EMPTY_FOR_ADMINISTRATORS if call.context.is_admin else ())
    return {"id": network.id, "label": network.name, **dict.fromkeys(names)}


def _brief(network: Network) -> dict[str, Any]:
    # Nova says the word None here, and clients have learnt to live with it.
    return {"id": network.id, "cidr": "None", "label": network.name}


routes = [
    Get("/os-networks", index, policy=f"{POLICY}:list", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Get("/os-networks/{network_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Get("/os-tenant-networks", index_briefly, policy=f"{TENANT_POLICY}:list", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Get("/os-tenant-networks/{network_id}", show_briefly, policy=f"{TENANT_POLICY}:show", allow=PROJECT_READER_OR_ADMIN, until=LAST),
]  # fmt: skip
