"""The endpoints of the catalog."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.listing import equal
from minicloud.api.routes import Delete, Get, Patch, Post
from minicloud.core import records
from minicloud.core.identity import catalog
from minicloud.core.identity.catalog import Endpoint
from minicloud.core.records import Transaction

ENDPOINTS = lists.listing(
    "endpoints",
    {name: equal(name) for name in ("interface", "service_id", "region_id")},
    sort="service_id",
)

Url = Annotated[str, msgspec.Meta(max_length=225, pattern=r"^([a-zA-Z0-9+.-]+:.+|\$\(public_url\)s.*)$")]


class EndpointDocument(Body, open=True):
    """A document with an endpoint."""

    endpoint: dict[str, Any]


class EndpointFields(msgspec.Struct):
    """What an endpoint has by the API's definition; anything else is kept as it comes."""

    interface: Literal["admin", "internal", "public"] | UnsetType = UNSET
    service_id: str | UnsetType = UNSET
    region_id: str | UnsetType | None = UNSET
    region: str | UnsetType | None = UNSET
    url: Url | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class NewEndpointFields(EndpointFields, kw_only=True):
    """A new endpoint says where it is, of which service and for whom."""

    interface: Literal["admin", "internal", "public"]
    service_id: str
    url: Url


def _region(tx: Transaction, fields: dict[str, Any]) -> None:
    """A region in the manner of older clients comes into being by being named."""
    old = fields.pop("region", None)
    if old is not None and fields.get("region_id") is None:
        fields["region_id"] = old
        catalog.ensure_region(tx, old)


async def index(call: Call) -> View:
    """``GET /v3/endpoints``"""
    return await lists.show(call, catalog.endpoints, views.endpoint)


async def create(call: Call, body: EndpointDocument) -> View:
    """``POST /v3/endpoints``"""
    fields, extra = documents.read(NewEndpointFields, body.endpoint)

    def add(tx: Transaction) -> Endpoint:
        _region(tx, fields)
        return catalog.create_endpoint(tx, Endpoint(id=tx.ids.hex(), extra=extra, **fields))

    return {"endpoint": views.endpoint(call, await call.write(add))}


async def show(call: Call, endpoint_id: str) -> View:
    """``GET /v3/endpoints/{endpoint_id}``"""
    return {"endpoint": views.endpoint(call, await call.read(lambda tx: records.get(tx, Endpoint, endpoint_id)))}


async def update(call: Call, endpoint_id: str, body: EndpointDocument) -> View:
    """``PATCH /v3/endpoints/{endpoint_id}``"""
    fields, extra = documents.read(EndpointFields, body.endpoint)
    documents.require_same_id(body.endpoint, endpoint_id)

    def change(tx: Transaction) -> Endpoint:
        _region(tx, fields)
        return catalog.update_endpoint(tx, endpoint_id, fields, extra)

    return {"endpoint": views.endpoint(call, await call.write(change))}


async def delete(call: Call, endpoint_id: str) -> None:
    """``DELETE /v3/endpoints/{endpoint_id}``"""
    await call.write(lambda tx: records.remove(tx, records.get(tx, Endpoint, endpoint_id)))


routes = [
    Get("/endpoints", index, policy="identity:list_endpoints", allow=ADMIN_OR_SYSTEM_READER, listing=ENDPOINTS),
    Post("/endpoints", create, policy="identity:create_endpoint", allow=ADMIN, status=201),
    Get("/endpoints/{endpoint_id}", show, policy="identity:get_endpoint", allow=ADMIN_OR_SYSTEM_READER),
    Patch("/endpoints/{endpoint_id}", update, policy="identity:update_endpoint", allow=ADMIN),
    Delete("/endpoints/{endpoint_id}", delete, policy="identity:delete_endpoint", allow=ADMIN),
]
