"""The catalog: regions, services, their endpoints, and what of it a token's bearer is told."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Forbidden, Invalid
from minicloud.core import records
from minicloud.core.identity import wording
from minicloud.core.records import Query
from minicloud.engines.database import Transaction

PUBLIC_URL = "$(public_url)s"
"""Stands in the endpoints of this cloud itself, whose address may be another one after each start."""

_PLACE = re.compile(r"[$%]\(([^)]*)\)s")
_PLACES = ("public_url", "public_endpoint", "project_id", "tenant_id", "user_id", "compute_host")


class Region(records.Record, kw_only=True):
    """A region; may lie in another."""

    TABLE = "catalog_regions"
    MISSING = "Could not find region: {id}."

    id: str
    parent_region_id: str | None = None
    description: str = ""
    extra: dict[str, Any] = {}


class Service(records.Record, kw_only=True):
    """A service of the catalog."""

    TABLE = "catalog_services"
    MISSING = "Could not find service: {id}."

    id: str
    type: str
    name: str = ""
    enabled: bool = True
    extra: dict[str, Any] = {}


class Endpoint(records.Record, kw_only=True):
    """Where a service answers. ``url`` may hold ``$(project_id)s`` and its like."""

    TABLE = "catalog_endpoints"
    MISSING = "Could not find endpoint: {id}."

    id: str
    service_id: str
    region_id: str | None = None
    interface: str
    url: str
    enabled: bool = True
    extra: dict[str, Any] = {}


class CatalogEndpoint(msgspec.Struct):
    """An endpoint as tokens show it."""

    id: str
    interface: str
    region_id: str | None
    url: str
    region: str | None


class CatalogService(msgspec.Struct):
    """A service as tokens show it."""

    endpoints: list[CatalogEndpoint]
    id: str
    type: str
    name: str


def render(tx: Transaction, *, public_url: str, project_id: str | None, user_id: str) -> list[CatalogService]:
    """The enabled part of the catalog for a bearer; endpoints that need a project are left out where there is none.

    A project that was given endpoints (OS-EP-FILTER) sees those alone.
    """
    found = {
        service.id: CatalogService([], service.id, service.type, service.name)
        for service in records.select(tx, Service, "enabled = 1 ORDER BY type, id")
    }
    values = {"public_url": public_url, "public_endpoint": public_url, "user_id": user_id}
    if project_id is not None:
        values |= {"project_id": project_id, "tenant_id": project_id}
    given = None if project_id is None else _given(tx, project_id)
    for endpoint in records.select(tx, Endpoint, "enabled = 1 ORDER BY interface, id"):
        if given is not None and not given(endpoint):
            continue
        url = fill(endpoint.url, values)
        if url is not None and endpoint.service_id in found:
            found[endpoint.service_id].endpoints.append(
                CatalogEndpoint(endpoint.id, endpoint.interface, endpoint.region_id, url, endpoint.region_id)
            )
    return list(found.values())


def _given(tx: Transaction, project_id: str) -> Callable[[Endpoint], bool] | None:
    """Whether a project was given an endpoint, by itself or by a group's filters; None where it was given nothing."""
    ids = {row[0] for row in tx.all("SELECT endpoint_id FROM project_endpoints WHERE project_id = ?", [project_id])}
    groups: list[dict[str, Any]] = [
        msgspec.json.decode(row[0])
        for row in tx.all(
            "SELECT filters FROM endpoint_groups WHERE id IN "
            "(SELECT endpoint_group_id FROM project_endpoint_groups WHERE project_id = ?)",
            [project_id],
        )
    ]
    if not ids and not groups:
        return None
    return lambda endpoint: (
        endpoint.id in ids
        or any(all(getattr(endpoint, name) == value for name, value in filters.items()) for filters in groups)
    )


def fill(url: str, values: dict[str, str]) -> str | None:
    """The address with its places filled; None when one has no value here."""
    missing = [name for name in _PLACE.findall(url) if name not in values]
    if missing:
        trace.note("endpoint_left_out", url=url, missing=missing)
        return None
    return _PLACE.sub(lambda place: values[place[1]], url)


