"""Shelved servers: the image that has their disk while no host has it, and asking for a shelf or to be taken from one."""

from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.base import trace
from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute import block_devices, disk_rules, hosts, lifecycle, moves, server_images, servers
from minicloud.core.compute.disk_rules import ANY, DiskRules
from minicloud.core.compute.servers import Server, ServerImage
from minicloud.core.context import Context
from minicloud.core.image import images
from minicloud.core.image.images import Image
from minicloud.core.volume import volumes
from minicloud.engines.database import Transaction


class ServerShelf(records.Record, kw_only=True):
    """A shelved server's image."""

    TABLE = "server_shelves"
    KEY: ClassVar[tuple[str, ...]] = ("server_id",)

    server_id: str
    image_id: str
    shelved_at: str


def ask(tx: Transaction, context: Context, server_id: str) -> tuple[Server, Server, int, Image | None]:
    """Take a server to be shelved: as it was, as it is now, the action's id, the image to be: None for one that boots from a
    volume, which keeps everything. Raises NotFound, Conflict."""
    before = servers.get(tx, context, server_id)
    server, action_id = servers.take(tx, context, server_id, "shelve")
    if server.image_id is None:
        return before, server, action_id, None
    image = server_images.add(tx, context, server, f"{server.name}-shelved", "snapshot", {})
    return before, server, action_id, image


def put(tx: Transaction, server_id: str, image_id: str) -> None:
    """The server is shelved, and this image has its disk."""
    take_down(tx, server_id)
    records.insert(tx, ServerShelf(server_id=server_id, image_id=image_id, shelved_at=tx.now))


def take_down(tx: Transaction, server_id: str) -> str | None:
    """The server is shelved no more; the image that had its disk is deleted, and its id told so that its bytes can go."""
    shelf = records.find(tx, ServerShelf, server_id)
    if shelf is None:
        return None
    records.remove(tx, shelf)
    image = records.find(tx, Image, shelf.image_id)
    if image is None or image.deleted:
        return None
    try:
        images.delete(tx, image)
    except Forbidden as error:
        trace.note("image_kept", image=image.id, why=error.message)
        return None
    return image.id


def image_of(tx: Transaction, server: Server) -> ServerImage:
    """The server's image with the disk from its shelf; its own for one that boots from a volume. Raises NotFound in Nova's words."""
    if server.image_id is None:
        return server.image_properties
    shelf = records.find(tx, ServerShelf, server.id)
    image = None if shelf is None else records.find(tx, Image, shelf.image_id)
    if image is None or image.deleted or image.status != images.ACTIVE:
        wanted = "" if shelf is None else shelf.image_id
        raise NotFound(f"Unshelve attempted but the image {wanted} cannot be found.", kind="shelved_image")
    return msgspec.structs.replace(
        server.image_properties,
        blob=image.id,
        checksum=image.os_hash_value or "",
        format=image.disk_format or "qcow2",
        size=image.size or 0,
    )


def overdue(tx: Transaction, before: str) -> list[Server]:
    """Servers without a task that were shelved before this moment and still lie on their hosts."""
    found = records.select(
        tx,
        Server,
        "deleted = 0 AND task_state IS NULL AND vm_state = ? AND id IN "
        "(SELECT server_id FROM server_shelves WHERE shelved_at < ?) ORDER BY id",
        [lifecycle.SHELVED, before],
    )
    return list(found)


def ask_down(
    tx: Transaction,
    context: Context,
    server_id: str,
    *,
    zone: str | UnsetType | None = UNSET,
    host: str | None = None,
    rules: DiskRules = ANY,
) -> tuple[Server, int]:
    """Take a server to be unshelved, in another zone (None: in any) or on a host. Raises NotFound, Conflict, Invalid."""
    server, action_id = servers.take(tx, context, server_id, "unshelve")
    if zone is UNSET and host is None:
        return server, action_id
    if server.vm_state != lifecycle.SHELVED_OFFLOADED:
        raise Conflict(
            f'Specifying an availability zone or a host when unshelving server "{server_id}" with status '
            f'"{server.vm_state}" is not supported. The server status must be SHELVED_OFFLOADED.'
        )
    changes: dict[str, Any] = {}
    if zone is not UNSET:
        if zone and not hosts.zone_offered(tx, zone):
            raise Invalid("The requested availability zone is not available")
        if zone:
            having = [device.volume_id or "" for device in block_devices.of_servers(tx, [server.id]).get(server.id, [])]
            disk_rules.check_unshelve(rules, zone, volumes.find_many(tx, having).values())
        changes["requested_zone"] = zone or None
    expected = changes.get("requested_zone", server.requested_zone)
    if host is not None:
        moves.require_host(tx, host)
        service = hosts.service_of(tx, host)
        if expected is not None and (service is None or service.zone != expected):
            raise Conflict(f'Host "{host}" is not in the availability zone "{expected}".')
    return (records.change(tx, server, **changes) if changes else server), action_id
