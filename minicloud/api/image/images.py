"""Images over HTTP: list, create, show, change, delete, deactivate, reactivate."""

from typing import Any
from urllib.parse import urlencode

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.image import patches, queries
from minicloud.api.image.rules import RULES, extra, may, permit, permit_new, permitting
from minicloud.api.routes import Delete, Get, Patch, Post
from minicloud.base import trace
from minicloud.base.errors import CloudError, Forbidden, Invalid
from minicloud.core.image import changes, images, quotas, search, uploads
from minicloud.core.image.images import Image
from minicloud.core.image.options import STORE
from minicloud.core.records import Transaction

_SHOWN = (
    "id",
    "name",
    "disk_format",
    "container_format",
    "visibility",
    "size",
    "virtual_size",
    "status",
    "checksum",
    "protected",
    "min_ram",
    "min_disk",
    "owner",
    "os_hidden",
    "os_hash_algo",
    "os_hash_value",
    "tags",
)
_FILLED_BY_US = ("checksum", "created_at", "updated_at", "size", "virtual_size", "status")
_GIVEN = ("name", "visibility", "protected", "os_hidden", "min_disk", "min_ram", "disk_format", "container_format")


def view(call: Call, image: Image) -> dict[str, Any]:
    """An image as whoever asks sees it: attributes and properties side by side."""
    path = f"/v2/images/{image.id}"
    readable = may(call)
    shown = {
        **{name: value for name, value in image.properties.items() if readable("read", name)},
        **{name: getattr(image, name) for name in _SHOWN},
        "created_at": f"{image.created_at[:19]}Z",
        "updated_at": f"{image.updated_at[:19]}Z",
        "self": path,
        "file": f"{path}/file",
        "schema": "/v2/schemas/image",
    }
    return {**shown, "stores": STORE} if uploads.has_bytes(image) else shown


def document(raw: bytes) -> dict[str, Any]:
    """A request's document, which must be an object. Raises Invalid."""
    if not raw:
        raise Invalid("Body expected in request.")
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("Malformed JSON in request body.", kind="json") from error
    if not isinstance(found, dict):
        raise Invalid(f"Provided object does not match schema 'image': {found!r} is not of type 'object'")
    return found


async def index(call: Call) -> Any:
    """GET /v2/images."""
    wanted = queries.read(call.parameters)
    found = await call.read(lambda tx: search.page(tx, call.context, wanted))
    shown = [image for image in found if _may_get(call, image)]
    kept = {name: value for name, value in call.parameters if name != "marker"}
    answer: dict[str, Any] = {
        "images": [view(call, image) for image in shown],
        "first": f"/v2/images?{urlencode(kept)}" if kept else "/v2/images",
        "schema": "/v2/schemas/images",
    }
    if shown and len(found) == wanted.limit:
        answer["next"] = f"/v2/images?{urlencode({**kept, 'marker': shown[-1].id})}"
    return answer


def _may_get(call: Call, image: Image) -> bool:
    return call.allows("get_image", {"project_id": image.owner, "owner": image.owner, "visibility": image.visibility})


async def create(call: Call, body: bytes) -> Any:
    """POST /v2/images. Whatever is no attribute of images becomes a property."""
    new = draft(call, document(body))

    def work(tx: Transaction) -> Image:
        quotas.check(tx, call.context.project_id, quotas.COUNT, 1)
        return images.create(tx, **new)

    image = await call.write(work)
    headers = {"Location": call.url(f"/images/{image.id}"), "OpenStack-image-store-ids": STORE}
    if call.world.image.import_methods:
        headers["OpenStack-image-import-methods"] = ",".join(call.world.image.import_methods)
    return Reply(view(call, image), headers=headers)


def draft(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """What a new image is made of, judged and checked. Raises Invalid, Forbidden."""
    for name in patches.NOT_ON_CREATE:
        if name in given:
            raise Forbidden(f"Attribute '{name}' is read-only.")
    for name, value in given.items():
        patches.check_value(name, value)
    if "locations" in given:
        raise Forbidden("It's not allowed to add locations if locations are invisible.")
    for name in (*_FILLED_BY_US, "os_hash_algo", "os_hash_value"):
        if name in given:
            raise Forbidden(f"Attribute '{name}' is read-only.")
    values = {name: given[name] for name in (*_GIVEN, "tags") if name in given}
    owner = given.get("owner", call.context.project_id)
    named = {*values, "id", "owner"}
    properties = {name: value for name, value in given.items() if name not in named}
    permit_new(call, owner, values.get("visibility", "shared"))
    allowed = may(call)
    for name in properties:
        patches.check_name(name)
        if not allowed("create", name):
            raise changes.reserved(name)
    return {**values, "owner": owner, "image_id": given.get("id"), "properties": properties}


async def show(call: Call, image_id: str) -> Any:
    """GET /v2/images/{id}."""
    image = await call.read(lambda tx: images.get(tx, call.context, image_id))
    permit(call, "get_image", image)
    return view(call, image)


async def update(call: Call, image_id: str, body: bytes) -> Any:
    """PATCH /v2/images/{id}."""
    wanted = patches.read(body, call.header("content-type") or "")

    def work(tx: Transaction) -> Image:
        image = images.get(tx, call.context, image_id)
        permit(call, "get_image", image)
        return changes.apply(tx, call.context, image, wanted, permitting(call), may(call))

    return view(call, await call.write(work))


async def delete(call: Call, image_id: str) -> None:
    """DELETE /v2/images/{id}. The bytes go after the commit; where that fails, the reconciler removes them later."""

    def work(tx: Transaction) -> None:
        image = images.get(tx, call.context, image_id)
        permit(call, "delete_image", image)
        images.delete(tx, image)

    await call.write(work)
    try:
        await call.means.blobs.delete(image_id)
        await call.means.blobs.delete(uploads.staged_key(image_id))
    except CloudError as error:
        trace.note("image_bytes_left", image=image_id, why=error.message)


async def deactivate(call: Call, image_id: str) -> None:
    """POST /v2/images/{id}/actions/deactivate."""

    def work(tx: Transaction) -> None:
        image = images.get(tx, call.context, image_id)
        permit(call, "deactivate", image)
        images.deactivate(tx, image)

    await call.write(work)


async def reactivate(call: Call, image_id: str) -> None:
    """POST /v2/images/{id}/actions/reactivate."""

    def work(tx: Transaction) -> None:
        image = images.get(tx, call.context, image_id)
        permit(call, "reactivate", image)
        images.reactivate(tx, image)

    await call.write(work)


routes = [
    Get("/images", index, policy="get_images", allow=RULES["get_images"]),
    Post(
        "/images",
        create,
        policy="add_image",
        allow=RULES["add_image"],
        late=True,
        extra=extra("publicize_image", "communitize_image"),
        status=201,
    ),
    Get("/images/{image_id}", show, policy="get_image", allow=RULES["get_image"], late=True),
    Patch("/images/{image_id}", update, policy="modify_image", allow=RULES["modify_image"], late=True),
    Delete("/images/{image_id}", delete, policy="delete_image", allow=RULES["delete_image"], late=True),
    Post(
        "/images/{image_id}/actions/deactivate",
        deactivate,
        policy="deactivate",
        allow=RULES["deactivate"],
        late=True,
        status=204,
    ),
    Post(
        "/images/{image_id}/actions/reactivate",
        reactivate,
        policy="reactivate",
        allow=RULES["reactivate"],
        late=True,
        status=204,
    ),
]
