"""Letting go of volumes and snapshots, and taking up what lies on a backend, over HTTP; under old names and new ones."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.routes import Action, Get, Post, Route
from minicloud.api.volume import snapshots as snapshots_api
from minicloud.api.volume import values, volume_views
from minicloud.api.volume.values import Flag
from minicloud.base.errors import Invalid, NotFound
from minicloud.conductor.volume.create_volume import CreateVolume
from minicloud.core.policy import ADMIN
from minicloud.core.records import Query, Transaction
from minicloud.core.volume import backends, search, snapshots, types, unmanaged, volumes
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.unmanaged import SNAPSHOT, VOLUME, Unmanaged
from minicloud.core.volume.volumes import Volume

Choice = Annotated[str, msgspec.Meta(max_length=255)]
_MOST = 1000


class VolumeManage(Body, wrap="volume"):
    """The body of POST /manageable_volumes."""

    ref: dict[str, str] | str
    host: Choice | None = None
    cluster: Choice | None = None
    name: Choice | None = None
    description: Choice | None = None
    volume_type: Choice | None = None
    availability_zone: Choice | None = None
    metadata: dict[str, str] | None = None
    bootable: Flag | UnsetType = UNSET


class SnapshotManage(Body, wrap="snapshot"):
    """The body of POST /manageable_snapshots."""

    volume_id: UUID
    ref: dict[str, str] | str
    name: Choice | None = None
    description: Choice | None = None
    metadata: dict[str, str] | None = None


def _host(call: Call, tx: Transaction, given: str | None) -> str:
    if call.parameter("cluster") is not None and call.at_least("3.17"):
        raise NotFound(f"Cluster {call.parameter('cluster')} could not be found.")
    if not given:
        raise Invalid("Host must be specified in query parameters")
    for backend in backends.every(tx):
        if given in (backend.host, backend.pool_host):
            return backend.pool_host
    raise Invalid(f"Service cinder-volume on host {given} could not be found.")


def _page(call: Call, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The page that ``limit``, ``offset`` and ``sort`` ask for."""
    sort = call.parameter("sort") or "reference:desc"
    key, _, way = sort.partition(":")
    if key not in ("size", "reference"):
        raise Invalid(f"Invalid sort keys passed: {key}")
    found.sort(key=lambda one: str(one["reference"]) if key == "reference" else one["size"], reverse=way != "asc")
    first, most = (_number(call, name, other) for name, other in (("offset", 0), ("limit", _MOST)))
    return found[first : first + most]


def _number(call: Call, name: str, other: int) -> int:
    text = call.parameter(name)
    if text is None:
        return other
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"{name} param must be an integer of at least 0")
    return int(text)


def _shown(
    things: Sequence[Unmanaged], managed: Sequence[Volume | VolumeSnapshot], *, long: bool
) -> list[dict[str, Any]]:
    shown = []
    for thing in things:
        one: dict[str, Any] = {"reference": {"source-name": thing.name}, "size": thing.size}
        one["safe_to_manage"] = thing.taken_by is None
        more = {"reason_not_safe": None if thing.taken_by is None else "being managed", "cinder_id": None}
        if thing.kind == SNAPSHOT:
            one["source_reference"] = {"source-name": unmanaged.name_of(VOLUME, thing.volume_id or "")}
        shown.append({**one, **more, "extra_info": None} if long else one)
    for record in managed:
        kind = VOLUME if isinstance(record, Volume) else SNAPSHOT
        size = record.size if isinstance(record, Volume) else record.volume_size
        one = {"reference": {"source-name": unmanaged.name_of(kind, record.id)}, "size": size, "safe_to_manage": False}
        if isinstance(record, VolumeSnapshot):
            one["source_reference"] = {"source-name": unmanaged.name_of(VOLUME, record.volume_id)}
        more = {"reason_not_safe": "already managed", "cinder_id": record.id}
        shown.append({**one, **more, "extra_info": None} if long else one)
    return shown


async def _volumes(call: Call, *, long: bool) -> Any:
    def work(tx: Transaction) -> list[dict[str, Any]]:
        host = _host(call, tx, call.parameter("host"))
        managed = [volume for volume in search.volumes_page(tx, Query()) if volume.host == host]
        return _shown(unmanaged.on_host(tx, VOLUME, host), managed, long=long)

    return {"manageable-volumes": _page(call, await call.read(work))}


async def _snapshots(call: Call, *, long: bool) -> Any:
    def work(tx: Transaction) -> list[dict[str, Any]]:
        host = _host(call, tx, call.parameter("host"))
        there = {volume.id for volume in search.volumes_page(tx, Query()) if volume.host == host}
        managed = [one for one in search.snapshots_page(tx, Query()) if one.volume_id in there]
        return _shown(unmanaged.on_host(tx, SNAPSHOT, host), managed, long=long)

    return {"manageable-snapshots": _page(call, await call.read(work))}


