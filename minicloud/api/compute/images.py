"""Images as Nova showed them before 2.36, and their metadata before 2.39: Glance's, in Nova's own form."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import server_views
from minicloud.api.compute.server_metadata import Meta, Metadata
from minicloud.api.listing import Listing, moment, truth
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base import trace
from minicloud.base.errors import CloudError, Forbidden, Invalid, NotFound
from minicloud.core import quota
from minicloud.core.image import changes, images, search
from minicloud.core.image.changes import Change
from minicloud.core.image.images import Image
from minicloud.core.image.search import Wanted
from minicloud.core.records import Condition, Transaction

LAST, LAST_METADATA = "2.35", "2.38"
IMAGES = Listing(name="images", links_when_full=True)
STATUSES = {"active": "ACTIVE", "queued": "SAVING", "saving": "SAVING", "deleted": "DELETED", "killed": "ERROR"}
PROGRESS = {"queued": 25, "saving": 50, "active": 100}
PROPERTIES = {"server": "instance_uuid", "type": "image_type"}


async def index(call: Call) -> Any:
    """Images, briefly."""
    return await _listed(call, _brief)


async def detail(call: Call) -> Any:
    """Images with all their attributes."""
    return await _listed(call, _view)


async def _listed(call: Call, view: Any) -> Any:
    page, wanted = call.page, _wanted(call)
    found, more = page.cut(await call.read(lambda tx: search.page(tx, call.context, wanted)))
    last = found[-1].id if found else None
    return page.document([view(call, image) for image in found], more=more, last_id=last)


def _wanted(call: Call) -> Wanted:
    query = call.page.query
    conditions: list[Condition] = []
    properties: list[tuple[str, str]] = []
    for name, text in call.parameters:
        if name in ("name", "status"):
            conditions.append(Condition(name, "=", text.lower() if name == "status" else text))
        elif name in ("minRam", "minDisk"):
            column = "min_ram" if name == "minRam" else "min_disk"
            conditions.append(Condition(column, "=", int(text[:18]) if text.isdigit() else -1))
        elif name == "changes-since":
            conditions.append(Condition("updated_at", ">=", moment(text)))
        elif name in PROPERTIES or name.startswith("property-"):
            value = text.rpartition("/")[2] if name == "server" else text
            properties.append((PROPERTIES.get(name) or name.removeprefix("property-"), value))
    return Wanted(
        conditions=conditions,
        properties=properties,
        limit=query.limit or 1001,
        marker=query.marker,
        sort=[("created_at", True)],
    )


async def show(call: Call, image_id: str) -> Any:
    """One image."""
    return {"image": _view(call, await call.read(lambda tx: _get(tx, call, image_id)))}


async def delete(call: Call, image_id: str) -> None:
    """Remove an image and its bytes."""

    def work(tx: Transaction) -> None:
        image = _own(tx, call, image_id, "delete_image", "You are not allowed to delete the image.")
        try:
            images.delete(tx, image)
        except Forbidden as error:
            raise Forbidden("You are not allowed to delete the image.") from error

    await call.write(work)
    try:
        await call.means.blobs.delete(image_id)
    except CloudError as error:
        trace.note("image_bytes_left", image=image_id, why=error.message)


def _get(tx: Transaction, call: Call, image_id: str) -> Image:
    try:
        return images.get(tx, call.context, image_id)
    except NotFound as error:
        raise NotFound("Image not found.") from error


def _own(tx: Transaction, call: Call, image_id: str, rule: str, refusal: str) -> Image:
    """An image that whoever asks may change by Glance's own policies. Raises NotFound, Forbidden."""
    image = _get(tx, call, image_id)
    owned = {"project_id": image.owner, "owner": image.owner, "visibility": image.visibility}
    if not call.allows(rule, owned):
        raise Forbidden(refusal)
    return image


def _brief(call: Call, image: Image) -> dict[str, Any]:
    here = f"/images/{image.id}"
    alternate = {
        "rel": "alternate",
        "type": "application/vnd.openstack.image",
        "href": f"{call.public_url}/image{here}",
    }
    links = [
        {"rel": "self", "href": call.url(here)},
        {"rel": "bookmark", "href": f"{call.base_url}{here}"},
        alternate,
    ]
    return {"id": image.id, "name": image.name, "links": links}


