"""Security groups of a server: the list, and the actions addSecurityGroup and removeSecurityGroup."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries, security_group_views
from minicloud.api.routes import Action, Get
from minicloud.core.compute import interfaces
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-security-groups"
NETWORK_CHANGES = "network_changes"


class GroupName(Body):
    """The body of both actions; the name may also be an id."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


async def index(call: Call, server_id: str) -> Any:
    """The groups of a server with their rules for what comes in."""
    queries.only(call, since="2.102")

    def work(tx: Transaction) -> list[dict[str, Any]]:
        return security_group_views.groups(tx, interfaces.groups(tx, call.context, server_id))

    return {"security_groups": await call.read(work)}


async def add(call: Call, server_id: str, body: GroupName) -> None:
    """Put the server's ports into a group."""
    await call.write(lambda tx: interfaces.add_group(tx, call.context, server_id, body.name))
    call.means.poke(NETWORK_CHANGES)


async def remove(call: Call, server_id: str, body: GroupName) -> None:
    """Take the server's ports out of a group."""
    await call.write(lambda tx: interfaces.remove_group(tx, call.context, server_id, body.name))
    call.means.poke(NETWORK_CHANGES)


routes = [
    Get("/servers/{server_id}/os-security-groups", index, policy=f"{POLICY}:list", allow=PROJECT_READER_OR_ADMIN),
    Action("addSecurityGroup", add, policy=f"{POLICY}:add", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("removeSecurityGroup", remove, policy=f"{POLICY}:remove", allow=PROJECT_MEMBER_OR_ADMIN),
]