async def volumes_index(call: Call) -> Any:
    """What lies on a backend as a volume, briefly."""
    return await _volumes(call, long=False)


async def volumes_detail(call: Call) -> Any:
    """What lies on a backend as a volume, and why it cannot be taken up."""
    return await _volumes(call, long=True)


async def snapshots_index(call: Call) -> Any:
    """What lies on a backend as a snapshot, briefly."""
    return await _snapshots(call, long=False)


async def snapshots_detail(call: Call) -> Any:
    """What lies on a backend as a snapshot, and why it cannot be taken up."""
    return await _snapshots(call, long=True)


def _reference(given: dict[str, str] | str) -> dict[str, str]:
    return {"source-name": given} if isinstance(given, str) else given


async def manage_volume(call: Call, body: VolumeManage) -> Any:
    """Take up what lies on a backend as a volume of whoever asks."""
    bootable = values.truth("bootable", body.bootable)
    words = {"name": values.text("name", body.name), "description": values.text("description", body.description)}
    if body.cluster is not None:
        raise NotFound(f"Cluster {body.cluster} could not be found.")

    def work(tx: Transaction) -> tuple[Volume, volume_views.Around]:
        host = _host(call, tx, body.host)
        kind = None if body.volume_type is None else types.get(tx, call.context, body.volume_type)
        if body.availability_zone is not None and body.availability_zone not in backends.zones(tx):
            raise Invalid(f"Invalid input received: Availability zone '{body.availability_zone}' is invalid.")
        found = unmanaged.of(tx, VOLUME, _reference(body.ref))
        if found.host != host:
            raise Invalid(
                f"Manage existing volume failed due to invalid backend reference {body.ref}: it is elsewhere."
            )
        volume = unmanaged.take_volume(
            tx,
            call.context,
            found,
            kind,
            zone=body.availability_zone,
            metadata=values.metadata(body.metadata),
            bootable=bootable,
            **words,
        )
        call.begin(tx, CreateVolume(volume_id=volume.id, host=host, adopted=found.id))
        return volume, volume_views.around(tx, [volume])

    volume, around = await call.write(work)
    return volume_views.detailed(call, [volume], around, extended=False)[0]


async def manage_snapshot(call: Call, body: SnapshotManage) -> Any:
    """Take up what lies on a backend as a snapshot of a volume."""
    words = {"name": values.text("name", body.name), "description": values.text("description", body.description)}
    metadata = values.metadata(body.metadata)

    def work(tx: Transaction) -> VolumeSnapshot:
        volume = volumes.get(tx, call.context, body.volume_id)
        found = unmanaged.of(tx, SNAPSHOT, _reference(body.ref))
        return unmanaged.take_snapshot(tx, call.context, found, volume, metadata=metadata, **words)

    return snapshots_api.detailed(call, [await call.write(work)], extended=False)[0]


async def unmanage_volume(call: Call, volume_id: str) -> None:
    """Let go of a volume; its bytes stay where they are."""
    await call.write(lambda tx: unmanaged.let_go_of_volume(tx, volumes.get(tx, call.context, volume_id)))


async def unmanage_snapshot(call: Call, snapshot_id: str) -> None:
    """Let go of a snapshot; its bytes stay where they are."""
    await call.write(lambda tx: unmanaged.let_go_of_snapshot(tx, snapshots.get(tx, call.context, snapshot_id)))


def _routes(volume: str, snapshot: str, since: str | None) -> list[Route]:
    how: dict[str, Any] = {"allow": ADMIN, "since": since}
    return [
        Get(volume, volumes_index, policy="volume_extension:list_manageable", **how),
        Get(f"{volume}/detail", volumes_detail, policy="volume_extension:list_manageable", **how),
        Post(volume, manage_volume, policy="volume_extension:volume_manage", status=202, **how),
        Get(snapshot, snapshots_index, policy="snapshot_extension:list_manageable", **how),
        Get(f"{snapshot}/detail", snapshots_detail, policy="snapshot_extension:list_manageable", **how),
        Post(snapshot, manage_snapshot, policy="snapshot_extension:snapshot_manage", status=202, **how),
    ]


routes = [
    *_routes("/os-volume-manage", "/os-snapshot-manage", None),
    *_routes("/manageable_volumes", "/manageable_snapshots", "3.8"),
    Action(
        "os-unmanage",
        unmanage_volume,
        path="/volumes/{volume_id}/action",
        policy="volume_extension:volume_unmanage",
        allow=ADMIN,
        status=202,
    ),
    Action(
        "os-unmanage",
        unmanage_snapshot,
        path="/snapshots/{snapshot_id}/action",
        policy="snapshot_extension:snapshot_unmanage",
        allow=ADMIN,
        status=202,
    ),
]
