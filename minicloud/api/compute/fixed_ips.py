"""Addresses of a server's cards, before 2.44 (the actions addFixedIp and removeFixedIp)."""

from typing import Annotated

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute.words import check_address
from minicloud.api.routes import Action
from minicloud.core.compute import server_fixed_ips
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN

POLICY = "os_compute_api:os-multinic"
LAST = "2.43"
NETWORK_CHANGES = "network_changes"


class AddFixed(Body):
    """The body of addFixedIp."""

    network_id: Annotated[str, msgspec.Meta(min_length=1, max_length=36)] | int = msgspec.field(name="networkId")


class RemoveFixed(Body):
    """The body of removeFixedIp."""

    address: str


async def add(call: Call, server_id: str, body: AddFixed) -> None:
    """One more address of the card on a network."""
    network_id = str(body.network_id)
    await call.write(lambda tx: server_fixed_ips.add(tx, call.context, server_id, network_id))
    call.means.poke(NETWORK_CHANGES)


async def remove(call: Call, server_id: str, body: RemoveFixed) -> None:
    """One address less."""
    check_address(body.address, "address")
    await call.write(lambda tx: server_fixed_ips.remove(tx, call.context, server_id, body.address))
    call.means.poke(NETWORK_CHANGES)


routes = [
    Action("addFixedIp", add, policy=f"{POLICY}:add", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST),
    Action("removeFixedIp", remove, policy=f"{POLICY}:remove", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST),
]