def _view(call: Call, image: Image) -> dict[str, Any]:
    document: dict[str, Any] = {
        **_brief(call, image),
        "minRam": image.min_ram,
        "minDisk": image.min_disk,
        "metadata": _readable(call, image),
        "created": f"{image.created_at[:19]}Z",
        "updated": f"{image.updated_at[:19]}Z",
        "status": STATUSES.get(image.status, "UNKNOWN"),
        "progress": PROGRESS.get(image.status, 0),
        "OS-EXT-IMG-SIZE:size": image.size,
    }
    server_id = image.properties.get("instance_uuid")
    if server_id is not None:
        document["server"] = {"id": server_id, "links": server_views.links(call, server_id)}
    automatic = image.properties.get("auto_disk_config")
    if automatic is not None:
        try:
            document["OS-DCF:diskConfig"] = "AUTO" if truth(automatic) else "MANUAL"
        except Invalid:
            document["OS-DCF:diskConfig"] = "MANUAL"
    return document


async def metadata(call: Call, image_id: str) -> Any:
    """All properties."""
    return {"metadata": _readable(call, await call.read(lambda tx: _get(tx, call, image_id)))}


async def item(call: Call, image_id: str, key: str) -> Any:
    """One property."""
    image = await call.read(lambda tx: _get(tx, call, image_id))
    if key not in image.properties:
        raise call.absent()
    return {"meta": {key: image.properties[key]}}


async def merge(call: Call, image_id: str, body: Metadata) -> Any:
    """Set properties, keeping the others."""
    return {"metadata": _readable(call, await _set(call, image_id, body.metadata))}


async def replace(call: Call, image_id: str, body: Metadata) -> Any:
    """Set properties, dropping the others."""
    await _set(call, image_id, body.metadata, others=False)
    return {"metadata": body.metadata}


async def set_item(call: Call, image_id: str, key: str, body: Meta) -> Any:
    """Set one property."""
    if key not in body.meta:
        raise Invalid("Request body and URI mismatch")
    await _set(call, image_id, body.meta)
    return {"meta": body.meta}


async def drop_item(call: Call, image_id: str, key: str) -> None:
    """Take one property away."""

    def work(tx: Transaction) -> None:
        image = _changeable(tx, call, image_id)
        if key not in image.properties:
            raise NotFound("Invalid metadata key")
        changes.apply(tx, call.context, image, [Change(op="remove", name=key)], _anything, _may(call))

    await call.write(work)


async def _set(call: Call, image_id: str, items: dict[str, str], *, others: bool = True) -> Image:
    def work(tx: Transaction) -> Image:
        image = _changeable(tx, call, image_id)
        kept = {**image.properties, **items} if others else items
        quota.check(tx, "compute", call.context.project_id or "", {"metadata_items": len(kept)}, {})
        wanted = [Change(op="remove", name=name) for name in image.properties if name not in kept]
        wanted += [Change(op="add", name=name, value=value) for name, value in items.items()]
        return changes.apply(tx, call.context, image, wanted, _anything, _may(call))

    return await call.write(work)


def _may(call: Call) -> changes.May:
    return call.world.image.protections.judge(call.context.roles, call.allows)


def _readable(call: Call, image: Image) -> dict[str, str]:
    may = _may(call)
    return {name: value for name, value in image.properties.items() if may("read", name)}


def _changeable(tx: Transaction, call: Call, image_id: str) -> Image:
    return _own(tx, call, image_id, "modify_image", f"Not authorized for image {image_id}.")


def _anything(policy: str, image: Image) -> None:
    """Whose image it is was asked before, and visibility is not changed here."""


PATH, METADATA = "/images/{image_id}", "/images/{image_id}/metadata"

routes = [
    Get("/images", index, policy=None, until=LAST, listing=IMAGES),
    Get("/images/detail", detail, policy=None, until=LAST, listing=IMAGES),
    Get(PATH, show, policy=None, until=LAST),
    Delete(PATH, delete, policy=None, until=LAST),
    Get(METADATA, metadata, policy=None, until=LAST_METADATA),
    Post(METADATA, merge, policy=None, until=LAST_METADATA),
    Put(METADATA, replace, policy=None, until=LAST_METADATA),
    Get(f"{METADATA}/{{key}}", item, policy=None, until=LAST_METADATA),
    Put(f"{METADATA}/{{key}}", set_item, policy=None, until=LAST_METADATA),
    Delete(f"{METADATA}/{{key}}", drop_item, policy=None, until=LAST_METADATA),
]
