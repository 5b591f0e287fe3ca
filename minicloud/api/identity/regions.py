"""The regions of the catalog."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api import bodies
from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.targets import ADMIN, OF_ALL
from minicloud.api.identity.views import View
from minicloud.api.listing import equal
from minicloud.api.routes import Delete, Get, Patch, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.identity import catalog
from minicloud.core.identity.catalog import Region
from minicloud.core.policy import ANYONE

REGIONS = lists.listing("regions", {"parent_region_id": equal("parent_region_id")}, sort="id")

RegionId = Annotated[str, msgspec.Meta(max_length=255)]


class RegionDocument(Body, open=True):
    """A document with a region."""

    region: dict[str, Any]


class RegionFields(msgspec.Struct):
    """What a region has by the API's definition; anything else is kept as it comes."""

    description: str | UnsetType | None = UNSET
    parent_region_id: RegionId | UnsetType | None = UNSET


class RegionIdField(msgspec.Struct):
    """The id that a new region may choose."""

    id: RegionId | None = None


def _read(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return documents.read(RegionFields, document) if document else ({}, {})


async def _create(call: Call, document: dict[str, Any], region_id: str | None) -> View:
    fields, extra = _read(document)
    fields["description"] = fields.get("description") or ""
    made = await call.write(
        lambda tx: catalog.create_region(tx, Region(id=region_id or tx.ids.hex(), extra=extra, **fields))
    )
    return {"region": views.region(call, made)}


async def index(call: Call) -> View:
    """``GET /v3/regions``"""
    return await lists.show(call, catalog.regions, views.region)


async def create(call: Call, body: RegionDocument) -> View:
    """``POST /v3/regions``"""
    return await _create(call, body.region, bodies.convert(body.region, RegionIdField).id)


async def create_with_id(call: Call, region_id: str, body: RegionDocument) -> View:
    """``PUT /v3/regions/{region_id}``"""
    chosen = bodies.convert(body.region, RegionIdField).id
    if chosen is not None and chosen != region_id:
        raise Invalid(f'Conflicting region IDs specified: "{region_id}" != "{chosen}"')
    return await _create(call, body.region, region_id)


async def show(call: Call, region_id: str) -> View:
    """``GET /v3/regions/{region_id}``"""
    return {"region": views.region(call, await call.read(lambda tx: records.get(tx, Region, region_id)))}


async def update(call: Call, region_id: str, body: RegionDocument) -> View:
    """``PATCH /v3/regions/{region_id}``"""
    fields, extra = documents.read(RegionFields, body.region)
    documents.require_same_id(body.region, region_id)
    made = await call.write(lambda tx: catalog.update_region(tx, region_id, fields, extra))
    return {"region": views.region(call, made)}


async def delete(call: Call, region_id: str) -> None:
    """``DELETE /v3/regions/{region_id}``"""
    await call.write(lambda tx: catalog.delete_region(tx, region_id))


routes = [
    Get("/regions", index, policy="identity:list_regions", allow=ANYONE, listing=REGIONS, scopes=OF_ALL),
    Post("/regions", create, policy="identity:create_region", allow=ADMIN, status=201),
    Get("/regions/{region_id}", show, policy="identity:get_region", allow=ANYONE, scopes=OF_ALL),
    Put("/regions/{region_id}", create_with_id, policy="identity:create_region", allow=ADMIN, status=201),
    Patch("/regions/{region_id}", update, policy="identity:update_region", allow=ADMIN),
    Delete("/regions/{region_id}", delete, policy="identity:delete_region", allow=ADMIN),
]
