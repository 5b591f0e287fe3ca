"""Begin a server anew from an image: other disks, and the same id, addresses and place."""

from minicloud.agent import calls
from minicloud.base.errors import NotFound
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import TakenServer, give_back_in_error, host_of, keep
from minicloud.conductor.compute.wired import ensure_wired
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.volume import reimage_volume
from minicloud.conductor.world import World
from minicloud.core.compute import hosts, lifecycle, servers
from minicloud.core.scheduler import asking, moving
from minicloud.core.volume import volumes
from minicloud.engines.database import Transaction

EPHEMERAL_FILES = ("disk.eph0", "disk.eph1", "disk.eph2")
"""What hosts call the blank disks beside the root disk; there are never more."""


class RebuildServer(TakenServer):
    """A server that was off is off afterwards. One whose rebuild failed is in ERROR; it has its old disks, or none any more.

    ``other_image``: its host is asked again whether it may run that. ``kept`` are disks that outlast the rebuild. ``reimaged`` is
    the volume that it boots from, which was taken (``downloading``) to be made of the image ``reimaged_with``.
    """

    was: str = lifecycle.ACTIVE
    other_image: bool = False
    kept: list[str] = []
    reimaged: str | None = None
    reimaged_with: str | None = None

    @classmethod
    def steps(cls) -> Steps["RebuildServer"]:
        return [
            Step("claim", record=keep, unrecord=give_all_back_in_error),
            Step("place", record=place_again),
            Step("wire", act=ensure_wired),
            Step("destroy", act=ensure_gone),
            Step("reimage", act=ensure_reimaged, record=publish_volume, unrecord=spoil_volume),
            Step("spawn", act=ensure_running, undo=ensure_nothing),
            Step("settle", act=ensure_power, record=mark_rebuilt),
        ]


def place_again(tx: Transaction, saga: RebuildServer, world: World) -> None:
    """The server's own host passes the filters with the new image, too, and is claimed as before. Raises NoValidHost."""
    server = servers.living(tx, saga.server_id)
    if not saga.other_image or server.host is None:
        return
    asking.free(tx, server.id)
    choice = moving.choose(
        tx,
        world.placement,
        server,
        destination=server.host,
        is_up=hosts.up_unless(world.servicegroup.down),
        options=world.scheduler,
        known=world.known_hosts,
    )
    asking.claim(tx, server, choice)


async def ensure_gone(saga: RebuildServer, world: World) -> None:
    """The guest is off, having been asked to, and its disks are gone; the ports stay."""
    host, grace_s = await host_of(saga, world), world.options.shutdown_timeout
    try:
        message = calls.EnsureServerShutdown(server_id=saga.server_id, grace_s=grace_s)
        await world.agents.ask(host, message, timeout_s=grace_s + 60)
    except NotFound:
        # The host never made the machine, or this was done before.
        pass
    await world.agents.ask(host, calls.EnsureServerGone(server_id=saga.server_id, kept=saga.kept))


def give_all_back_in_error(tx: Transaction, saga: RebuildServer, world: World) -> None:
    """The server is in ERROR; its volume, if nobody has touched that, is what it was."""
    if saga.reimaged is not None:
        volumes.settle(tx, saga.reimaged, [volumes.DOWNLOADING], status=volumes.IN_USE)
    give_back_in_error(tx, saga, world)


async def ensure_reimaged(saga: RebuildServer, world: World) -> None:
    """The volume that the server boots from stands on the image, where that is asked for."""
    if saga.reimaged is not None and saga.reimaged_with is not None:
        await reimage_volume.ensure_image(world, saga.reimaged, saga.reimaged_with)


def publish_volume(tx: Transaction, saga: RebuildServer, world: World) -> None:
    """The volume tells its new image."""
    if saga.reimaged is not None and saga.reimaged_with is not None:
        reimage_volume.settle(tx, saga.reimaged, saga.reimaged_with, volumes.IN_USE)


def spoil_volume(tx: Transaction, saga: RebuildServer, world: World) -> None:
    """Nobody knows what the volume holds."""
    if saga.reimaged is not None:
        reimage_volume.spoil(tx, saga, saga.reimaged)


async def ensure_running(saga: RebuildServer, world: World) -> None:
    """The guest runs from the image."""
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    await world.agents.ask(await host_of(saga, world), calls.EnsureServer(server=spec), timeout_s=600)


async def ensure_nothing(saga: RebuildServer, world: World) -> None:
    """Nothing half-made is left on the host: the next rebuild or hard reboot makes it from the image."""
    await asked_if_up(saga, world, calls.EnsureServerGone(server_id=saga.server_id))


async def ensure_power(saga: RebuildServer, world: World) -> None:
    """A server that was off is off again."""
    if saga.was == lifecycle.STOPPED:
        message = calls.EnsureServerShutdown(server_id=saga.server_id, grace_s=0)
        await world.agents.ask(await host_of(saga, world), message)


def mark_rebuilt(tx: Transaction, saga: RebuildServer, world: World) -> None:
    """It is there, as new."""
    off = saga.was == lifecycle.STOPPED
    servers.settle(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        vm_state=lifecycle.STOPPED if off else lifecycle.ACTIVE,
        power_state=lifecycle.SHUTDOWN if off else lifecycle.RUNNING,
        launched_at=tx.now,
        fault=None,
    )
