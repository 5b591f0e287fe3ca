"""Shelve a server: it is stopped and its disk becomes an image; offload it: its host forgets it, and it takes no room any more."""

from minicloud.agent import calls
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.imaged import (
    ImagedServer,
    begin_upload,
    ensure_no_blob,
    ensure_no_snapshot,
    ensure_snapshot,
    ensure_uploaded,
    finish_upload,
    give_up,
)
from minicloud.conductor.compute.specs import server_spec
from minicloud.conductor.compute.taken import TakenServer, advance, give_back, host_of, keep, while_taken
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import actions, lifecycle, servers, shelves
from minicloud.core.network import ports
from minicloud.core.scheduler import asking
from minicloud.core.volume import attachments
from minicloud.engines.database import Transaction


class ShelveServer(ImagedServer, kw_only=True):
    """``image_id`` waits for the disk; ``was`` is the state before. ``offload``: its host forgets it at once."""

    was: str
    offload: bool
    host: str | None = None

    @classmethod
    def steps(cls) -> Steps["ShelveServer"]:
        return [
            Step("claim", record=keep, unrecord=give_up),
            Step("power_off", act=ensure_off, record=mark_pending, undo=ensure_as_it_was),
            Step("snapshot", act=ensure_snapshot, record=mark_uploading, undo=ensure_no_snapshot),
            Step("upload", act=ensure_uploaded, undo=ensure_no_blob),
            Step("publish", act=ensure_no_snapshot, record=mark_shelved),
            # The image has everything now: nothing is lost if the host is cleaned late.
            Step("offload", act=ensure_gone, record=mark_offloaded, final=True),
        ]


class OffloadServer(TakenServer, kw_only=True):
    """From SHELVED to SHELVED_OFFLOADED; or at once from what it ``was``, for a server that boots from a volume and needs no image."""

    offload: bool = True
    host: str | None = None
    was: str = lifecycle.SHELVED

    @classmethod
    def steps(cls) -> Steps["OffloadServer"]:
        return [
            Step("claim", record=find_host, unrecord=give_back),
            Step("power_off", act=ensure_off_if_up, undo=ensure_as_it_was),
            Step("offload", act=ensure_gone, record=mark_offloaded, final=True),
        ]


def find_host(tx: Transaction, saga: OffloadServer, world: World) -> None:
    """The server is still taken for this, and this is its host."""
    keep(tx, saga, world)
    saga.host = servers.living(tx, saga.server_id).host


async def ensure_off_if_up(saga: OffloadServer, world: World) -> None:
    """As ``ensure_off``, on a host that can be asked."""
    if saga.was != lifecycle.SHELVED and saga.host is not None and await moved.is_up(saga.host, world):
        await ensure_off(saga, world)


async def ensure_off(saga: ShelveServer | OffloadServer, world: World) -> None:
    """The guest is off, having been asked to unless it stood still."""
    host = await host_of(saga, world)
    grace_s = world.options.shutdown_timeout if saga.was == lifecycle.ACTIVE else 0
    await while_taken(saga, world, lambda: moved.ensure_off(host, saga.server_id, world, grace_s=grace_s))


async def ensure_as_it_was(saga: ShelveServer | OffloadServer, world: World) -> None:
    """A guest that ran runs again; what stood still in memory is lost, and its power is seen to be off."""
    server = await world.database.read(lambda tx: moved.still_there(tx, saga.server_id))
    if server is not None and saga.was == lifecycle.ACTIVE and server.task_state != "deleting":
        spec = await world.database.read(lambda tx: server_spec(tx, server))
        await asked_if_up(saga, world, calls.EnsureServer(server=spec), timeout_s=600)


def mark_pending(tx: Transaction, saga: ShelveServer, world: World) -> None:
    """It is off, and waits for its snapshot."""
    server = advance(tx, saga, "shelving_image_pending_upload", power_state=lifecycle.SHUTDOWN)
    saga.host = server.host


def mark_uploading(tx: Transaction, saga: ShelveServer, world: World) -> None:
    """The image waits for the bytes."""
    server = advance(tx, saga, "shelving_image_uploading")
    begin_upload(tx, saga, server)


def mark_shelved(tx: Transaction, saga: ShelveServer, world: World) -> None:
    """The image may be used, and has the server's disk."""
    finish_upload(tx, saga)
    shelves.put(tx, saga.server_id, saga.image_id)
    if saga.offload:
        advance(tx, saga, "shelving_offloading", vm_state=lifecycle.SHELVED, power_state=lifecycle.SHUTDOWN)
        return
    advance(tx, saga, saga.claimed)
    servers.settle(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        vm_state=lifecycle.SHELVED,
        power_state=lifecycle.SHUTDOWN,
    )


async def ensure_gone(saga: ShelveServer | OffloadServer, world: World) -> None:
    """The host has nothing of the server, nor of its ports; one that is down is cleaned when it returns."""
    if not saga.offload or saga.host is None:
        return
    await moved.ensure_gone(saga.host, saga.server_id, world)
    if await moved.is_up(saga.host, world):
        for port in await world.database.read(lambda tx: ports.of_server(tx, saga.server_id)):
            await world.wiring.ensure_no_port(saga.host, port.id)


def mark_offloaded(tx: Transaction, saga: ShelveServer | OffloadServer, world: World) -> None:
    """It has no host and takes no room; its ports are its own, and lie nowhere."""
    if not saga.offload:
        return
    server = servers.find(tx, saga.server_id)
    if server is None or server.deleted or server.task_state != saga.claimed:
        actions.finish(tx, saga.action_id, host=saga.host)
        return
    for port in ports.of_server(tx, server.id):
        ports.unbind(tx, port.id)
    tx.after_commit(world.wiring.members_changed)
    asking.free(tx, server.id)
    attachments.follow(tx, server.id, None)
    servers.settle(
        tx,
        server.id,
        saga.action_id,
        saga.claimed,
        vm_state=lifecycle.SHELVED_OFFLOADED,
        power_state=lifecycle.SHUTDOWN,
        host=None,
        node=None,
        zone=None,
    )
