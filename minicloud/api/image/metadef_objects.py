"""Objects of a metadata definitions' namespace over HTTP: groups of properties that belong together."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.image import metadefs
from minicloud.api.image.metadef_namespaces import object_body, object_view
from minicloud.api.image.metadef_schemas import NAMELESS_PROPERTY, OBJECT
from minicloud.api.image.metadefs import READABLE, WRITABLE, judged
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.core.image import metadef_items
from minicloud.core.image.metadef_items import Item
from minicloud.core.records import Transaction

_READ_ONLY = ("self", "schema", "created_at", "updated_at")


async def index(call: Call, namespace: str) -> Any:
    """GET /v2/metadefs/namespaces/{namespace}/objects."""
    asked = metadefs.paging(call.parameters, least=1)

    def work(tx: Transaction) -> list[Item]:
        found = judged(call, tx, namespace, "get_metadef_objects", "get_metadef_object")
        return metadef_items.page(tx, found, "object", sort=asked.sort, limit=asked.limit, marker=asked.marker)

    found = await call.read(work)
    return {"objects": [object_view(namespace, one) for one in found], "schema": "v2/schemas/metadefs/objects"}


async def create(call: Call, namespace: str, body: bytes) -> Any:
    """POST /v2/metadefs/namespaces/{namespace}/objects."""
    given = metadefs.read(body, OBJECT, *_READ_ONLY)
    for one in given.get("properties", {}).values():
        metadefs.check(one, NAMELESS_PROPERTY)

    def work(tx: Transaction) -> Item:
        found = judged(call, tx, namespace, "add_metadef_object")
        return metadef_items.add(tx, found, "object", given["name"], object_body(given))

    return object_view(namespace, await call.write(work))


async def show(call: Call, namespace: str, name: str) -> Any:
    """GET /v2/metadefs/namespaces/{namespace}/objects/{name}."""

    def work(tx: Transaction) -> Item:
        return metadef_items.get(tx, judged(call, tx, namespace, "get_metadef_object"), "object", name)

    return object_view(namespace, await call.read(work))


async def update(call: Call, namespace: str, name: str, body: bytes) -> Any:
    """PUT /v2/metadefs/namespaces/{namespace}/objects/{name}."""
    given = metadefs.read(body, OBJECT, *_READ_ONLY)

    def work(tx: Transaction) -> Item:
        found = judged(call, tx, namespace, "modify_metadef_object")
        item = metadef_items.get(tx, found, "object", name)
        return metadef_items.change(tx, found, item, given["name"], object_body(given))

    return object_view(namespace, await call.write(work))


async def delete(call: Call, namespace: str, name: str) -> None:
    """DELETE /v2/metadefs/namespaces/{namespace}/objects/{name}."""

    def work(tx: Transaction) -> None:
        found = judged(call, tx, namespace, "delete_metadef_object")
        metadef_items.remove(tx, found, metadef_items.get(tx, found, "object", name))

    await call.write(work)


_ALL, _ONE = "/metadefs/namespaces/{namespace}/objects", "/metadefs/namespaces/{namespace}/objects/{name}"

routes = [
    Get(_ALL, index, policy="get_metadef_objects", allow=READABLE, late=True),
    Post(_ALL, create, policy="add_metadef_object", allow=WRITABLE, late=True, status=201),
    Get(_ONE, show, policy="get_metadef_object", allow=READABLE, late=True),
    Put(_ONE, update, policy="modify_metadef_object", allow=WRITABLE, late=True),
    Delete(_ONE, delete, policy="delete_metadef_object", allow=WRITABLE, late=True),
]
