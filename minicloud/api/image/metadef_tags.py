"""Tags of a metadata definitions' namespace over HTTP: one at a time, or all of them."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.image import metadefs
from minicloud.api.image.metadef_schemas import TAG, TAGS
from minicloud.api.image.metadefs import READABLE, WRITABLE, judged, stamps
from minicloud.api.listing import truth
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.image import metadef_items
from minicloud.core.image.metadef_items import Item
from minicloud.core.records import Transaction

_READ_ONLY = ("created_at", "updated_at")


def view(item: Item) -> dict[str, Any]:
    """A tag as clients see it."""
    return {"name": item.name, **stamps(item)}


async def index(call: Call, namespace: str) -> Any:
    """GET /v2/metadefs/namespaces/{namespace}/tags."""
    asked = metadefs.paging(call.parameters)

    def work(tx: Transaction) -> list[Item]:
        found = judged(call, tx, namespace, "get_metadef_tags")
        return metadef_items.page(tx, found, "tag", sort=asked.sort, limit=asked.limit, marker=asked.marker)

    return {"tags": [{"name": one.name} for one in await call.read(work)]}


async def create_all(call: Call, namespace: str, body: bytes) -> Any:
    """POST /v2/metadefs/namespaces/{namespace}/tags: in the place of those there are, unless they shall be appended."""
    given = metadefs.read(body, TAGS, *_READ_ONLY)
    names = [one["name"] for one in given.get("tags", ())]
    append = _appends(call.header("x-openstack-append"))

    def work(tx: Transaction) -> None:
        found = judged(call, tx, namespace, "add_metadef_tags")
        metadef_items.replace_tags(tx, found, names, append=append)

    await call.write(work)
    return {"tags": [{"name": name} for name in names]}


def _appends(header: str | None) -> bool:
    try:
        return truth(header or "no")
    except Invalid:
        return False


async def create(call: Call, namespace: str, name: str) -> Any:
    """POST /v2/metadefs/namespaces/{namespace}/tags/{name}."""
    metadefs.check({"name": name}, TAG)

    def work(tx: Transaction) -> Item:
        return metadef_items.add(tx, judged(call, tx, namespace, "add_metadef_tag"), "tag", name)

    return view(await call.write(work))


async def show(call: Call, namespace: str, name: str) -> Any:
    """GET /v2/metadefs/namespaces/{namespace}/tags/{name}."""

    def work(tx: Transaction) -> Item:
        return metadef_items.get(tx, judged(call, tx, namespace, "get_metadef_tag"), "tag", name)

    return view(await call.read(work))


async def update(call: Call, namespace: str, name: str, body: bytes) -> Any:
    """PUT /v2/metadefs/namespaces/{namespace}/tags/{name}: another name."""
    given = metadefs.read(body, TAG, *_READ_ONLY)

    def work(tx: Transaction) -> Item:
        found = judged(call, tx, namespace, "modify_metadef_tag")
        return metadef_items.change(tx, found, metadef_items.get(tx, found, "tag", name), given["name"], {})

    return view(await call.write(work))


async def delete(call: Call, namespace: str, name: str) -> None:
    """DELETE /v2/metadefs/namespaces/{namespace}/tags/{name}."""

    def work(tx: Transaction) -> None:
        found = judged(call, tx, namespace, "delete_metadef_tag")
        metadef_items.remove(tx, found, metadef_items.get(tx, found, "tag", name))

    await call.write(work)


_ALL, _ONE = "/metadefs/namespaces/{namespace}/tags", "/metadefs/namespaces/{namespace}/tags/{name}"

routes = [
    Get(_ALL, index, policy="get_metadef_tags", allow=READABLE, late=True),
    Post(_ALL, create_all, policy="add_metadef_tags", allow=WRITABLE, late=True, status=201),
    Get(_ONE, show, policy="get_metadef_tag", allow=READABLE, late=True),
    Post(_ONE, create, policy="add_metadef_tag", allow=WRITABLE, late=True, status=201),
    Put(_ONE, update, policy="modify_metadef_tag", allow=WRITABLE, late=True),
    Delete(_ONE, delete, policy="delete_metadef_tag", allow=WRITABLE, late=True),
]
