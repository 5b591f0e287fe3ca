"""/availability_zones."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Get
from minicloud.core.network import zones


async def index(call: Call) -> Any:
    """The zones of networks and routers."""
    found = [{"name": zones.ZONE, "resource": resource, "state": "available"} for resource in ("network", "router")]
    for name in ("name", "resource", "state"):
        wanted = [value for key, value in call.parameters if key == name]
        if wanted:
            found = [zone for zone in found if zone[name] in wanted]
    return {"availability_zones": found}


routes = [Get("/availability_zones", index, policy="get_availability_zone", allow="role:reader")]