def check_url(url: str) -> None:
    """Raises Invalid when an address has places that nobody could fill."""
    if any(name not in _PLACES for name in _PLACE.findall(url)) or re.search(r"[$%]\(", _PLACE.sub("", url)):
        raise Invalid(f"Cannot create an endpoint with an invalid URL: {url}.")


def regions(tx: Transaction, query: Query) -> list[Region]:
    """One page of regions."""
    return records.page(tx, Region, query)


def create_region(tx: Transaction, region: Region) -> Region:
    """Add a region. Raises NotFound when its parent is not there, Conflict when the id is taken."""
    if region.parent_region_id is not None:
        records.get(tx, Region, region.parent_region_id)
    try:
        return records.insert(tx, region)
    except Conflict as error:
        raise Conflict(f"Conflict occurred attempting to store region - Duplicate ID, {region.id}.") from error


def update_region(tx: Transaction, region_id: str, changes: dict[str, Any], extra: dict[str, Any]) -> Region:
    """Change a region. Raises NotFound, Invalid when it would lie in itself."""
    old = records.get(tx, Region, region_id)
    above = changes.get("parent_region_id")
    while above is not None:
        if above == region_id:
            raise Invalid(
                f"The specified parent region {changes['parent_region_id']} would create a circular region hierarchy."
            )
        above = records.get(tx, Region, above).parent_region_id
    if "description" in changes:
        changes["description"] = changes["description"] or ""
    return _changed(tx, old, old.extra, changes, extra)


def delete_region(tx: Transaction, region_id: str) -> None:
    """Remove a region with those in it. Raises NotFound, Forbidden when one of them has endpoints."""
    regions_there = [records.get(tx, Region, region_id)]
    for region in regions_there:
        regions_there += records.select(tx, Region, "parent_region_id = ?", [region.id])
    for region in reversed(regions_there):
        if tx.one("SELECT 1 FROM catalog_endpoints WHERE region_id = ?", [region.id]) is not None:
            raise Forbidden(
                f"Unable to delete region {region_id} because it or its child regions have associated endpoints."
            )
        records.remove(tx, region)


def services(tx: Transaction, query: Query) -> list[Service]:
    """One page of services."""
    return records.page(tx, Service, query)


def update_service(tx: Transaction, service_id: str, changes: dict[str, Any], extra: dict[str, Any]) -> Service:
    """Change a service. Raises NotFound."""
    old = records.get(tx, Service, service_id)
    return _changed(tx, old, old.extra, changes, extra)


def endpoints(tx: Transaction, query: Query) -> list[Endpoint]:
    """One page of endpoints."""
    return records.page(tx, Endpoint, query)


def create_endpoint(tx: Transaction, endpoint: Endpoint) -> Endpoint:
    """Add an endpoint. Raises Invalid when its service or region is not there, or its address cannot be filled."""
    check_url(endpoint.url)
    _check_references(tx, endpoint.service_id, endpoint.region_id)
    return records.insert(tx, endpoint)


def update_endpoint(tx: Transaction, endpoint_id: str, changes: dict[str, Any], extra: dict[str, Any]) -> Endpoint:
    """Change an endpoint. Raises NotFound, Invalid."""
    old = records.get(tx, Endpoint, endpoint_id)
    if "url" in changes:
        check_url(changes["url"])
    _check_references(tx, changes.get("service_id"), changes.get("region_id"))
    return _changed(tx, old, old.extra, changes, extra)


def ensure_region(tx: Transaction, region_id: str) -> None:
    """Add a region of this id where there is none, as endpoints that name one in the old manner expect."""
    if records.find(tx, Region, region_id) is None:
        records.insert(tx, Region(id=region_id))


def _check_references(tx: Transaction, service_id: str | None, region_id: str | None) -> None:
    if region_id is not None and records.find(tx, Region, region_id) is None:
        raise wording.expecting("endpoint region_id", "region table")
    if service_id is not None and records.find(tx, Service, service_id) is None:
        raise wording.expecting("endpoint service_id", "service table")


def _changed(
    tx: Transaction, old: records.R, old_extra: dict[str, Any], changes: dict[str, Any], extra: dict[str, Any]
) -> records.R:
    if extra:
        changes["extra"] = {**old_extra, **extra}
    return records.change(tx, old, **changes) if changes else old
