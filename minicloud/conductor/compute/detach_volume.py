"""Take a volume from a server: a guest that does not let go of it keeps it, and the volume stays in use."""

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.conductor.compute.carded import unless_deleting
from minicloud.conductor.compute.volumed import (
    ATTACH_S,
    VolumedServer,
    device_of,
    disk_of,
    ensure_detached,
    finish,
    let_go,
)
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import block_devices, volume_attachments
from minicloud.engines.database import Transaction


class DetachVolume(VolumedServer):
    """The volume was taken (``detaching``) in the transaction that began this."""

    @classmethod
    def steps(cls) -> Steps["DetachVolume"]:
        return [
            Step("claim", record=check, unrecord=keep),
            Step("detach", act=ensure_detached, undo=ensure_attached_again),
            Step("release", record=release),
        ]


def check(tx: Transaction, saga: DetachVolume, world: World) -> None:
    """The server has the volume. Raises NotFound, Conflict."""
    unless_deleting(tx, saga)
    block_devices.get(tx, saga.server_id, saga.volume_id)


def keep(tx: Transaction, saga: DetachVolume, world: World) -> None:
    """The volume is in use as before, and the record says why."""
    device = device_of(tx, saga)
    if device is not None:
        volume_attachments.kept(tx, device)
    finish(tx, saga, failed=True)


async def ensure_attached_again(saga: DetachVolume, world: World) -> None:
    """The guest has the disk as before: one that let go of it too late gets it back."""
    try:
        _, disk = await world.database.read(lambda tx: disk_of(tx, saga))
    except CloudError as error:
        trace.note("not_undone", server=saga.server_id, message="EnsureDiskAttached", why=error.message)
        return
    await asked_if_up(saga, world, calls.EnsureDiskAttached(server_id=saga.server_id, disk=disk), timeout_s=ATTACH_S)


def release(tx: Transaction, saga: DetachVolume, world: World) -> None:
    """The volume is free."""
    let_go(tx, saga)
    finish(tx, saga)
