"""Bring a new server to ACTIVE that has volumes, or boots from one: first the volumes, then the server; or nothing of both."""

import functools
from typing import Any

from minicloud.base import trace
from minicloud.base.errors import CloudError, Failed
from minicloud.conductor.compute import create_server
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


class CreateVolumedServer(CreateServer):
    """``made`` are the volumes that come to be with the server, ``places`` where all of its volumes lie."""

    made: list[CreateVolume] = []
    places: dict[str, Place] = {}

    @classmethod
    def steps(cls) -> Steps[Any]:
        claim, *rest, publish = CreateServer.steps()
        assert isinstance(claim, Step)
        assert isinstance(publish, Step)
        return [
            # Volumes that were there are reserved by whoever begins this saga, so its first step's undo frees them.
            Step("claim", record=claim.record, unrecord=forget_volumes),
            Step("ask_volumes", record=ask_volumes),
            Step("make_volumes", act=ensure_volumes, undo=ensure_no_volumes, record=connect_volumes),
            *rest,
            Step("publish", record=mark_active),
        ]


def ask_volumes(tx: Transaction, saga: CreateVolumedServer, world: World) -> None:
    """Promise the volumes that are to be made, on behalf of the server's owner, and choose their backends."""
    server = servers.living(tx, saga.server_id)
    context = contexts.on_behalf(server.user_id, server.project_id)
    for device in _volumes(tx, saga.server_id):
        if device.volume_id is not None:
            continue
        request = VolumeRequest(
            size=device.volume_size,
            name="",
            volume_type=device.volume_type,
            image_id=device.source_id if device.source_type == "image" else None,
            snapshot_id=device.source_id if device.source_type == "snapshot" else None,
        )
        try:
            volume = volume_requests.ask(tx, context, request)
            inner = CreateVolume(volume_id=volume.id, image_id=request.image_id)
            create_volume.place(tx, inner, world)
        except CloudError as error:
            raise type(error)(f"Build of instance {server.id} aborted: {error.message}", kind=error.kind) from error
        saga.made.append(inner)
        records.change(tx, device, volume_id=volume.id, updated_at=tx.now)


def forget_volumes(tx: Transaction, saga: CreateVolumedServer, world: World) -> None:
    """Volumes that were there are free again; those that came with the server are gone; and the server says why."""
    for device in _volumes(tx, saga.server_id):
        volume_attachments.let_go(tx, device)
    for inner in saga.made:
        volume = volumes.find(tx, inner.volume_id)
        if volume is not None:
            volumes.forget(tx, volume)
    create_server.mark_error(tx, saga, world)


async def ensure_volumes(saga: CreateVolumedServer, world: World) -> None:
    """All volumes lie on their backends, which have said where."""
    for inner in saga.made:
        try:
            await create_volume.ensure_made(inner, world)
        except CloudError as error:
            raise Failed(
                f"Build of instance {saga.server_id} aborted: Volume {inner.volume_id} did not finish being created: "
                f"{error.message}"
            ) from error
    for device in await world.database.read(lambda tx: _volumes(tx, saga.server_id)):
        if device.volume_id is not None:
            volume = await world.database.read(functools.partial(volumes.existing, volume_id=device.volume_id))
            saga.places[volume.id] = await place_of(world, volume)


async def ensure_no_volumes(saga: CreateVolumedServer, world: World) -> None:
    """Nothing is left of the volumes that came with the server."""
    for inner in saga.made:
        await create_volume.ensure_gone(inner, world)


def connect_volumes(tx: Transaction, saga: CreateVolumedServer, world: World) -> None:
    """The volumes that were made are there, and the server knows how it reaches all of them."""
    for inner in saga.made:
        create_volume.mark_available(tx, inner, world)
    server = servers.living(tx, saga.server_id)
    for device in _volumes(tx, saga.server_id):
        volume = volumes.existing(tx, device.volume_id or "")
        if device.attachment_id is None:
            reserved = attachments.reserve(tx, volume, server.id)
            device = records.change(tx, device, attachment_id=reserved.id)
        volume_attachments.connected(tx, server, device, saga.places[volume.id])
    trace.note("volumes_connected", server=server.id, volumes=sorted(saga.places))


def mark_active(tx: Transaction, saga: CreateVolumedServer, world: World) -> None:
    """Its volumes are in use, and the server is there for its user."""
    server = servers.living(tx, saga.server_id)
    for device in _volumes(tx, saga.server_id):
        volume_attachments.completed(tx, device, host=server.host)
    create_server.mark_active(tx, saga, world)


def _volumes(tx: Transaction, server_id: str) -> list[BlockDevice]:
    return [device for device in block_devices.of_server(tx, server_id) if device.destination_type == "volume"]
