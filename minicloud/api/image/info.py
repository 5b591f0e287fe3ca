"""What this image service offers: ways to import, stores, usage under limits; and what it does not."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.image.images import document
from minicloud.api.image.rules import RULES, permit
from minicloud.api.routes import Get, Post, Put
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.image import images, quotas

IMPORT_METHODS: tuple[str, ...] = ()
"""Ways to import that are there: none so far. Upload with ``PUT /v2/images/{id}/file``."""


async def import_methods(call: Call) -> Any:
    """GET /v2/info/import."""
    return {
        "import-methods": {
            "description": "Import methods available.",
            "type": "array",
            "value": list(IMPORT_METHODS),
        }
    }


async def stores(call: Call) -> Any:
    """GET /v2/info/stores: there is one store, which is how upstream's own answer is worded then."""
    raise NotFound("Multi backend is not supported at this site.")


async def usage(call: Call) -> Any:
    """GET /v2/info/usage: what is limited, and how much of it is used; nothing is unless unified limits are switched on."""
    return {"usage": await call.read(lambda tx: quotas.usage(tx, call.context.project_id))}


async def tasks(call: Call, image_id: str) -> Any:
    """GET /v2/images/{id}/tasks: imports of this image."""
    image = await call.read(lambda tx: images.get(tx, call.context, image_id))
    permit(call, "get_image", image)
    return {"tasks": []}


async def import_image(call: Call, image_id: str, body: bytes) -> None:
    """POST /v2/images/{id}/import."""
    image = await call.read(lambda tx: images.get(tx, call.context, image_id))
    permit(call, "get_image", image)
    method = document(body).get("method")
    if not isinstance(method, dict):
        raise Invalid("Import request requires a 'method' field.")
    if "name" not in method:
        raise Invalid("Import request requires a 'name' field.")
    raise Invalid(f"Unknown import method name '{method['name']}'.")


async def stage(call: Call, image_id: str) -> None:
    """PUT /v2/images/{id}/stage."""
    raise NotFound("'glance-direct' method is not available at this site.")


routes = [
    Get("/info/import", import_methods, policy=None),
    Get("/info/stores", stores, policy=None),
    Get("/info/stores/detail", stores, policy=None),
    Get("/info/usage", usage, policy=None),
    Get("/images/{image_id}/tasks", tasks, policy="get_image", allow=RULES["get_image"], late=True),
    Post(
        "/images/{image_id}/import", import_image, policy="get_image", allow=RULES["get_image"], late=True, status=202
    ),
    Put("/images/{image_id}/stage", stage, policy=None, stream=True, status=204),
]
