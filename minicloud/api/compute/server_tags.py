"""Tags of a server (``/servers/{id}/tags``), since 2.26."""

from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call, Reply
from minicloud.api.routes import Delete, Get, Put
from minicloud.core.compute import server_tags, servers
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN

POLICY = "os_compute_api:os-server-tags"
PATH = "/servers/{server_id}/tags"

Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=server_tags.LONGEST, pattern="^[^,/]*$")]


class Tags(Body):
    """The body of PUT of the collection."""

    tags: Annotated[list[Tag], msgspec.Meta(max_length=server_tags.MOST)]


async def index(call: Call, server_id: str) -> Any:
    """All tags."""
    server = await call.read(lambda tx: servers.get(tx, call.context, server_id))
    return {"tags": server.tags}


async def show(call: Call, server_id: str, tag: str) -> None:
    """Whether the server has the tag."""
    await call.read(lambda tx: server_tags.require(tx, call.context, server_id, tag))


async def update(call: Call, server_id: str, tag: str) -> Reply:
    """Give the server a tag."""
    if not await call.write(lambda tx: server_tags.add(tx, call.context, server_id, tag)):
        return Reply(status=204)
    return Reply(status=201, headers={"Location": call.url(f"/servers/{server_id}/tags/{quote(tag)}")})


async def update_all(call: Call, server_id: str, body: Tags) -> Any:
    """These tags and no others."""
    return {"tags": await call.write(lambda tx: server_tags.replace(tx, call.context, server_id, body.tags))}


async def delete(call: Call, server_id: str, tag: str) -> None:
    """Take a tag away."""
    await call.write(lambda tx: server_tags.remove(tx, call.context, server_id, tag))


async def delete_all(call: Call, server_id: str) -> None:
    """Take all tags away."""
    await call.write(lambda tx: server_tags.clear(tx, call.context, server_id))


routes = [
    Get(PATH, index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN, since="2.26"),
    Put(PATH, update_all, policy=f"{POLICY}:update_all", allow=PROJECT_MEMBER_OR_ADMIN, since="2.26"),
    Delete(PATH, delete_all, policy=f"{POLICY}:delete_all", allow=PROJECT_MEMBER_OR_ADMIN, since="2.26"),
    Get(f"{PATH}/{{tag}}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, since="2.26", status=204),
    Put(f"{PATH}/{{tag}}", update, policy=f"{POLICY}:update", allow=PROJECT_MEMBER_OR_ADMIN, since="2.26"),
    Delete(f"{PATH}/{{tag}}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN, since="2.26"),
]
