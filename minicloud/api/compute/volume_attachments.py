"""The volumes of a server over HTTP (``/servers/{id}/os-volume_attachments``): list, show, attach, change, detach."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call, Reply
from minicloud.api.compute import queries
from minicloud.api.compute.words import Tag, Truth
from minicloud.api.listing import truth
from minicloud.api.microversions import NotNull, Since
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Conflict, Invalid
from minicloud.conductor.compute.attach_volume import AttachVolume
from minicloud.conductor.compute.detach_volume import DetachVolume
from minicloud.core.compute import block_devices, lifecycle, servers, volume_attachments
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-volumes-attachments"
SWAP = f"rule:service_role or {ADMIN}"
SHELVED = (lifecycle.SHELVED, lifecycle.SHELVED_OFFLOADED)
Device = Annotated[str, msgspec.Meta(pattern=r"(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*\Z")]


class AttachmentCreate(Body, wrap="volumeAttachment"):
    """The body of POST."""

    volume_id: UUID = msgspec.field(name="volumeId")
    device: Device | None = None
    tag: Annotated[Tag | None, Since("2.49"), NotNull()] = None
    delete_on_termination: Annotated[bool | Truth, Since("2.79")] = False


class AttachmentUpdate(Body, wrap="volumeAttachment"):
    """The body of PUT; from 2.85 on what GET shows may be sent back."""

    volume_id: UUID = msgspec.field(name="volumeId")
    device: Annotated[Device | UnsetType | None, Since("2.85")] = UNSET
    tag: Annotated[Tag | UnsetType, Since("2.85")] = UNSET
    delete_on_termination: Annotated[bool | Truth | UnsetType, Since("2.85")] = UNSET
    server_id: Annotated[UUID | UnsetType, Since("2.85")] = msgspec.field(name="serverId", default=UNSET)
    id: Annotated[UUID | UnsetType, Since("2.85")] = UNSET


def view(call: Call, device: BlockDevice) -> dict[str, Any]:
    """A volume of a server."""
    document: dict[str, Any] = {} if call.at_least("2.89") else {"id": device.volume_id}
    document |= {"volumeId": device.volume_id, "serverId": device.server_id}
    if device.device_name:
        document["device"] = device.device_name
    if call.at_least("2.70"):
        document["tag"] = device.tag
    if call.at_least("2.79"):
        document["delete_on_termination"] = device.delete_on_termination
    if call.at_least("2.89"):
        document |= {"attachment_id": device.attachment_id, "bdm_uuid": device.id}
    return document


async def index(call: Call, server_id: str) -> Any:
    """All volumes of a server."""
    queries.only(call, "limit", "offset", since="2.75")

    def work(tx: Transaction) -> list[BlockDevice]:
        server = servers.get(tx, call.context, server_id)
        return block_devices.of_servers(tx, [server.id]).get(server.id, [])

    found = await call.read(work)
    first, last = queries.window(call)
    return {"volumeAttachments": [view(call, device) for device in found[first:last]]}


async def show(call: Call, server_id: str, volume_id: str) -> Any:
    """One volume of a server."""

    def work(tx: Transaction) -> BlockDevice:
        return block_devices.get(tx, servers.get(tx, call.context, server_id).id, volume_id)

    return {"volumeAttachment": view(call, await call.read(work))}


async def create(call: Call, server_id: str, body: AttachmentCreate) -> Any:
    """Promise to attach a volume."""

    def work(tx: Transaction) -> BlockDevice:
        _check_shelved(tx, call, server_id, "attach_volume")
        server, action_id, device = volume_attachments.attach(
            tx,
            call.context,
            server_id,
            body.volume_id,
            device=body.device,
            tag=body.tag,
            delete_on_termination=_truth(body.delete_on_termination),
            multiattach=call.at_least("2.60"),
            rules=call.world.options.disks,
        )
        call.begin(tx, AttachVolume(server_id=server.id, action_id=action_id, volume_id=body.volume_id))
        return device

    device = await call.write(work)
    if call.at_least("2.101"):
        return None
    document: dict[str, Any] = {
        "id": device.volume_id,
        "serverId": device.server_id,
        "volumeId": device.volume_id,
        "device": device.device_name,
    }
    if call.at_least("2.70"):
        document["tag"] = device.tag
    if call.at_least("2.79"):
        document["delete_on_termination"] = device.delete_on_termination
    return Reply({"volumeAttachment": document})


async def update(call: Call, server_id: str, volume_id: str, body: AttachmentUpdate) -> None:
    """Whether the volume goes with the server, from 2.85 on; another volume in its place is block storage's own to ask for."""
    swap = not call.at_least("2.85") or body.volume_id != volume_id
    call.enforce(f"{POLICY}:swap" if swap else f"{POLICY}:update")
    given = {"id": body.id, "serverId": body.server_id, "device": body.device, "tag": body.tag}

    def work(tx: Transaction) -> None:
        if call.at_least("2.85"):
            wanted = body.delete_on_termination
            volume_attachments.update(
                tx,
                call.context,
                server_id,
                volume_id,
                delete_on_termination=None if isinstance(wanted, UnsetType) else _truth(wanted),
                same={name: value for name, value in given.items() if not isinstance(value, UnsetType)},
            )
        else:
            servers.get(tx, call.context, server_id)
        if swap:
            volume_attachments.refuse_swap(tx, call.context, server_id, volume_id, body.volume_id)

    await call.write(work)


async def delete(call: Call, server_id: str, volume_id: str) -> None:
    """Promise to detach a volume."""

    def work(tx: Transaction) -> None:
        _check_shelved(tx, call, server_id, "detach_volume")
        server, action_id, _ = volume_attachments.detach(tx, call.context, server_id, volume_id)
        call.begin(tx, DetachVolume(server_id=server.id, action_id=action_id, volume_id=volume_id))

    await call.write(work)


def _check_shelved(tx: Transaction, call: Call, server_id: str, method: str) -> None:
    """Before 2.20 volumes stayed as they were on shelved servers."""
    server = servers.get(tx, call.context, server_id)
    if server.vm_state in SHELVED and not call.at_least("2.20"):
        raise Conflict(f"Cannot '{method}' instance {server_id} while it is in vm_state {server.vm_state}")


def _truth(value: bool | str) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return truth(value)
    except Invalid as error:
        raise Invalid(
            f"Invalid input for field/attribute delete_on_termination. Value: {value}. {value!r} is not a boolean"
        ) from error


ALL, ONE = "/servers/{server_id}/os-volume_attachments", "/servers/{server_id}/os-volume_attachments/{volume_id}"
routes = [
    Get(ALL, index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN),
    Post(ALL, create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN, status={"2.1": 200, "2.101": 202}),
    Get(ONE, show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
    Put(
        ONE,
        update,
        policy=None,
        extra=((f"{POLICY}:swap", SWAP), (f"{POLICY}:update", PROJECT_MEMBER_OR_ADMIN)),
        status=202,
    ),
    Delete(ONE, delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN, status=202),
]
