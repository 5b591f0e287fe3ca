"""Shares of servers (``/servers/{id}/shares``): this cloud has no service of shared file systems, so none is ever attached."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.microversions import NotNull
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import NotFound, NotOffered
from minicloud.core.compute import servers
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN

POLICY = "os_compute_api:os-server-shares"


ShareTag = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9-]*\Z")]


class ShareAttach(Body, wrap="share"):
    """The body of POST /servers/{id}/shares."""

    share_id: UUID
    tag: Annotated[ShareTag | None, NotNull()] = None


async def index(call: Call, server_id: str) -> Any:
    """None."""
    queries.only(call)
    await call.read(lambda tx: servers.get(tx, call.context, server_id))
    return {"shares": []}


async def create(call: Call, server_id: str, body: ShareAttach) -> Any:
    """Not on offer."""
    await call.read(lambda tx: servers.get(tx, call.context, server_id))
    raise NotOffered("Shared file systems are not offered by this cloud")


async def show(call: Call, server_id: str, share_id: str) -> Any:
    """There is none."""
    queries.only(call)
    await call.read(lambda tx: servers.get(tx, call.context, server_id))
    raise NotFound(f"Share {share_id} is not attached to server {server_id}")


async def delete(call: Call, server_id: str, share_id: str) -> None:
    """There is none."""
    await show(call, server_id, share_id)


routes = [
    Get("/servers/{server_id}/shares", index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN, since="2.97"),
    Post("/servers/{server_id}/shares", create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN, since="2.97", status=201),
    Get("/servers/{server_id}/shares/{share_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, since="2.97"),
    Delete("/servers/{server_id}/shares/{share_id}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN, since="2.97", status=200),
]  # fmt: skip
