"""What the sagas about one volume of a server share: the server goes on meanwhile, and no task of it is claimed, as in Nova."""

from minicloud.agent import calls
from minicloud.base.errors import Conflict, NotFound, from_facts
from minicloud.conductor.compute import volume_disks
from minicloud.conductor.compute.carded import host_of, unless_deleting
from minicloud.conductor.step import Saga
from minicloud.conductor.volume.places import place_of
from minicloud.conductor.world import World
from minicloud.core.compute import actions, block_devices, servers, volume_attachments
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.compute.servers import Server
from minicloud.core.volume import attachments, volumes
from minicloud.core.volume.attachments import Place
from minicloud.engines.database import Transaction

ATTACH_S = 60.0
DETACH_S = 60.0
"""Seconds that a guest has to let go of a disk."""


class VolumedServer(Saga):
    """A volume of a server. ``place`` is learned on the way: where the volume lies."""

    server_id: str
    action_id: int
    volume_id: str
    place: Place | None = None

    @property
    def about(self) -> str:
        return self.server_id


def device_of(tx: Transaction, saga: VolumedServer) -> BlockDevice | None:
    """How the server has the volume."""
    return block_devices.find(tx, saga.server_id, saga.volume_id)


def disk_of(tx: Transaction, saga: VolumedServer) -> tuple[Server, calls.Disk]:
    """The server and the volume as its disk. Raises NotFound, Conflict."""
    server = unless_deleting(tx, saga)
    device = block_devices.get(tx, saga.server_id, saga.volume_id)
    attachment = None if device.attachment_id is None else attachments.find(tx, device.attachment_id)
    if attachment is None or not attachment.connection_info:
        raise NotFound(f"Volume {saga.volume_id} is not connected to instance {saga.server_id}")
    return server, volume_disks.disk(server, device, attachment)


async def ensure_located(saga: VolumedServer, world: World) -> None:
    """The volume's backend has said where it lies."""
    volume = await world.database.read(lambda tx: volumes.existing(tx, saga.volume_id))
    saga.place = await place_of(world, volume)


async def ensure_attached(saga: VolumedServer, world: World) -> None:
    """The guest has the disk, or will have it when it is started; a server without a host, when it is unshelved."""
    server, disk = await world.database.read(lambda tx: disk_of(tx, saga))
    if server.host is None:
        return
    message = calls.EnsureDiskAttached(server_id=server.id, disk=disk)
    try:
        await world.agents.ask(await host_of(saga, world), message, timeout_s=ATTACH_S)
    except NotFound:
        # A machine that its host never made is started with it.
        await world.database.read(lambda tx: unless_deleting(tx, saga))


async def ensure_detached(saga: VolumedServer, world: World) -> None:
    """The guest has no such disk; a machine that its host never made has none. Raises TimedOut when it does not let go."""
    server = await world.database.read(lambda tx: unless_deleting(tx, saga))
    if server.host is None:
        return
    message = calls.EnsureDiskDetached(server_id=saga.server_id, disk_id=saga.volume_id, timeout_s=DETACH_S)
    try:
        await world.agents.ask(await host_of(saga, world), message, timeout_s=DETACH_S + 30)
    except NotFound:
        await world.database.read(lambda tx: unless_deleting(tx, saga))


def finish(tx: Transaction, saga: VolumedServer, *, failed: bool = False) -> None:
    """The record of the action says how it ended."""
    server = servers.find(tx, saga.server_id)
    error = None
    if failed:
        error = (from_facts(saga.failed) if saga.failed is not None else Conflict("It was rolled back")).message
    actions.finish(tx, saga.action_id, host=None if server is None else server.host, error=error)


def let_go(tx: Transaction, saga: VolumedServer) -> None:
    """The server does not have the volume."""
    device = device_of(tx, saga)
    if device is not None:
        volume_attachments.let_go(tx, device)
