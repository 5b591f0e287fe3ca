"""/network-ip-availabilities."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.network import guard
from minicloud.api.network.lists import NOT_FILTERS, pick
from minicloud.api.network.values import integer
from minicloud.api.routes import Get
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.network import ip_availability
from minicloud.core.network.ip_availability import Availability


async def index(call: Call) -> Any:
    """All networks; whoever may not know sees none."""
    given: dict[str, list[str]] = {}
    for name, value in call.parameters:
        if name not in NOT_FILTERS:
            given.setdefault(name, []).append(value)
    unknown = [n for n in given if n not in ("network_id", "network_name", "tenant_id", "project_id", "ip_version")]
    if unknown:
        raise Invalid(f"{unknown} is invalid attribute for filtering", kind="HTTPBadRequest")
    call.judged = True
    versions = [integer(text) for text in given.pop("ip_version", ["4", "6"])]
    if not call.allows("get_network_ip_availability"):
        return {"network_ip_availabilities": []}
    found = [_view(one) for one in await call.read(lambda tx: ip_availability.of_networks(tx, versions))]
    for name, wanted in given.items():
        found = [one for one in found if one[name] in wanted]
    return {"network_ip_availabilities": [pick(call, one) for one in found]}


async def show(call: Call, network_id: str) -> Any:
    """One network."""
    call.judged = True
    if not call.allows("get_network_ip_availability"):
        raise NotFound(f"Network {network_id} could not be found.", kind="NetworkNotFound")
    found = await call.read(lambda tx: ip_availability.of_network(tx, network_id))
    return {"network_ip_availability": pick(call, _view(found))}


def _view(found: Availability) -> dict[str, Any]:
    return {
        "network_id": found.network_id,
        "network_name": found.network_name,
        "tenant_id": found.project_id,
        "project_id": found.project_id,
        "total_ips": found.total_ips,
        "used_ips": found.used_ips,
        "subnet_ip_availability": [
            {
                "subnet_id": subnet.subnet_id,
                "subnet_name": subnet.subnet_name,
                "cidr": subnet.cidr,
                "ip_version": subnet.ip_version,
                "total_ips": subnet.total_ips,
                "used_ips": subnet.used_ips,
            }
            for subnet in found.subnets
        ],
    }


routes = [
    Get(
        "/network-ip-availabilities",
        index,
        policy="get_network_ip_availability",
        allow=guard.ADMIN_OR_SERVICE,
        late=True,
    ),
    Get(
        "/network-ip-availabilities/{network_id}",
        show,
        policy="get_network_ip_availability",
        allow=guard.ADMIN_OR_SERVICE,
        late=True,
    ),
]
