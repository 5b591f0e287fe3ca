"""Give a server one more volume: at once where its guest runs, from the next start on where it is off."""

from minicloud.agent import calls
from minicloud.base.errors import Conflict
from minicloud.conductor.compute.carded import unless_deleting
from minicloud.conductor.compute.volumed import (
    DETACH_S,
    VolumedServer,
    ensure_attached,
    ensure_located,
    finish,
    let_go,
)
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import block_devices, volume_attachments
from minicloud.engines.database import Transaction


class AttachVolume(VolumedServer):
    """The volume was reserved for the server in the transaction that began this."""

    @classmethod
    def steps(cls) -> Steps["AttachVolume"]:
        return [
            Step("claim", record=check, unrecord=give_back),
            Step("connect", act=ensure_located, record=connect),
            Step("attach", act=ensure_attached, undo=ensure_detached_again),
            Step("publish", record=mark_attached),
        ]


def check(tx: Transaction, saga: AttachVolume, world: World) -> None:
    """The server is still there."""
    unless_deleting(tx, saga)


def give_back(tx: Transaction, saga: AttachVolume, world: World) -> None:
    """The volume is free again, and the record says why."""
    let_go(tx, saga)
    finish(tx, saga, failed=True)


def connect(tx: Transaction, saga: AttachVolume, world: World) -> None:
    """The volume knows where it is used, and the server how to reach it."""
    if saga.place is None:
        raise Conflict(f"Nobody knows where volume {saga.volume_id} lies")
    server = unless_deleting(tx, saga)
    device = block_devices.get(tx, saga.server_id, saga.volume_id)
    volume_attachments.connected(tx, server, device, saga.place)


async def ensure_detached_again(saga: AttachVolume, world: World) -> None:
    """The guest has no such disk; content when it is off or gone meanwhile."""
    message = calls.EnsureDiskDetached(server_id=saga.server_id, disk_id=saga.volume_id, timeout_s=DETACH_S)
    await asked_if_up(saga, world, message, timeout_s=DETACH_S + 30)


def mark_attached(tx: Transaction, saga: AttachVolume, world: World) -> None:
    """The volume is in use."""
    unless_deleting(tx, saga)
    volume_attachments.completed(tx, block_devices.get(tx, saga.server_id, saga.volume_id))
    finish(tx, saga)
