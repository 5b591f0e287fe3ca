"""What administrators do to servers by force (the actions os-resetState, injectNetworkInfo, resetNetwork)."""

from typing import Literal

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.base.errors import Gone
from minicloud.core.compute import servers, states
from minicloud.core.policy import ADMIN

POLICY = "os_compute_api:os-admin-actions"


class State(Body):
    """The body of os-resetState."""

    state: Literal["active", "error"]


async def reset_state(call: Call, server_id: str, body: State) -> None:
    """Say that a server is in a state."""
    await call.write(lambda tx: states.reset(tx, call.context, server_id, body.state))


async def inject_network_info(call: Call, server_id: str) -> None:
    """Nothing is ever injected into disks here: guests learn of networks from metadata and DHCP, which is always up to date."""
    await call.read(lambda tx: servers.get(tx, call.context, server_id))


async def reset_network(call: Call, server_id: str) -> None:
    """Removed upstream with the only hypervisor that knew it."""
    raise Gone("This API has been removed.")


routes = [
    Action("os-resetState", reset_state, policy=f"{POLICY}:reset_state", allow=ADMIN),
    Action("injectNetworkInfo", inject_network_info, policy=f"{POLICY}:inject_network_info", allow=ADMIN),
    Action("resetNetwork", reset_network, policy=None),
]
