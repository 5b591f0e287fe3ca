"""What of the catalog a project sees (OS-EP-FILTER): endpoints and groups of endpoints."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api import bodies
from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.identity import documents, lists, views
from minicloud.api.identity.documents import Name
from minicloud.api.identity.targets import ADMIN, ADMIN_OR_SYSTEM_READER
from minicloud.api.identity.views import View
from minicloud.api.routes import Delete, Get, Patch, Post, Put
from minicloud.core import records
from minicloud.core.identity import endpoint_groups, projects
from minicloud.core.identity.catalog import Endpoint
from minicloud.core.identity.endpoint_groups import EndpointGroup
from minicloud.core.records import Transaction

ENDPOINT_GROUPS = lists.listing("endpoint_groups", lists.text_filter("name"))


class EndpointGroupDocument(Body, open=True):
    """A document with an endpoint group."""

    endpoint_group: dict[str, Any]


class Filters(msgspec.Struct):
    """The values that filters may have."""

    interface: Literal["admin", "internal", "public"] | UnsetType = UNSET
    service_id: str | UnsetType = UNSET
    region_id: str | UnsetType | None = UNSET


class EndpointGroupFields(msgspec.Struct, forbid_unknown_fields=True):
    """What an endpoint group has."""

    name: Name | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    filters: dict[str, Any] | UnsetType = UNSET


class NewEndpointGroupFields(EndpointGroupFields, kw_only=True, forbid_unknown_fields=True):
    """A new endpoint group has a name and filters."""

    name: Name
    filters: dict[str, Any]


def _read(kind: type[EndpointGroupFields], document: dict[str, Any]) -> dict[str, Any]:
    fields = documents.given(bodies.convert({k: v for k, v in document.items() if k != "id"}, kind))
    if "filters" in fields:
        endpoint_groups.check_filters(fields["filters"])
        bodies.convert(fields["filters"], Filters)
    return fields


async def index(call: Call) -> View:
    """``GET /v3/OS-EP-FILTER/endpoint_groups``"""
    return await lists.show(call, endpoint_groups.page, views.endpoint_group)


async def create(call: Call, body: EndpointGroupDocument) -> View:
    """``POST /v3/OS-EP-FILTER/endpoint_groups``"""
    fields = _read(NewEndpointGroupFields, body.endpoint_group)
    made = await call.write(lambda tx: records.insert(tx, EndpointGroup(id=tx.ids.hex(), **fields)))
    return {"endpoint_group": views.endpoint_group(call, made)}


async def show(call: Call, endpoint_group_id: str) -> View:
    """``GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}``"""
    found = await call.read(lambda tx: endpoint_groups.get(tx, endpoint_group_id))
    return {"endpoint_group": views.endpoint_group(call, found)}


async def update(call: Call, endpoint_group_id: str, body: EndpointGroupDocument) -> View:
    """``PATCH /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}``"""
    fields = _read(EndpointGroupFields, body.endpoint_group)
    documents.require_same_id(body.endpoint_group, endpoint_group_id)
    made = await call.write(lambda tx: endpoint_groups.update(tx, endpoint_group_id, fields))
    return {"endpoint_group": views.endpoint_group(call, made)}


async def delete(call: Call, endpoint_group_id: str) -> None:
    """``DELETE /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}``"""
    await call.write(lambda tx: endpoint_groups.delete(tx, endpoint_group_id))


async def list_projects(call: Call, endpoint_group_id: str) -> View:
    """``GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects``"""
    found = await call.read(lambda tx: endpoint_groups.projects_of(tx, endpoint_group_id))
    return views.collection(call, "projects", [views.project(call, one) for one in found])


async def list_endpoints(call: Call, endpoint_group_id: str) -> View:
    """``GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints``"""

    def read(tx: Transaction) -> list[Endpoint]:
        return endpoint_groups.members(tx, endpoint_groups.get(tx, endpoint_group_id))

    return views.collection(call, "endpoints", [views.endpoint(call, one) for one in await call.read(read)])


async def show_in_project(call: Call, endpoint_group_id: str, project_id: str) -> View:
    """``GET /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}``"""
    await call.read(lambda tx: endpoint_groups.require(tx, endpoint_group_id, project_id))
    pair = {"endpoint_group_id": endpoint_group_id, "project_id": project_id}
    links = views.links(call, f"/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}")
    return {"project_endpoint_group": {**pair, "links": links}}


async def add_to_project(call: Call, endpoint_group_id: str, project_id: str) -> None:
    """``PUT /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}``"""
    await call.write(lambda tx: endpoint_groups.add(tx, endpoint_group_id, project_id))


async def remove_from_project(call: Call, endpoint_group_id: str, project_id: str) -> None:
    """``DELETE /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}``"""
    await call.write(lambda tx: endpoint_groups.remove(tx, endpoint_group_id, project_id))


async def groups_of_project(call: Call, project_id: str) -> View:
    """``GET /v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups``"""
    found = await call.read(lambda tx: endpoint_groups.groups_of(tx, project_id))
    return views.collection(call, "endpoint_groups", [views.endpoint_group(call, one) for one in found])


async def endpoints_of_project(call: Call, project_id: str) -> View:
    """``GET /v3/OS-EP-FILTER/projects/{project_id}/endpoints``"""

    def read(tx: Transaction) -> list[Endpoint]:
        projects.get(tx, project_id)
        return endpoint_groups.endpoints_of(tx, project_id)

    return views.collection(call, "endpoints", [views.endpoint(call, one) for one in await call.read(read)])


async def check_endpoint(call: Call, project_id: str, endpoint_id: str) -> None:
    """``GET /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}``"""
    await call.read(lambda tx: endpoint_groups.require_endpoint(tx, project_id, endpoint_id))


async def add_endpoint(call: Call, project_id: str, endpoint_id: str) -> None:
    """``PUT /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}``"""
    await call.write(lambda tx: endpoint_groups.add_endpoint(tx, project_id, endpoint_id))


async def remove_endpoint(call: Call, project_id: str, endpoint_id: str) -> None:
    """``DELETE /v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}``"""
    await call.write(lambda tx: endpoint_groups.remove_endpoint(tx, project_id, endpoint_id))


async def projects_of_endpoint(call: Call, endpoint_id: str) -> View:
    """``GET /v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects``"""
    found = await call.read(lambda tx: endpoint_groups.projects_with(tx, endpoint_id))
    return views.collection(call, "projects", [views.project(call, one) for one in found])


_ROOT = "/OS-EP-FILTER"
_ALL, _ONE = f"{_ROOT}/endpoint_groups", f"{_ROOT}/endpoint_groups/{{endpoint_group_id}}"
_IN_PROJECT = f"{_ONE}/projects/{{project_id}}"
_OF_PROJECT = f"{_ROOT}/projects/{{project_id}}"
_ENDPOINT = f"{_OF_PROJECT}/endpoints/{{endpoint_id}}"
_READ: dict[str, Any] = {"allow": ADMIN_OR_SYSTEM_READER}
_CHANGE: dict[str, Any] = {"allow": ADMIN}

routes = [
    Get(_ALL, index, policy="identity:list_endpoint_groups", listing=ENDPOINT_GROUPS, **_READ),
    Post(_ALL, create, policy="identity:create_endpoint_group", status=201, **_CHANGE),
    Get(_ONE, show, policy="identity:get_endpoint_group", **_READ),
    Patch(_ONE, update, policy="identity:update_endpoint_group", **_CHANGE),
    Delete(_ONE, delete, policy="identity:delete_endpoint_group", **_CHANGE),
    Get(
        f"{_ONE}/projects",
        list_projects,
        policy="identity:list_projects_associated_with_endpoint_group",
        **_READ,
    ),
    Get(
        f"{_ONE}/endpoints",
        list_endpoints,
        policy="identity:list_endpoints_associated_with_endpoint_group",
        **_READ,
    ),
    Get(_IN_PROJECT, show_in_project, policy="identity:get_endpoint_group_in_project", **_READ),
    Put(_IN_PROJECT, add_to_project, policy="identity:add_endpoint_group_to_project", status=204, **_CHANGE),
    Delete(_IN_PROJECT, remove_from_project, policy="identity:remove_endpoint_group_from_project", **_CHANGE),
    Get(
        f"{_OF_PROJECT}/endpoint_groups",
        groups_of_project,
        policy="identity:list_endpoint_groups_for_project",
        **_READ,
    ),
    Get(f"{_OF_PROJECT}/endpoints", endpoints_of_project, policy="identity:list_endpoints_for_project", **_READ),
    Get(_ENDPOINT, check_endpoint, policy="identity:check_endpoint_in_project", status=204, **_READ),
    Put(_ENDPOINT, add_endpoint, policy="identity:add_endpoint_to_project", status=204, **_CHANGE),
    Delete(_ENDPOINT, remove_endpoint, policy="identity:remove_endpoint_from_project", **_CHANGE),
    Get(
        f"{_ROOT}/endpoints/{{endpoint_id}}/projects",
        projects_of_endpoint,
        policy="identity:list_projects_for_endpoint",
        **_READ,
    ),
]
