"""Bring a new server to ACTIVE that has volumes, or boots from one: first the volumes, then the server.

A build that fails leaves what Nova leaves (nova 34: ``_cleanup_volumes``): volumes that were to go with the server are gone,
others that were made for it stay, the one that could not be made in ``error``. Where no host was found, none is there.
"""

import functools
from collections.abc import Mapping
from typing import Any, Literal

import anyio

from minicloud.base import trace
from minicloud.base.errors import Aborted, CloudError, ErrorFacts
from minicloud.conductor.compute import create_server
from minicloud.conductor.compute.aborted import aborted
from minicloud.conductor.compute.create_server import CreateServer
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.volume import create_volume
from minicloud.conductor.volume.create_volume import CreateVolume
from minicloud.conductor.volume.places import place_of
from minicloud.conductor.world import World
from minicloud.core import context as contexts
from minicloud.core import records
from minicloud.core.compute import block_devices, servers, volume_attachments
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.volume import attachments, volume_requests, volumes
from minicloud.core.volume.attachments import Place
from minicloud.core.volume.volume_requests import VolumeRequest
from minicloud.engines.database import Transaction

NOT_PLACED, NOT_MADE, NOT_CONNECTED = "volume_not_placed", "volume_not_made", "volume_not_connected"
"""Kinds of failures of a build for want of a volume: before any was made, while they were, and when all were made."""
POLL_S = 3
"""Nova looks so often whether a volume is there, and tells how often it did."""
Fate = Literal["gone", "error", "kept"]
MADE_IN_ORDER = ("volume", "snapshot", "image", "blank")
"""In which order Nova goes through a server's volumes, by their sources."""


class CreateVolumedServer(CreateServer):
    """``made`` are the volumes that come to be with the server, ``places`` where all of its volumes lie.

    ``refused`` says why one more volume may not be made: those before it are made first, as Nova goes from one to the next.
    """

    made: list[CreateVolume] = []
    refused: str | None = None
    places: dict[str, Place] = {}

    @classmethod
    def steps(cls) -> Steps[Any]:
        claim, *rest, publish = CreateServer.steps()
        assert isinstance(claim, Step)
        assert isinstance(publish, Step)
        return [
            # Volumes that were there are reserved by whoever begins this saga, so its first step's undo frees them.
            Step("claim", record=claim.record, unrecord=settle_volumes),
            Step("ask_volumes", record=ask_volumes),
            Step("place_volumes", act=ensure_asked, record=place_volumes),
            Step("make_volumes", act=ensure_volumes, undo=ensure_no_volumes, record=connect_volumes),
            *rest,
            Step("publish", record=mark_active),
        ]


def ask_volumes(tx: Transaction, saga: CreateVolumedServer, world: World) -> None:
    """Promise the volumes that are to be made, on behalf of the server's owner."""
    server = servers.living(tx, saga.server_id)
    context = contexts.on_behalf(server.user_id, server.project_id)
    for device in sorted(_volumes(tx, saga.server_id), key=lambda one: MADE_IN_ORDER.index(one.source_type)):
        if device.volume_id is not None:
            continue
        request = VolumeRequest(
            size=device.volume_size,
            name=f"{server.id}-blank-vol" if device.source_type == "blank" else "",
            volume_type=device.volume_type,
            image_id=device.source_id if device.source_type == "image" else None,
            snapshot_id=device.source_id if device.source_type == "snapshot" else None,
            zone=None if world.options.disks.cross_zones else server.requested_zone,
        )
        try:
            volume = volume_requests.ask(tx, context, request)
        except CloudError as error:
            if not saga.made:
                raise aborted(saga.server_id, error.message) from error
            trace.note("volume_refused", server=saga.server_id, why=error.message)
            saga.refused = error.message
            return
        saga.made.append(CreateVolume(volume_id=volume.id, image_id=request.image_id))
        records.change(tx, device, volume_id=volume.id, updated_at=tx.now)


async def ensure_asked(saga: CreateVolumedServer, world: World) -> None:
    """Nothing to do: records that follow an act are a commit of their own, so a refusal names volumes that are there."""


def place_volumes(tx: Transaction, saga: CreateVolumedServer, world: World) -> None:
    """Choose the backends of the volumes that are to be made."""
    for inner in saga.made:
        try:
            create_volume.place(tx, inner, world)
        except CloudError as error:
            raise _not_created(saga, inner, error, NOT_PLACED, seconds=0) from error


def settle_volumes(tx: Transaction, saga: CreateVolumedServer, world: World) -> None:
    """Volumes that were there are free again; of those that came with the server stays what Nova leaves; the server says why."""
    devices = _by_volume(tx, saga.server_id)
    for device in _volumes(tx, saga.server_id):
        volume_attachments.let_go(tx, device)
    for number, inner in enumerate(saga.made):
        volume = volumes.find(tx, inner.volume_id)
        if volume is None:
            continue
        if inner.volume_id == _failing(saga):
            inner.failed = _cause(saga)
            create_volume.mark_error(tx, inner, world)
        match _fate(saga, number, devices):
            case "kept":
                create_volume.settle_available(tx, inner)
            case "gone":
                volumes.forget(tx, volumes.existing(tx, volume.id))
    create_server.mark_error(tx, saga, world)


