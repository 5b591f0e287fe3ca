"""Properties of a metadata definitions' namespace over HTTP: each says what a value of one key may be."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.image import metadefs
from minicloud.api.image.metadef_schemas import PROPERTY
from minicloud.api.image.metadefs import READABLE, WRITABLE, judged, property_type
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import NotFound
from minicloud.core.image import metadef_items, metadef_resource_types
from minicloud.core.image.metadef_items import Item
from minicloud.core.records import Transaction

_READ_ONLY = ("created_at", "updated_at")


def view(item: Item) -> dict[str, Any]:
    """A property as clients see it."""
    return {"name": item.name, **item.body}


async def index(call: Call, namespace: str) -> Any:
    """GET /v2/metadefs/namespaces/{namespace}/properties."""

    def work(tx: Transaction) -> list[Item]:
        found = judged(call, tx, namespace, "get_metadef_properties")
        return metadef_items.of_namespace(tx, found, "property")

    return {"properties": {one.name: one.body for one in await call.read(work)}}


async def create(call: Call, namespace: str, body: bytes) -> Any:
    """POST /v2/metadefs/namespaces/{namespace}/properties."""
    given = metadefs.read(body, PROPERTY, *_READ_ONLY)

    def work(tx: Transaction) -> Item:
        found = judged(call, tx, namespace, "add_metadef_property")
        return metadef_items.add(tx, found, "property", given["name"], property_type(given))

    return view(await call.write(work))


async def show(call: Call, namespace: str, name: str) -> Any:
    """GET /v2/metadefs/namespaces/{namespace}/properties/{name}; with ``resource_type`` the name bears that type's prefix."""
    kind = call.parameter("resource_type")

    def work(tx: Transaction) -> Item:
        found = judged(call, tx, namespace, "get_metadef_property")
        bare = name
        if kind:
            judged(call, tx, namespace, "get_metadef_resource_type")
            prefix = metadef_resource_types.get(tx, found, kind).prefix
            if not prefix or not name.startswith(prefix):
                raise NotFound(
                    f"Property {name} does not start with the expected resource type association prefix of '{prefix}'."
                )
            bare = name.removeprefix(prefix)
        return metadef_items.get(tx, found, "property", bare)

    return view(await call.read(work))


async def update(call: Call, namespace: str, name: str, body: bytes) -> Any:
    """PUT /v2/metadefs/namespaces/{namespace}/properties/{name}."""
    given = metadefs.read(body, PROPERTY, *_READ_ONLY)

    def work(tx: Transaction) -> Item:
        found = judged(call, tx, namespace, "modify_metadef_property")
        item = metadef_items.get(tx, found, "property", name)
        return metadef_items.change(tx, found, item, given["name"], property_type(given))

    return view(await call.write(work))


async def delete(call: Call, namespace: str, name: str) -> None:
    """DELETE /v2/metadefs/namespaces/{namespace}/properties/{name}."""

    def work(tx: Transaction) -> None:
        found = judged(call, tx, namespace, "remove_metadef_property")
        metadef_items.remove(tx, found, metadef_items.get(tx, found, "property", name))

    await call.write(work)


_ALL, _ONE = "/metadefs/namespaces/{namespace}/properties", "/metadefs/namespaces/{namespace}/properties/{name}"

routes = [
    Get(_ALL, index, policy="get_metadef_properties", allow=READABLE, late=True),
    Post(_ALL, create, policy="add_metadef_property", allow=WRITABLE, late=True, status=201),
    Get(
        _ONE,
        show,
        policy="get_metadef_property",
        allow=READABLE,
        late=True,
        extra=[("get_metadef_resource_type", READABLE)],
    ),
    Put(_ONE, update, policy="modify_metadef_property", allow=WRITABLE, late=True),
    Delete(_ONE, delete, policy="remove_metadef_property", allow=WRITABLE, late=True),
]
