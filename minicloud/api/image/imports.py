"""Imports over HTTP: an image is filled with what was staged before, or with what lies behind a URL that the rules allow."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.image.images import document
from minicloud.api.image.rules import RULES, extra, permit
from minicloud.api.image.task_views import of_image_view
from minicloud.api.routes import Get, Post
from minicloud.base import download
from minicloud.base.errors import Conflict, Invalid
from minicloud.conductor.image.import_image import ImportImage, Source, Staged, Web
from minicloud.core.image import images, quotas, tasks, uploads
from minicloud.core.image.images import ACTIVE, INSPECTED, QUEUED, UPLOADING, Image
from minicloud.core.image.options import STORE
from minicloud.core.image.tasks import Task
from minicloud.core.records import Transaction

COPY, DIRECT, WEB = "copy-image", "glance-direct", "web-download"


async def methods(call: Call) -> Any:
    """GET /v2/info/import."""
    value = list(call.world.image.import_methods)
    return {"import-methods": {"description": "Import methods available.", "type": "array", "value": value}}


async def import_image(call: Call, image_id: str, body: bytes) -> None:
    """POST /v2/images/{id}/import. What is promised goes on after the answer, also after a restart."""
    given = document(body)
    method, name = _method(call, given)
    stores = _stores(call, given)

    def look(tx: Transaction) -> Image:
        return _ready(call, tx, image_id, name)

    if name == COPY:
        if not given.get("all_stores", False):
            await call.read(look)
            raise Invalid(f"Image is already present at store '{STORE}'")
        # It is in the one store there is: whoever waits for the copy sees that it is made.
        await call.write(lambda tx: uploads.copied(tx, look(tx)))
        return
    source: Source = Staged()
    if name == WEB:
        await call.read(look)
        source = Web(await _allowed(call, method.get("uri")))

    def work(tx: Transaction) -> None:
        image = look(tx)
        quotas.check(tx, call.context.project_id, quotas.SIZE, 0)
        asked = {"image_id": image_id, "import_req": given, "backend": stores}
        task = tasks.create(tx, call.context, type="api_image_import", input=asked, image_id=image_id)
        begin(call, tx, image, task, source)

    await call.write(work)


def begin(call: Call, tx: Transaction, image: Image, task: Task, source: Source) -> None:
    """Promise that the image will be filled; the task tells how it goes. Raises Conflict."""
    taken = uploads.begin_import(tx, image, task_id=task.id, store=STORE)
    assert taken.disk_format is not None
    call.begin(
        tx,
        ImportImage(
            image_id=image.id,
            upload_id=task.id,
            disk_format=taken.disk_format,
            source=source,
            inspected=taken.container_format in INSPECTED,
            task_id=task.id,
            project_id=call.context.project_id,
        ),
    )


def _method(call: Call, given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    method = given.get("method")
    if not isinstance(method, dict):
        raise Invalid("Import request requires a 'method' field.")
    if "name" not in method:
        raise Invalid("Import request requires a 'name' field.")
    name = method["name"]
    if not isinstance(name, str) or name not in call.world.image.import_methods:
        raise Invalid(f"Unknown import method name '{name}'.")
    for word in ("all_stores_must_succeed", "all_stores"):
        if not isinstance(given.get(word, False), bool):
            raise Invalid(f"'{word}' must be boolean value only")
    return method, name


def _stores(call: Call, given: dict[str, Any]) -> list[str]:
    """The stores that are meant, of which there is one. Raises Invalid, Conflict."""
    header = call.header("x-image-meta-store")
    if given.get("all_stores", False):
        if "stores" in given or header is not None:
            raise Invalid("All_stores parameter can't be used with 'x-image-meta-store' header or 'stores' parameter")
        return [STORE]
    if "stores" in given and header is not None:
        raise Invalid("Stores parameter and x-image-meta-store header can't be both specified")
    found = given.get("stores", [header or STORE])
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise Invalid("'stores' must be a list of stores' names")
    unknown = next((one for one in found if one != STORE), None)
    if unknown is not None:
        raise Conflict(f"Unknown scheme '{unknown}' found in URI")
    return found


def _ready(call: Call, tx: Transaction, image_id: str, name: str) -> Image:
    """The image, if it may be imported that way now. Raises NotFound, Forbidden, Conflict."""
    image = images.get(tx, call.context, image_id)
    permit(call, "get_image", image)
    if image.status == ACTIVE and name != COPY:
        raise Conflict("Image with status active cannot be target for import")
    if image.status != ACTIVE and name == COPY:
        raise Conflict("Only images with status active can be targeted for copying")
    if image.status != QUEUED and name == WEB:
        raise Conflict(f"Image needs to be in 'queued' state to use '{name}' method")
    if name == DIRECT and (image.status != UPLOADING or image.upload_id is not None):
        raise Conflict("Image needs to be staged before 'glance-direct' method can be used")
    for attribute in ("container_format", "disk_format"):
        if not getattr(image, attribute):
            raise Conflict(f"'{attribute}' needs to be set before import")
    permit(call, "copy_image" if name == COPY else "modify_image", image)
    return image


async def _allowed(call: Call, url: Any) -> str:
    if not isinstance(url, str):
        raise Invalid(f"URI for web-download does not pass filtering: {url}")
    try:
        await download.judge(url, call.world.image.downloads)
    except Invalid as error:
        raise Invalid(f"URI for web-download does not pass filtering: {url[:500]} ({error.message})") from error
    return url


async def of_image(call: Call, image_id: str) -> Any:
    """GET /v2/images/{id}/tasks: the imports of this image."""

    def work(tx: Transaction) -> list[Task]:
        image = images.get(tx, call.context, image_id)
        permit(call, "get_image", image)
        return tasks.of_image(tx, image)

    return {"tasks": [of_image_view(task) for task in await call.read(work)]}


routes = [
    Get("/info/import", methods, policy=None),
    Post(
        "/images/{image_id}/import",
        import_image,
        policy="get_image",
        allow=RULES["get_image"],
        late=True,
        extra=extra("copy_image"),
        status=202,
    ),
    Get("/images/{image_id}/tasks", of_image, policy="get_image", allow=RULES["get_image"], late=True),
]
