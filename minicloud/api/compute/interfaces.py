"""The network cards of a server (``/servers/{id}/os-interface``)."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.compute.words import Tag, check_address
from minicloud.api.microversions import NotNull, Since
from minicloud.api.routes import Delete, Get, Post
from minicloud.base.errors import CloudError, Conflict, Failed, Invalid, NotFound, Unavailable
from minicloud.conductor.compute.attach_interface import AttachInterface
from minicloud.conductor.compute.detach_interface import DetachInterface
from minicloud.core.compute import interfaces
from minicloud.core.compute.servers import Server
from minicloud.core.network import ports
from minicloud.core.network.ports import PortDetails
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-attach-interfaces"
EXTERNAL = "network:attach_external_network"
PATIENCE_S = 30.0


async def index(call: Call, server_id: str) -> Any:
    """All cards."""
    queries.only(call, since="2.102")
    server, found = await call.read(lambda tx: interfaces.of_server(tx, call.context, server_id))
    return {"interfaceAttachments": [_view(call, server, one) for one in found]}


async def show(call: Call, server_id: str, port_id: str) -> Any:
    """One card."""
    queries.only(call, since="2.102")
    server, found = await call.read(lambda tx: interfaces.get(tx, call.context, server_id, port_id))
    return {"interfaceAttachment": _view(call, server, found)}


class FixedAddress(Body):
    """An address that the new card shall have."""

    ip_address: str


class Attachment(Body):
    """What to attach: a port, or a card on a network, or one on the only network there is."""

    net_id: UUID | None = None
    port_id: Annotated[UUID | None, NotNull()] = None
    fixed_ips: Annotated[Annotated[list[FixedAddress], msgspec.Meta(min_length=1, max_length=1)] | None, NotNull()] = (
        None
    )
    tag: Annotated[Tag | None, Since("2.49"), NotNull()] = None


class AttachmentBody(Body):
    """The request; it may be empty, or left out."""

    attachment: Annotated[Attachment | None, NotNull()] = msgspec.field(name="interfaceAttachment", default=None)


async def create(call: Call, server_id: str, body: AttachmentBody) -> Any:
    """Attach a card. The answer waits until the guest has it, as the real service's does; a guest that is slow has it later."""
    wanted = body.attachment or Attachment()
    address = wanted.fixed_ips[0].ip_address if wanted.fixed_ips else None
    if address is not None:
        check_address(address, "ip_address")
    if wanted.net_id is not None and wanted.port_id is not None:
        raise Invalid("Must not input both network_id and port_id")
    if address is not None and wanted.net_id is None:
        raise Invalid("Must input network_id when request IP address")

    def work(tx: Transaction) -> tuple[Server, PortDetails, str]:
        server, action_id, port = interfaces.attach(
            tx,
            call.context,
            server_id,
            network_id=wanted.net_id,
            port_id=wanted.port_id,
            address=address,
            tag=wanted.tag,
            external_networks=call.allows(EXTERNAL),
        )
        saga = AttachInterface(server_id=server.id, action_id=action_id, port_id=port.id)
        return server, ports.details(tx, [port])[0], call.begin(tx, saga)

    server, made, saga_id = await call.write(work)
    failure = await call.means.executor.failure(saga_id, seconds=PATIENCE_S)
    if failure is not None:
        raise _told(server.id, failure) from failure
    server, made = await call.read(lambda tx: interfaces.get(tx, call.context, server.id, made.port.id))
    return {"interfaceAttachment": _view(call, server, made)}


def _told(server_id: str, failure: CloudError) -> CloudError:
    """What a caller is told: of a server that went away, or whose host is silent, just that; all else is the guest's refusal."""
    if failure.kind == "deleting":
        return Conflict(f"Cannot 'attach_interface' instance {server_id} while it is in task_state deleting")
    if isinstance(failure, NotFound | Unavailable):
        return failure
    return Failed(f"Failed to attach network adapter device to {server_id}")


async def delete(call: Call, server_id: str, port_id: str) -> None:
    """Promise to detach a card."""

    def work(tx: Transaction) -> None:
        server, action_id = interfaces.detach(tx, call.context, server_id)
        call.begin(tx, DetachInterface(server_id=server.id, action_id=action_id, port_id=port_id))

    await call.write(work)


def _view(call: Call, server: Server, details: PortDetails) -> dict[str, Any]:
    port = details.port
    document: dict[str, Any] = {
        "net_id": port.network_id,
        "port_id": port.id,
        "mac_addr": port.mac_address,
        "port_state": port.status,
        "fixed_ips": [{"subnet_id": fixed.subnet_id, "ip_address": fixed.ip_address} for fixed in details.fixed_ips],
    }
    if call.at_least("2.70"):
        document["tag"] = server.nic_tags.get(port.id)
    return document


routes = [
    Get("/servers/{server_id}/os-interface", index, policy=f"{POLICY}:list", allow=PROJECT_READER_OR_ADMIN),
    Get("/servers/{server_id}/os-interface/{port_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN),
    Post(
        "/servers/{server_id}/os-interface",
        create,
        policy=f"{POLICY}:create",
        allow=PROJECT_MEMBER_OR_ADMIN,
        status=200,
        optional_body=True,
        extra=[(EXTERNAL, ADMIN)],
    ),
    Delete(
        "/servers/{server_id}/os-interface/{port_id}",
        delete,
        policy=f"{POLICY}:delete",
        allow=PROJECT_MEMBER_OR_ADMIN,
        status=202,
    ),
]
