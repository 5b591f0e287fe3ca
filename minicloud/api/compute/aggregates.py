"""Aggregates over HTTP: groups of hosts, for administrators (``/os-aggregates``)."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body, Name
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.compute.words import Hostname
from minicloud.api.microversions import Since
from minicloud.api.routes import Action, Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.conductor.compute.cache_on_hosts import CacheOnHosts
from minicloud.core.compute import aggregates
from minicloud.core.compute.aggregates import Members
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-aggregates"
_KEY = re.compile(r"[a-zA-Z0-9-_:. ]{1,255}")


class AggregateCreate(Body, wrap="aggregate"):
    """The body of POST /os-aggregates."""

    name: Name
    availability_zone: Name | None = None


class AggregateUpdate(Body, wrap="aggregate"):
    """The body of PUT /os-aggregates/{id}: at least one of them."""

    name: Name | UnsetType = UNSET
    availability_zone: Name | UnsetType | None = UNSET


class HostNamed(Body):
    """The body of add_host and remove_host."""

    host: Hostname


class MetadataSet(Body):
    """The body of set_metadata; null removes a key."""

    metadata: dict[str, Annotated[str, msgspec.Meta(max_length=255)] | None]


class CachedImage(Body):
    """An image to have on hosts."""

    id: UUID


class ImagesCache(Body):
    """The body of POST /os-aggregates/{id}/images."""

    cache: Annotated[list[CachedImage], msgspec.Meta(min_length=1)]


class AggregateView(Body, wrap="aggregate"):
    """An aggregate; a new one is shown without hosts and metadata."""

    id: int
    uuid: Annotated[str, Since("2.41")]
    name: str
    availability_zone: str | None
    created_at: str
    updated_at: str | None
    deleted: bool = False
    deleted_at: str | None = None
    hosts: list[str] | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


def _view(found: Members, *, new: bool = False) -> AggregateView:
    one = found.aggregate
    return AggregateView(
        id=one.id,
        uuid=one.uuid,
        name=one.name,
        availability_zone=one.zone,
        created_at=one.created_at,
        updated_at=one.updated_at,
        hosts=UNSET if new else found.hosts,
        metadata=UNSET if new else one.metadata,
    )


def _number(text: str) -> int:
    """The id in a path. Raises Invalid."""
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise Invalid(f"Invalid input received: id must be an integer, not {text!r}", field="id")
    return int(text)


def _zone(text: str) -> str:
    if ":" in text:
        raise Invalid(
            f"Invalid input for field/attribute availability_zone. Value: {text}. {text!r} is not a 'az_name'",
            field="availability_zone",
        )
    return queries.check_name("availability_zone", text)


async def index(call: Call) -> Any:
    """All aggregates."""
    queries.only(call, since="2.102")
    return {"aggregates": [_view(found) for found in await call.read(aggregates.listed)]}


async def create(call: Call, body: AggregateCreate) -> Any:
    """A new aggregate; with a zone, its hosts will be in that zone."""
    name = queries.check_name("name", body.name)
    zone = None if body.availability_zone is None else _zone(body.availability_zone)
    return _view(await call.write(lambda tx: aggregates.create(tx, name, zone)), new=True)


async def show(call: Call, aggregate_id: str) -> Any:
    """One aggregate."""
    queries.only(call, since="2.102")
    number = _number(aggregate_id)
    return _view(await call.read(lambda tx: aggregates.get(tx, number)))


async def update(call: Call, aggregate_id: str, body: AggregateUpdate) -> Any:
    """Another name or zone."""
    if body.name is UNSET and body.availability_zone is UNSET:
        raise Invalid("Invalid input for field/attribute aggregate. {} is not valid under any of the given schemas")
    name = queries.check_name("name", body.name, trim=True) if isinstance(body.name, str) else None
    zone = _zone(body.availability_zone) if isinstance(body.availability_zone, str) else body.availability_zone
    number = _number(aggregate_id)
    return _view(await call.write(lambda tx: aggregates.update(tx, number, name=name, zone=zone)))


async def delete(call: Call, aggregate_id: str) -> None:
    """An aggregate without hosts."""
    number = _number(aggregate_id)
    await call.write(lambda tx: aggregates.delete(tx, number))


async def add_host(call: Call, aggregate_id: str, body: HostNamed) -> Any:
    """One host more."""
    number, host = _number(aggregate_id), body.host
    return _view(await call.write(lambda tx: aggregates.add_host(tx, number, host)))


async def remove_host(call: Call, aggregate_id: str, body: HostNamed) -> Any:
    """One host less."""
    number, host = _number(aggregate_id), body.host
    return _view(await call.write(lambda tx: aggregates.remove_host(tx, number, host)))


async def set_metadata(call: Call, aggregate_id: str, body: MetadataSet) -> Any:
    """Keys added, changed, or removed."""
    number = _number(aggregate_id)
    for key in body.metadata:
        if not _KEY.fullmatch(key):
            raise Invalid(
                f"Invalid input for field/attribute metadata. Value: {body.metadata}. {key!r} does not match any of the "
                "regexes: '^[a-zA-Z0-9-_:. ]{1,255}$'",
                field="metadata",
            )
    return _view(await call.write(lambda tx: aggregates.set_metadata(tx, number, body.metadata)))


async def cache_images(call: Call, aggregate_id: str, body: ImagesCache) -> None:
    """Promise to bring images to the aggregate's hosts ahead of the first server that needs them."""
    number = _number(aggregate_id)
    ids = [image.id for image in body.cache]
    if len(set(ids)) < len(ids):
        raise Invalid("Duplicate images in request")

    def work(tx: Transaction) -> None:
        hosts = aggregates.get(tx, number).hosts
        for image_id in ids if hosts else ():
            call.begin(tx, CacheOnHosts(image_id=image_id, hosts=hosts))

    await call.write(work)


_ACTION = "/os-aggregates/{aggregate_id}/action"

routes = [
    Get("/os-aggregates", index, policy=f"{POLICY}:index", allow=ADMIN),
    Post("/os-aggregates", create, policy=f"{POLICY}:create", allow=ADMIN),
    Get("/os-aggregates/{aggregate_id}", show, policy=f"{POLICY}:show", allow=ADMIN),
    Put("/os-aggregates/{aggregate_id}", update, policy=f"{POLICY}:update", allow=ADMIN),
    Delete("/os-aggregates/{aggregate_id}", delete, policy=f"{POLICY}:delete", allow=ADMIN, status=200),
    Action("add_host", add_host, path=_ACTION, policy=f"{POLICY}:add_host", allow=ADMIN, status=200),
    Action("remove_host", remove_host, path=_ACTION, policy=f"{POLICY}:remove_host", allow=ADMIN, status=200),
    Action("set_metadata", set_metadata, path=_ACTION, policy=f"{POLICY}:set_metadata", allow=ADMIN, status=200),
    Post(
        "/os-aggregates/{aggregate_id}/images",
        cache_images,
        policy="compute:aggregates:images",
        allow=ADMIN,
        since="2.81",
        status=202,
    ),
]
