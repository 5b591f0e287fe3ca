"""Attachments over HTTP (3.27): reserve a volume, connect to it, complete (3.44), let go of it."""

from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since
from minicloud.api.routes import Action, Delete, Get, Post, Put
from minicloud.api.volume import lists
from minicloud.api.volume.lists import Resource, Wanted
from minicloud.base.errors import Conflict
from minicloud.conductor.volume.places import place_of
from minicloud.core.compute import block_devices
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import attachments, search, volumes
from minicloud.core.volume.attachments import VolumeAttachment
from minicloud.core.volume.volumes import Volume

SINCE = "3.27"
MULTIATTACH = "volume:multiattach_bootable_volume"
ATTACHMENTS = Resource(
    name="attachment",
    all_tenants=lists.there,
    collection="attachments",
    filters=("volume_id", "status", "instance_id", "attach_status"),
    columns={
        name: name
        for name in ("id", "volume_id", "attach_status", "attached_host", "mountpoint", "attach_mode", "created_at", "updated_at", "project_id")
    }
    | {"status": "attach_status", "instance_id": "server_id", "instance_uuid": "server_id"},
)  # fmt: skip


class AttachmentCreate(Body, wrap="attachment"):
    """The body of POST /attachments."""

    volume_uuid: UUID
    instance_uuid: UUID | None = None
    connector: dict[str, Any] | None = None
    mode: Annotated[Literal["rw", "ro"] | None, Since("3.54")] = None


class AttachmentUpdate(Body, wrap="attachment"):
    """The body of PUT /attachments/{id}."""

    connector: Annotated[dict[str, Any], msgspec.Meta(min_length=1)]


def brief(attachment: VolumeAttachment) -> dict[str, Any]:
    """An attachment in a plain listing."""
    return {
        "id": attachment.id,
        "status": attachment.attach_status,
        "instance": attachment.server_id,
        "volume_id": attachment.volume_id,
    }


def view(attachment: VolumeAttachment) -> dict[str, Any]:
    """An attachment with all that it is."""
    return {
        **brief(attachment),
        "attached_at": attachment.attached_at or "",
        "detached_at": "",
        "attach_mode": attachment.attach_mode,
        "connection_info": attachment.connection_info or {},
    }


def refuse_servers(tx: Transaction, attachment: VolumeAttachment | None) -> None:
    """What a living server has by this attachment is let go of through the Compute API alone. Raises Conflict."""
    if attachment is None or attachment.server_id is None or not attachment.connection_info:
        return
    device = block_devices.find(tx, attachment.server_id, attachment.volume_id)
    if device is not None and device.attachment_id == attachment.id:
        raise Conflict(f"Detach volume from instance {attachment.server_id} using the Compute API")


async def create(call: Call, body: AttachmentCreate) -> Any:
    """Reserve a volume, and connect to it if it was said from where."""

    def reserve(tx: Transaction) -> tuple[Volume, VolumeAttachment]:
        volume = volumes.get(tx, call.context, body.volume_uuid)
        if volume.multiattach and volume.status == volumes.IN_USE and volume.bootable:
            call.enforce(MULTIATTACH, {"project_id": volume.project_id})
        return volume, attachments.reserve(tx, volume, body.instance_uuid, mode=body.mode)

    volume, attachment = await call.write(reserve)
    if body.connector:
        attachment = await _connect(call, volume, attachment, body.connector)
    return {"attachment": view(attachment)}


async def update(call: Call, attachment_id: str, body: AttachmentUpdate) -> Any:
    """Connect: they say where they are, and hear how they reach the volume."""

    def work(tx: Transaction) -> tuple[Volume, VolumeAttachment]:
        attachment = attachments.get(tx, call.context, attachment_id)
        return volumes.existing(tx, attachment.volume_id), attachment

    volume, attachment = await call.read(work)
    return {"attachment": view(await _connect(call, volume, attachment, body.connector))}


async def _connect(
    call: Call, volume: Volume, attachment: VolumeAttachment, connector: dict[str, Any]
) -> VolumeAttachment:
    place = await place_of(call.world, volume)
    return await call.write(
        lambda tx: attachments.connect(tx, attachments.get(tx, call.context, attachment.id), connector, place)
    )


async def complete(call: Call, attachment_id: str) -> None:
    """They have the volume."""
    await call.write(lambda tx: attachments.complete(tx, attachments.get(tx, call.context, attachment_id)))


async def delete(call: Call, attachment_id: str) -> Any:
    """They do not have it any more; who still has."""

    def work(tx: Transaction) -> list[VolumeAttachment]:
        attachment = attachments.get(tx, call.context, attachment_id)
        refuse_servers(tx, attachment)
        attachments.release(tx, attachment)
        return attachments.of_volume(tx, attachment.volume_id)

    return {"attachments": [brief(left) for left in await call.write(work)]}


async def show(call: Call, attachment_id: str) -> Any:
    """One attachment."""
    return {"attachment": view(await call.read(lambda tx: attachments.get(tx, call.context, attachment_id)))}


async def _list(call: Call) -> tuple[Wanted, list[VolumeAttachment]]:
    wanted = lists.read(call, ATTACHMENTS)

    def work(tx: Transaction) -> list[VolumeAttachment]:
        return lists.page(tx, wanted, search.attachments_page, VolumeAttachment, attachments.find)

    return wanted, await call.read(work)


async def index(call: Call) -> Any:
    """Attachments, briefly."""
    return {"attachments": [brief(found) for found in (await _list(call))[1]]}


async def detail(call: Call) -> Any:
    """Attachments with all that they are."""
    return {"attachments": [view(found) for found in (await _list(call))[1]]}


routes = [
    Get("/attachments", index, policy=None, since=SINCE),
    Get("/attachments/detail", detail, policy=None, since=SINCE),
    Get("/attachments/{attachment_id}", show, policy=None, since=SINCE),
    Post("/attachments", create, policy="volume:attachment_create", allow=PROJECT_MEMBER_OR_ADMIN, since=SINCE, extra=((MULTIATTACH, PROJECT_MEMBER_OR_ADMIN),)),
    Put("/attachments/{attachment_id}", update, policy="volume:attachment_update", allow=PROJECT_MEMBER_OR_ADMIN, since=SINCE),
    Delete("/attachments/{attachment_id}", delete, policy="volume:attachment_delete", allow=PROJECT_MEMBER_OR_ADMIN, since=SINCE, status=200),
    Action("os-complete", complete, path="/attachments/{attachment_id}/action", policy="volume:attachment_complete", allow=PROJECT_MEMBER_OR_ADMIN, since="3.44", status=204),
]  # fmt: skip
