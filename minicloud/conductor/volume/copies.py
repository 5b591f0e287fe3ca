"""Volumes that guests are writing to: their host copies what they hold at one moment, as no backend could freeze them."""

from minicloud.agent import calls, volume_calls
from minicloud.base import trace
from minicloud.base.errors import Conflict, NotFound
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.world import World
from minicloud.core.compute import block_devices, hosts, servers
from minicloud.engines.database import Transaction

COPY_S = 3600.0


def users_of(tx: Transaction, volume_id: str) -> list[tuple[str, str]]:
    """The servers that have a volume, with their hosts."""
    found = []
    for device in block_devices.of_volume(tx, volume_id):
        server = servers.find(tx, device.server_id)
        if server is not None and not server.deleted and server.host is not None:
            found.append((server.id, server.host))
    return found


async def ensure_copied(world: World, backend: str, volume_id: str, copy_id: str) -> bool:
    """What a volume holds is in the file on which ``copy_id`` shall stand; False when no guest writes to it.

    Raises Failed (no room), Unavailable: a host that does not beat may have a guest that writes.
    """
    for server_id, host in await world.database.read(lambda tx: users_of(tx, volume_id)):
        try:
            await world.agents.ask(host, calls.EnsureDiskNotCopied(server_id=server_id, disk_id=volume_id))
            file = await ask(world, backend, volume_calls.PrepareCopy(copy_id=copy_id, volume_id=volume_id))
            message = calls.EnsureDiskCopied(server_id=server_id, disk_id=volume_id, path=file.path)
            await world.agents.ask(host, message, timeout_s=COPY_S)
        except (Conflict, NotFound) as error:
            trace.note("copied_when_off", server=server_id, volume=volume_id, why=error.message)
        else:
            return True
    return False


async def ensure_not_copied(world: World, volume_id: str) -> None:
    """No guest's host copies the volume any more; one that is down copies nothing."""
    for server_id, host in await world.database.read(lambda tx: users_of(tx, volume_id)):
        if await world.servicegroup.is_up(hosts.member(host)):
            await world.agents.ask(host, calls.EnsureDiskNotCopied(server_id=server_id, disk_id=volume_id))
