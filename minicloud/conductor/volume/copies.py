"""Volumes that guests are writing to: their host copies what they hold at one moment, as no backend could freeze them."""

from collections.abc import Iterable, Sequence

import msgspec

from minicloud.agent import calls, volume_calls
from minicloud.base import trace
from minicloud.base.errors import Conflict, NotFound
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.world import World
from minicloud.core.compute import block_devices, hosts, lifecycle, servers
from minicloud.engines.database import Transaction

COPY_S = 3600.0
_LIE_STILL = (lifecycle.STOPPED, lifecycle.SUSPENDED, lifecycle.SOFT_DELETED, lifecycle.SHELVED_OFFLOADED)


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that is wanted: of this volume on this backend (``machine@driver#pool``), for this snapshot or clone."""

    backend: str
    volume_id: str
    copy_id: str


def users_of(tx: Transaction, volume_id: str) -> list[tuple[str, str]]:
    """The servers that have a volume, with their hosts."""
    found = []
    for device in block_devices.of_volume(tx, volume_id):
        server = servers.find(tx, device.server_id)
        if server is not None and not server.deleted and server.host is not None:
            found.append((server.id, server.host))
    return found


def check_one_writer(tx: Transaction, volume_ids: Iterable[str]) -> None:
    """All that may write to these volumes is one server, whose disks are copied at one moment. Raises Conflict."""
    writers = set()
    for volume_id in volume_ids:
        for server_id, _ in users_of(tx, volume_id):
            server = servers.find(tx, server_id)
            if server is not None and server.vm_state not in _LIE_STILL:
                writers.add(server_id)
    if len(writers) > 1:
        raise Conflict(
            f"Several servers write to these volumes ({', '.join(sorted(writers))}); only those of one server can be kept as "
            "they are at one moment. Stop the others, or detach their volumes.",
            kind="writers",
        )


async def ensure_copied(world: World, backend: str, volume_id: str, copy_id: str) -> bool:
    """What a volume holds is in the file on which ``copy_id`` shall stand; False when no guest writes to it.

    Raises as ``ensure_all_copied``.
    """
    return bool(await ensure_all_copied(world, [Copy(backend=backend, volume_id=volume_id, copy_id=copy_id)]))


async def ensure_all_copied(world: World, wanted: Sequence[Copy]) -> set[str]:
    """What the volumes hold is in the files on which the copies shall stand; the ids of those to which guests write.

    Those of one server are all copied as they are at the same moment.

    Raises Failed (no room), Unavailable: a host that does not beat may have a guest that writes.
    """
    using = await world.database.read(lambda tx: _by_user(tx, wanted))
    done: set[str] = set()
    for (server_id, host), copies in using.items():
        left = [copy for copy in copies if copy.volume_id not in done]
        try:
            paths = {}
            for copy in left:
                await world.agents.ask(host, calls.EnsureDiskNotCopied(server_id=server_id, disk_id=copy.volume_id))
                message = volume_calls.PrepareCopy(copy_id=copy.copy_id, volume_id=copy.volume_id)
                paths[copy.volume_id] = (await ask(world, copy.backend, message)).path
            if paths:
                await world.agents.ask(
                    host, calls.EnsureDisksCopied(server_id=server_id, paths=paths), timeout_s=COPY_S
                )
        except (Conflict, NotFound) as error:
            for copy in left:
                trace.note("copied_when_off", server=server_id, volume=copy.volume_id, why=error.message)
        else:
            done |= set(paths)
    return done


def _by_user(tx: Transaction, wanted: Sequence[Copy]) -> dict[tuple[str, str], list[Copy]]:
    found: dict[tuple[str, str], list[Copy]] = {}
    for copy in wanted:
        for user in users_of(tx, copy.volume_id):
            found.setdefault(user, []).append(copy)
    return found


async def ensure_not_copied(world: World, volume_id: str) -> None:
    """No guest's host copies the volume any more; one that is down copies nothing."""
    for server_id, host in await world.database.read(lambda tx: users_of(tx, volume_id)):
        if await world.servicegroup.is_up(hosts.member(host)):
            await world.agents.ask(host, calls.EnsureDiskNotCopied(server_id=server_id, disk_id=volume_id))