async def ensure_volumes(saga: CreateVolumedServer, world: World) -> None:
    """All volumes lie on their backends, which have said where."""
    for inner in saga.made:
        began = anyio.current_time()
        try:
            await create_volume.ensure_made(inner, world)
        except CloudError as error:
            seconds = int(anyio.current_time() - began)
            raise _not_created(saga, inner, error, NOT_MADE, seconds=seconds) from error
    if saga.refused is not None:
        raise aborted(saga.server_id, saga.refused, kind=NOT_CONNECTED)
    for device in await world.database.read(lambda tx: _volumes(tx, saga.server_id)):
        if device.volume_id is None:
            continue
        try:
            volume = await world.database.read(functools.partial(volumes.existing, volume_id=device.volume_id))
            saga.places[volume.id] = await place_of(world, volume)
        except CloudError as error:
            raise aborted(saga.server_id, error.message, kind=NOT_CONNECTED) from error


async def ensure_no_volumes(saga: CreateVolumedServer, world: World) -> None:
    """Nothing lies on a backend but the volumes that stay."""
    devices = await world.database.read(lambda tx: _by_volume(tx, saga.server_id))
    for number, inner in enumerate(saga.made):
        if _fate(saga, number, devices) != "kept":
            await create_volume.ensure_gone(inner, world)


def connect_volumes(tx: Transaction, saga: CreateVolumedServer, world: World) -> None:
    """The volumes that were made are there, and the server knows how it reaches all of them."""
    for inner in saga.made:
        create_volume.mark_available(tx, inner, world)
    server = servers.living(tx, saga.server_id)
    for device in _volumes(tx, saga.server_id):
        volume = volumes.existing(tx, device.volume_id or "")
        try:
            if device.attachment_id is None:
                reserved = attachments.reserve(tx, volume, server.id)
                device = records.change(tx, device, attachment_id=reserved.id)
            volume_attachments.connected(tx, server, device, saga.places[volume.id])
        except CloudError as error:
            raise aborted(saga.server_id, error.message, kind=NOT_CONNECTED) from error
    trace.note("volumes_connected", server=server.id, volumes=sorted(saga.places))


def mark_active(tx: Transaction, saga: CreateVolumedServer, world: World) -> None:
    """Its volumes are in use, and the server is there for its user."""
    server = servers.living(tx, saga.server_id)
    for device in _volumes(tx, saga.server_id):
        volume_attachments.completed(tx, device, host=server.host)
    create_server.mark_active(tx, saga, world)


def _volumes(tx: Transaction, server_id: str) -> list[BlockDevice]:
    return [device for device in block_devices.of_server(tx, server_id) if device.destination_type == "volume"]


def _by_volume(tx: Transaction, server_id: str) -> dict[str, BlockDevice]:
    return {device.volume_id: device for device in _volumes(tx, server_id) if device.volume_id is not None}


def _not_created(
    saga: CreateVolumedServer, inner: CreateVolume, error: CloudError, kind: str, *, seconds: int
) -> Aborted:
    """Nova's words, which say no more than that; the cause stands beside them, for the trace and for administrators."""
    trace.note("volume_not_made", volume=inner.volume_id, why=error.message)
    return Aborted(
        f"Build of instance {saga.server_id} aborted: Volume {inner.volume_id} did not finish being created even after we "
        f"waited {seconds} seconds or {1 + -(-seconds // POLL_S)} attempts. And its status is error.",
        kind=kind,
        cause=error.message,
        volume_id=inner.volume_id,
        meaning=error.meaning,
    )


def _failing(saga: CreateVolumedServer) -> str | None:
    """The volume for want of which the build failed."""
    failed = saga.failed
    return failed.detail["volume_id"] if failed is not None and failed.kind in (NOT_PLACED, NOT_MADE) else None


def _cause(saga: CreateVolumedServer) -> ErrorFacts | None:
    """Why that volume could not be made."""
    return None if saga.failed is None else ErrorFacts(saga.failed.detail["meaning"], saga.failed.detail["cause"])


def _fate(saga: CreateVolumedServer, number: int, devices: Mapping[str, BlockDevice]) -> Fate:
    """What becomes of the volume of this number in ``made`` when the build has failed."""
    volume_id, failed, failing = saga.made[number].volume_id, saga.failed, _failing(saga)
    device = devices.get(volume_id)
    if device is None or device.delete_on_termination:
        return "gone"
    if volume_id == failing:
        return "error"
    if failed is None or failed.kind == NOT_PLACED:
        return "gone"
    if failing is not None:
        # Nova makes one after the other: what would have come later was never asked for.
        return "kept" if number < [inner.volume_id for inner in saga.made].index(failing) else "gone"
    if failed.meaning == "no_valid_host" and not saga.tried:
        # Nova makes volumes where a host was found, and keeps them while it tries another one.
        return "gone"
    return "kept" if saga.places or failed.kind == NOT_CONNECTED else "gone"
