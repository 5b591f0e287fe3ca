"""The older path of servers, until 2.102: whoever booted from volumes asked here, and was answered as under ``/servers``."""

import msgspec

from minicloud.api.microversions import version
from minicloud.api.routes import Route

ACTIONS = (
    "confirmResize", "revertResize", "reboot", "resize", "rebuild", "createImage", "os-start", "os-stop",
    "trigger_crash_dump",
)  # fmt: skip
PATHS = ("/servers", "/servers/detail", "/servers/{server_id}")
LAST = version("2.102")


def older(routes: list[Route]) -> list[Route]:
    """The lines of servers and of some actions, under the older path."""
    return [
        msgspec.structs.replace(
            route, path=route.path.replace("/servers", "/os-volumes_boot"), until=min(route.until or LAST, LAST)
        )
        for route in routes
        if route.path in PATHS or route.action in ACTIONS
    ]
