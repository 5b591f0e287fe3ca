"""/resource_classes: kinds of things that are counted."""

from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.placement.exchange import answer, document, expect_json, location, newest
from minicloud.api.placement.shapes import Text, Thing, check
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.placement import resource_classes
from minicloud.core.placement.resource_classes import ResourceClass
from minicloud.core.policy import ADMIN_OR_SERVICE

POLICY = "placement:resource_classes"
NEW = Thing(fields={"name": Text(pattern="^CUSTOM_[A-Z0-9_]+$", most=255)}, required=("name",))


async def index(call: Call) -> Any:
    expect_json(call)
    found = await call.read(resource_classes.listed)
    shown = {"resource_classes": [_view(call, one) for one in found]}
    return answer(call, shown, modified=newest(*(one.updated_at for one in found)))


async def create(call: Call, body: bytes) -> Any:
    name: str = document(call, body, NEW)["name"]
    await call.write(lambda tx: resource_classes.create(tx, name))
    return Reply(None, headers={"Location": location(call, f"/resource_classes/{name}")})


async def show(call: Call, name: str) -> Any:
    expect_json(call)
    found = await call.read(lambda tx: resource_classes.get(tx, name))
    return answer(call, _view(call, found), modified=found.updated_at)


async def rename(call: Call, name: str, body: bytes) -> Any:
    """Until 1.6: another name for a class."""
    new_name: str = document(call, body, NEW)["name"]
    return _view(call, await call.write(lambda tx: resource_classes.rename(tx, name, new_name)))


async def ensure(call: Call, name: str) -> Any:
    """Since 1.7: the class is there, whether it was or not."""
    wrong = check({"name": name}, NEW)
    if wrong is not None:
        raise Invalid(f"JSON does not validate: {wrong.told()}", kind="body")
    made = await call.write(lambda tx: resource_classes.ensure(tx, name))
    return Reply(None, status=201 if made else 204, headers={"Location": location(call, f"/resource_classes/{name}")})


async def delete(call: Call, name: str) -> None:
    await call.write(lambda tx: resource_classes.delete(tx, name))


def _view(call: Call, found: ResourceClass) -> dict[str, Any]:
    href = f"{call.mount}/resource_classes/{found.name}"
    return {"name": found.name, "links": [{"rel": "self", "href": href}]}


ONE = "/resource_classes/{name}"
routes = [
    Get("/resource_classes", index, policy=f"{POLICY}:list", allow=ADMIN_OR_SERVICE, since="1.2"),
    Post("/resource_classes", create, policy=f"{POLICY}:create", allow=ADMIN_OR_SERVICE, since="1.2", status=201),
    Get(ONE, show, policy=f"{POLICY}:show", allow=ADMIN_OR_SERVICE, since="1.2"),
    Put(ONE, rename, policy=f"{POLICY}:update", allow=ADMIN_OR_SERVICE, since="1.2", until="1.6"),
    Put(ONE, ensure, policy=f"{POLICY}:update", allow=ADMIN_OR_SERVICE, since="1.7"),
    Delete(ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN_OR_SERVICE, since="1.2"),
]
