"""/resource_providers: whoever has something to give."""

import uuid
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.placement import queries
from minicloud.api.placement.exchange import answer, document, expect_json, location, newest, query
from minicloud.api.placement.shapes import UUID, UUID_OR_NULL, Shape, Text, Thing
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.core.placement import provider_listing, resource_providers
from minicloud.core.placement.resource_providers import ResourceProvider
from minicloud.core.policy import ADMIN_OR_SERVICE

POLICY = "placement:resource_providers"
NAME = Text(most=200)
LINKS = (("inventories", "1.0"), ("usages", "1.0"), ("aggregates", "1.1"), ("traits", "1.6"), ("allocations", "1.11"))


async def create(call: Call, body: bytes) -> Any:
    fields: dict[str, Shape] = {"name": NAME, "uuid": UUID}
    data = document(call, body, _shape(call, fields))
    given = str(uuid.UUID(data["uuid"])) if data.get("uuid") else None
    made = await call.write(
        lambda tx: resource_providers.create(
            tx, data["name"], provider_id=given, parent_id=data.get("parent_provider_uuid")
        )
    )
    where = location(call, f"/resource_providers/{made.id}")
    if not call.at_least("1.20"):
        return Reply(None, headers={"Location": where})
    return answer(call, view(call, made), modified=made.updated_at, where=where)


async def index(call: Call) -> Any:
    expect_json(call)
    fields: dict[str, Shape] = {"name": Text(), "uuid": UUID}
    for name, since, shape in (
        ("member_of", "1.3", Text()),
        ("resources", "1.4", Text()),
        ("in_tree", "1.14", UUID),
        ("required", "1.18", Text()),
    ):
        if call.at_least(since):
            fields[name] = shape
    asked = query(call, Thing(fields=fields))
    wanted = queries.provider_query(call, asked)
    placement = call.world.placement
    found = await call.read(
        lambda tx: provider_listing.listed(tx, placement, wanted, name=asked.get("name"), provider_id=asked.get("uuid"))
    )
    modified = newest(*(provider.updated_at for provider in found))
    return answer(call, {"resource_providers": [view(call, provider) for provider in found]}, modified=modified)


async def show(call: Call, provider_id: str) -> Any:
    expect_json(call)
    found = await call.read(lambda tx: resource_providers.get(tx, provider_id))
    return answer(call, view(call, found), modified=found.updated_at)


async def update(call: Call, provider_id: str, body: bytes) -> Any:
    data = document(call, body, _shape(call, {"name": NAME}))
    changed = await call.write(
        lambda tx: resource_providers.update(
            tx,
            provider_id,
            data["name"],
            parent_id=data.get("parent_provider_uuid", msgspec.UNSET),
            reparenting=call.at_least("1.37"),
        )
    )
    return answer(call, view(call, changed), modified=changed.updated_at)


async def delete(call: Call, provider_id: str) -> None:
    await call.write(lambda tx: resource_providers.delete(tx, provider_id))


def view(call: Call, provider: ResourceProvider) -> dict[str, Any]:
    """A provider as its version shows it."""
    here = f"{call.mount}/resource_providers/{provider.id}"
    links = [{"rel": "self", "href": here}]
    links += [{"rel": name, "href": f"{here}/{name}"} for name, since in LINKS if call.at_least(since)]
    shown = {"uuid": provider.id, "name": provider.name, "generation": provider.generation, "links": links}
    if call.at_least("1.14"):
        shown |= {"parent_provider_uuid": provider.parent_id, "root_provider_uuid": provider.root_id}
    return shown


def _shape(call: Call, fields: dict[str, Shape]) -> Thing:
    if call.at_least("1.14"):
        fields["parent_provider_uuid"] = UUID_OR_NULL
    return Thing(fields=fields, required=("name",))


ONE = "/resource_providers/{provider_id}"
routes = [
    Post(
        "/resource_providers",
        create,
        policy=f"{POLICY}:create",
        allow=ADMIN_OR_SERVICE,
        status={"1.0": 201, "1.20": 200},
    ),
    Get("/resource_providers", index, policy=f"{POLICY}:list", allow=ADMIN_OR_SERVICE),
    Get(ONE, show, policy=f"{POLICY}:show", allow=ADMIN_OR_SERVICE),
    Put(ONE, update, policy=f"{POLICY}:update", allow=ADMIN_OR_SERVICE),
    Delete(ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN_OR_SERVICE),
]
