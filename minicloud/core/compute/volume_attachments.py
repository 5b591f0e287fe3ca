"""Volumes of servers: how one is asked for, what forbids it, and how a server lets go of one."""

from collections.abc import Collection

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute import block_devices, disk_rules, lifecycle, servers
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.compute.disk_rules import ANY, DiskRules
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.core.volume import attachments, old_attachments, snapshots, volumes
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction


def attach(
    tx: Transaction,
    context: Context,
    server_id: str,
    volume_id: str,
    *,
    device: str | None = None,
    tag: str | None = None,
    delete_on_termination: bool = False,
    multiattach: bool = True,
    rules: DiskRules = ANY,
) -> tuple[Server, int, BlockDevice]:
    """One more volume for a server, which is reserved for it: the server, the id of the action, the device.

    Args:
        multiattach: whether the caller knows that a volume may be on several servers.
        rules: what the administrator allows.

    Raises:
        NotFound, Conflict, Invalid, Forbidden: in Nova's words.
    """
    server, action_id = servers.take(tx, context, server_id, "attach_volume")
    volume = volumes.get(tx, context, volume_id)
    if server.host is not None:
        # As in Nova, it is hosts that have only so many disks for a server.
        disk_rules.check_count(tx, rules, server, more=1)
    check_free(tx, server.id, volume)
    disk_rules.check_attach(rules, server, volume)
    if volume.multiattach and not multiattach:
        raise Invalid("Volume multiattach is only supported starting with compute API version 2.60.")
    try:
        attachment = attachments.reserve(tx, volume, server.id)
    except Invalid as error:
        raise Invalid(f"Invalid input received: {error.message}") from error
    made = BlockDevice(
        id=tx.ids.uuid(),
        server_id=server.id,
        source_type="volume",
        source_id=volume.id,
        volume_id=volume.id,
        attachment_id=attachment.id,
        device_name=block_devices.device_name(tx, server, device),
        tag=tag,
        delete_on_termination=delete_on_termination,
        created_at=tx.now,
    )
    return server, action_id, records.insert(tx, made)


def check_free(tx: Transaction, server_id: str, volume: Volume) -> None:
    """Raises Invalid when another server has a volume that only one may have, or this server has it already."""
    known = [device.server_id for device in block_devices.of_volume(tx, volume.id)]
    if known and not volume.multiattach:
        raise volumes.refused(f"volume {volume.id} is already attached to instances: {' '.join(known)}")
    if server_id in known:
        raise volumes.refused(f"volume {volume.id} already attached")


def detach(tx: Transaction, context: Context, server_id: str, volume_id: str) -> tuple[Server, int, BlockDevice]:
    """A server is to lose a volume. Raises NotFound, Conflict, Invalid in Nova's words."""
    volume = volumes.get(tx, context, volume_id)
    device = block_devices.get(tx, servers.get(tx, context, server_id).id, volume_id)
    if device.is_root:
        raise Invalid("Cannot detach a root device volume")
    server, action_id = servers.take(tx, context, server_id, "detach_volume")
    try:
        old_attachments.begin_detaching(tx, volume)
    except Invalid as error:
        raise Invalid(f"Invalid volume: Invalid input received: {error.message}") from error
    return server, action_id, device


def update(
    tx: Transaction,
    context: Context,
    server_id: str,
    volume_id: str,
    *,
    delete_on_termination: bool | None,
    same: dict[str, str | None],
) -> BlockDevice:
    """Whether the volume goes with the server. Raises NotFound; Invalid for ``same`` values that are other than they are."""
    server = servers.get(tx, context, server_id)
    device = block_devices.get(tx, server.id, volume_id)
    known = {"id": volume_id, "serverId": server.id, "device": device.device_name, "tag": device.tag}
    for name, value in same.items():
        if value != known[name]:
            raise Invalid(f"The {name} property is not mutable")
    if delete_on_termination is None:
        return device
    return records.change(tx, device, delete_on_termination=delete_on_termination, updated_at=tx.now)


