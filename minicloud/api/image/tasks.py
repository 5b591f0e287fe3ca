"""Tasks over HTTP: the old way to import, and all imports as administrators follow them."""

import re
from typing import Any
from urllib.parse import urlencode

from minicloud.api.call import Call, Reply
from minicloud.api.image import patches
from minicloud.api.image.images import document, draft
from minicloud.api.image.imports import begin
from minicloud.api.image.json_schema import fault
from minicloud.api.image.metadefs import paging
from minicloud.api.image.queries import DEFAULT_LIMIT, LARGEST_LIMIT
from minicloud.api.image.task_views import LONG_FIELDS, SCHEMA, stub, view
from minicloud.api.routes import Delete, Get, Post
from minicloud.base import download
from minicloud.base.errors import Invalid, MethodNotAllowed
from minicloud.conductor.image.import_image import Web
from minicloud.core.image import images, quotas, tasks
from minicloud.core.image.tasks import Task
from minicloud.core.policy import ADMIN
from minicloud.core.records import AnyOf, Condition, Query, Transaction

_POLICY = "tasks_api_access"
_UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


async def index(call: Call) -> Any:
    """GET /v2/tasks."""
    values = dict(call.parameters)
    asked = paging(call.parameters)
    limit = min(DEFAULT_LIMIT if asked.limit is None else asked.limit, LARGEST_LIMIT)
    where: list[Condition | AnyOf] = []
    for name, known in (("status", tasks.STATUSES), ("type", ("import",))):
        if values.get(name):
            if values[name] not in known:
                raise Invalid(f"Invalid {name} value: {values[name]}")
            where.append(Condition(name, "=", values[name]))
    if asked.marker is not None and not _UUID.fullmatch(asked.marker):
        raise Invalid("Invalid marker format")
    if asked.sort[0] not in tasks.SORT_KEYS:
        raise Invalid(f"Sort key supplied was not valid: {asked.sort[0]}")
    query = Query(where=where, sort=[asked.sort], limit=limit, marker=asked.marker)
    found = await call.read(lambda tx: tasks.page(tx, call.context, query))
    kept = {name: value for name, value in values.items() if name != "marker"}
    answer: dict[str, Any] = {
        "tasks": [stub(task) for task in found],
        "first": f"/v2/tasks?{urlencode(kept)}" if kept else "/v2/tasks",
        "schema": "/v2/schemas/tasks",
    }
    if found and len(found) == limit:
        answer["next"] = f"/v2/tasks?{urlencode({**kept, 'marker': found[-1].id})}"
    return answer


async def create(call: Call, body: bytes) -> Any:
    """POST /v2/tasks: make an image and fill it from a URL."""
    given = document(body)
    for name in ("type", "input"):
        if name not in given:
            raise Invalid(f"Task '{name}' is required")
    wrong = fault(given, {"properties": SCHEMA, "additionalProperties": False})
    if wrong is not None:
        raise Invalid(f"Provided object does not match schema 'task': {wrong}")
    asked = given["input"] or {}
    if given["type"] != "import":
        raise Invalid(f"A task of type {given['type']} begins with an import of its image, not here")
    url = await _allowed(call, asked.get("import_from"))
    for name in ("import_from_format", "image_properties"):
        if name not in asked:
            raise Invalid(f"Input does not contain '{name}' field")
    wanted = asked["image_properties"]
    if not isinstance(wanted, dict):
        raise Invalid("Input field 'image_properties' must be an object")
    known = {"disk_format": asked["import_from_format"], "container_format": "bare"}
    for name, value in known.items():
        if not wanted.get(name):
            patches.check_value(name, value)
    new = draft(call, {**known, **{name: value for name, value in wanted.items() if value is not None}})

    def work(tx: Transaction) -> Task:
        quotas.check(tx, call.context.project_id, quotas.COUNT, 1)
        quotas.check(tx, call.context.project_id, quotas.SIZE, 0)
        image = images.create(tx, **new)
        task = tasks.create(tx, call.context, type="import", input=asked, image_id=image.id)
        begin(call, tx, image, task, Web(url))
        return task

    task = await call.write(work)
    return Reply(view(task), headers={"Location": f"/v2/tasks/{task.id}"})


async def _allowed(call: Call, url: Any) -> str:
    if not isinstance(url, str) or not url:
        raise Invalid(f"Invalid location: {url}")
    if url.startswith(("file:///", "filesystem:///")):
        raise Invalid("File based imports are not allowed. Please use a non-local source of image data.")
    if not url.startswith(("http://", "https://")):
        raise Invalid(
            "The given uri is not valid. Please specify a valid uri from the following list of supported uri ['http']"
        )
    try:
        await download.judge(url, call.world.image.downloads)
    except Invalid as error:
        raise Invalid(f"URI for legacy import task does not pass filtering: {url[:500]} ({error.message})") from error
    return url


async def show(call: Call, task_id: str) -> Any:
    """GET /v2/tasks/{id}."""
    return view(await call.read(lambda tx: tasks.get(tx, call.context, task_id)))


async def delete(call: Call, task_id: str) -> None:
    """DELETE /v2/tasks/{id}: tasks end by themselves."""
    raise MethodNotAllowed(
        "This operation is currently not permitted on Glance Tasks. They are auto deleted after reaching the time based "
        "on their expires_at property.",
        allow=["GET"],
    )


async def schema(call: Call) -> Any:
    """GET /v2/schemas/task."""
    return {"name": "task", "properties": SCHEMA}


async def collection_schema(call: Call) -> Any:
    """GET /v2/schemas/tasks."""
    short = {name: field for name, field in SCHEMA.items() if name not in LONG_FIELDS}
    return {
        "name": "tasks",
        "properties": {
            "tasks": {"type": "array", "items": {"name": "task", "properties": short}},
            "schema": {"type": "string"},
        },
        "links": [{"rel": "describedby", "href": "{schema}"}],
    }


routes = [
    Get("/tasks", index, policy=_POLICY, allow=ADMIN),
    Post("/tasks", create, policy=_POLICY, allow=ADMIN, status=201),
    Get("/tasks/{task_id}", show, policy=_POLICY, allow=ADMIN),
    Delete("/tasks/{task_id}", delete, policy=_POLICY, allow=ADMIN),
    Get("/schemas/task", schema, policy=None),
    Get("/schemas/tasks", collection_schema, policy=None),
]
