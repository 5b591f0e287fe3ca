"""The services of the catalog."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Patch, Post
from minicloud.core import records
from minicloud.core.identity import catalog
from minicloud.core.identity.catalog import Service

SERVICES = lists.listing("services", {**lists.text_filter("type"), **lists.text_filter("name")}, sort="type")

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class ServiceDocument(Body, open=True):
    """A document with a service."""

    service: dict[str, Any]


class ServiceFields(msgspec.Struct):
    """What a service has by the API's definition; anything else is kept as it comes."""

    type: Word | UnsetType = UNSET
    name: Word | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class NewServiceFields(ServiceFields, kw_only=True):
    """A new service has a type."""

    type: Word


async def index(call: Call) -> View:
    """``GET /v3/services``"""
    return await lists.show(call, catalog.services, views.service)


async def create(call: Call, body: ServiceDocument) -> View:
    """``POST /v3/services``"""
    fields, extra = documents.read(NewServiceFields, body.service)
    made = await call.write(lambda tx: records.insert(tx, Service(id=tx.ids.hex(), extra=extra, **fields)))
    return {"service": views.service(call, made)}


async def show(call: Call, service_id: str) -> View:
    """``GET /v3/services/{service_id}``"""
    return {"service": views.service(call, await call.read(lambda tx: records.get(tx, Service, service_id)))}


async def update(call: Call, service_id: str, body: ServiceDocument) -> View:
    """``PATCH /v3/services/{service_id}``"""
    fields, extra = documents.read(ServiceFields, body.service)
    documents.require_same_id(body.service, service_id)
    made = await call.write(lambda tx: catalog.update_service(tx, service_id, fields, extra))
    return {"service": views.service(call, made)}


async def delete(call: Call, service_id: str) -> None:
    """``DELETE /v3/services/{service_id}``"""
    await call.write(lambda tx: records.remove(tx, records.get(tx, Service, service_id)))


routes = [
    Get("/services", index, policy="identity:list_services", allow=ADMIN_OR_SYSTEM_READER, listing=SERVICES),
    Post("/services", create, policy="identity:create_service", allow=ADMIN, status=201),
    Get("/services/{service_id}", show, policy="identity:get_service", allow=ADMIN_OR_SYSTEM_READER),
    Patch("/services/{service_id}", update, policy="identity:update_service", allow=ADMIN),
    Delete("/services/{service_id}", delete, policy="identity:delete_service", allow=ADMIN),
]