def connected(tx: Transaction, server: Server, device: BlockDevice, place: attachments.Place) -> None:
    """The server's host knows how it reaches the volume. Raises NotFound, Conflict."""
    attachment = None if device.attachment_id is None else attachments.find(tx, device.attachment_id)
    if attachment is None:
        raise NotFound(f"Volume {device.volume_id} is no longer reserved for instance {server.id}")
    connector = {
        "host": server.host or "",
        "mountpoint": device.device_name,
        "platform": "x86_64",
        "os_type": "linux",
        "multipath": False,
    }
    attachments.connect(tx, attachment, connector, place)


def completed(tx: Transaction, device: BlockDevice, *, host: str | None = None) -> None:
    """The server has the volume, on this host if it was not known before. Raises NotFound."""
    attachment = None if device.attachment_id is None else attachments.find(tx, device.attachment_id)
    if attachment is None:
        raise NotFound(f"Volume {device.volume_id} is no longer reserved for instance {device.server_id}")
    attachments.complete(tx, attachment, mountpoint=device.device_name, host=host)


def let_go(tx: Transaction, device: BlockDevice) -> None:
    """The server does not have the volume any more, which is free for others; content when it had not."""
    attachment = None if device.attachment_id is None else attachments.find(tx, device.attachment_id)
    if attachment is not None:
        attachments.release(tx, attachment)
    block_devices.forget(tx, device)


def kept(tx: Transaction, device: BlockDevice) -> None:
    """The server keeps the volume that it was to lose."""
    volume = None if device.volume_id is None else volumes.find(tx, device.volume_id)
    if volume is not None:
        old_attachments.roll_detaching(tx, volume)


_SWAP = lifecycle.ServerAction(
    name="swap_volume",
    word="swap_volume",
    vm_states=frozenset({lifecycle.ACTIVE, lifecycle.PAUSED, lifecycle.RESIZED}),
    claims=None,
    saga="",
    event="compute_swap_volume",
)


def refuse_swap(tx: Transaction, context: Context, server_id: str, volume_id: str, other_id: str) -> None:
    """Another volume in a volume's place is for block storage alone to ask for, and that of this cloud moves volumes without one.

    Always raises, in Nova's words and order: NotFound (the volume), Conflict, Invalid (the other volume, or what it is).
    """
    volume = volumes.get(tx, context, volume_id)
    if volume.migration_status is None:
        raise Conflict(f"volume {volume_id} is not migrating; this API should only be called by Cinder")
    try:
        other = volumes.get(tx, context, other_id)
    except NotFound as error:
        raise Invalid(error.message) from error
    server = servers.get(tx, context, server_id)
    if server.locked and not context.is_admin:
        raise Conflict(f"Instance {server_id} is locked")
    lifecycle.check(_SWAP, server_id, server.vm_state, server.task_state)
    if attachments.of_server(tx, server_id, volume_id) is None:
        raise Invalid("Invalid volume: Old volume is attached to a different instance.")
    if other.attach_status == volumes.ATTACHED:
        raise Invalid("Invalid volume: New volume must be detached in order to swap.")
    if other.size < volume.size:
        raise Invalid("Invalid volume: New volume must be the same size or larger.")
    raise Conflict(
        f"volume {volume_id} cannot be swapped for {other_id}: block storage of this cloud moves a volume under its own id, and has no "
        "other one that is the target of its migration"
    )


def doomed(tx: Transaction, server_id: str) -> list[Volume]:
    """The volumes that go with a server: nobody else has them, and nothing was frozen of them."""
    wanted = [d.volume_id for d in block_devices.of_server(tx, server_id) if d.delete_on_termination and d.volume_id]
    found = []
    for volume in volumes.find_many(tx, wanted).values():
        others = [a for a in attachments.of_volume(tx, volume.id) if a.server_id != server_id]
        if not others and not snapshots.of_volume(tx, volume.id):
            found.append(volume)
    return found


def release_all(tx: Transaction, server_id: str, *, left: Collection[str]) -> None:
    """A server is no more: volumes that went with it are gone, the others are free.

    Args:
        left: volumes whose files could not be removed: they say so.
    """
    going = {volume.id for volume in doomed(tx, server_id)}
    for device in block_devices.of_server(tx, server_id):
        let_go(tx, device)
        volume = None if device.volume_id is None else volumes.find(tx, device.volume_id)
        if volume is None or volume.id not in going:
            continue
        if volume.id in left:
            volumes.change(tx, volume, status=volumes.ERROR_DELETING)
        else:
            volumes.forget(tx, volume)
