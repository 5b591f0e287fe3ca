"""The metadata that users give a server (``/servers/{id}/metadata``)."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.compute import server_metadata, servers
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN

POLICY = "os_compute_api:server-metadata"

Key = Annotated[str, msgspec.Meta(pattern="^[a-zA-Z0-9-_:. ]{1,255}$")]
Value = Annotated[str, msgspec.Meta(max_length=255)]


class Metadata(Body):
    """The body of POST and PUT of the collection."""

    metadata: dict[Key, Value]


class Meta(Body):
    """The body of PUT of one item."""

    meta: Annotated[dict[Key, Value], msgspec.Meta(min_length=1, max_length=1)]


async def index(call: Call, server_id: str) -> Any:
    """All items."""
    queries.only(call, since="2.102")
    server = await call.read(lambda tx: servers.get(tx, call.context, server_id))
    return {"metadata": server.metadata}


async def show(call: Call, server_id: str, key: str) -> Any:
    """One item."""
    queries.only(call, since="2.102")
    return {"meta": {key: await call.read(lambda tx: server_metadata.item(tx, call.context, server_id, key))}}


async def create(call: Call, server_id: str, body: Metadata) -> Any:
    """Set items, keeping the others."""
    return {"metadata": await call.write(lambda tx: server_metadata.merge(tx, call.context, server_id, body.metadata))}


async def update_all(call: Call, server_id: str, body: Metadata) -> Any:
    """Set items, dropping the others."""
    return {
        "metadata": await call.write(lambda tx: server_metadata.replace(tx, call.context, server_id, body.metadata))
    }


async def update(call: Call, server_id: str, key: str, body: Meta) -> Any:
    """Set one item."""
    if key not in body.meta:
        raise Invalid("Request body and URI mismatch")
    await call.write(lambda tx: server_metadata.merge(tx, call.context, server_id, body.meta))
    return {"meta": body.meta}


async def delete(call: Call, server_id: str, key: str) -> None:
    """Take one item away."""
    await call.write(lambda tx: server_metadata.remove(tx, call.context, server_id, key))


routes = [
    Get("/servers/{server_id}/metadata", index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN),
    Post("/servers/{server_id}/metadata", create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN),
    Put("/servers/{server_id}/metadata", update_all, policy=f"{POLICY}:update_all", allow=PROJECT_MEMBER_OR_ADMIN),
    Get("/servers/{server_id}/metadata/{key}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
    Put("/servers/{server_id}/metadata/{key}", update, policy=f"{POLICY}:update", allow=PROJECT_MEMBER_OR_ADMIN),
    Delete("/servers/{server_id}/metadata/{key}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN),
]  # fmt: skip
