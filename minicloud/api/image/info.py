"""What this image service offers beside images: its one store, where bytes lie, and usage under limits."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.image.images import document
from minicloud.api.image.json_schema import fault
from minicloud.api.image.rules import RULES, permit
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import Conflict, Forbidden, Invalid
from minicloud.core.image import images, quotas, uploads
from minicloud.core.image.images import ACTIVE, QUEUED, Image
from minicloud.core.image.options import STORE
from minicloud.core.policy import ADMIN_OR_SERVICE
from minicloud.core.records import Transaction

_LOCATION = {
    "type": "object",
    "required": ["url"],
    "properties": {
        "url": {"type": "string"},
        "validation_data": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "os_hash_algo": {"type": "string", "enum": ["sha1", "sha256", "sha512", "md5"]},
                "os_hash_value": {"type": "string", "maxLength": 128},
            },
        },
    },
}


async def stores(call: Call) -> Any:
    """GET /v2/info/stores."""
    return {"stores": [{"id": STORE, "default": "true"}]}


async def store_details(call: Call) -> Any:
    """GET /v2/info/stores/detail. Where the folder is, is not told."""
    properties = {"chunk_size": 1 << 20, "thin_provisioning": False}
    return {"stores": [{"id": STORE, "default": "true", "type": "file", "weight": 0, "properties": properties}]}


async def usage(call: Call) -> Any:
    """GET /v2/info/usage: what is limited, and how much of it is used; nothing is unless unified limits are switched on."""
    return {"usage": await call.read(lambda tx: quotas.usage(tx, call.context.project_id))}


async def delete_from_store(call: Call, store_id: str, image_id: str) -> None:
    """DELETE /v2/stores/{store}/{image}: never possible, as each image is in one store only."""
    if store_id != STORE:
        raise Conflict(f"The selected store {store_id} is not available on this node.")

    def work(tx: Transaction) -> Image:
        image = images.get(tx, call.context, image_id)
        permit(call, "delete_image_location", image)
        return image

    image = await call.read(work)
    if image.status != ACTIVE:
        raise Conflict("It's not allowed to remove image data from store if image status is not 'active'")
    raise Forbidden("Cannot delete image data from the only store containing it. Consider deleting the image instead.")


async def add_location(call: Call, image_id: str, body: bytes) -> None:
    """POST /v2/images/{id}/locations: refused, as bytes are kept in the one store, and no store takes URLs."""
    given = document(body)
    wrong = fault(given, _LOCATION)
    told = given.get("validation_data") or {}
    if wrong is None and len(told) == 1:
        wrong = "os_hash_algo and os_hash_value depend on each other"
    if wrong is not None:
        raise Invalid(f"Provided object does not match schema 'location': {wrong}")

    def work(tx: Transaction) -> Image:
        image = images.get(tx, call.context, image_id)
        permit(call, "add_image_location", image)
        return image

    image = await call.read(work)
    if image.status != QUEUED:
        raise Conflict(f"It's not allowed to add locations if image status is {image.status}.")
    raise Forbidden("http store must be enabled to use location API by normal user.")


async def locations(call: Call, image_id: str) -> Any:
    """GET /v2/images/{id}/locations, for services alone: where the bytes lie."""

    def work(tx: Transaction) -> Image:
        image = images.get(tx, call.context, image_id)
        permit(call, "fetch_image_location", image)
        return image

    image = await call.read(work)
    path = call.means.blobs.path(image.id) if uploads.has_bytes(image) else None
    return [] if path is None else [{"url": f"file://{path}", "metadata": {"store": STORE}}]


_LOCATIONS = "/images/{image_id}/locations"

routes = [
    Get("/info/stores", stores, policy=None),
    Get("/info/stores/detail", store_details, policy="stores_info_detail", allow=ADMIN_OR_SERVICE),
    Get("/info/usage", usage, policy=None),
    Delete(
        "/stores/{store_id}/{image_id}",
        delete_from_store,
        policy="delete_image_location",
        allow=RULES["delete_image_location"],
        late=True,
    ),
    Post(
        _LOCATIONS,
        add_location,
        policy="add_image_location",
        allow=RULES["add_image_location"],
        late=True,
        status=202,
    ),
    Get(_LOCATIONS, locations, policy="fetch_image_location", allow=RULES["fetch_image_location"], late=True),
]
