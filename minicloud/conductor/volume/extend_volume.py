"""Make a volume larger; what could not be done leaves it at its size, in ``error_extending``."""

from minicloud.agent import calls, volume_calls
from minicloud.base import trace
from minicloud.base.errors import NotFound
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.volume.copies import users_of
from minicloud.conductor.volume.told import EXTEND, tell
from minicloud.conductor.world import World
from minicloud.core.compute import actions, block_devices, servers
from minicloud.core.context import administrator
from minicloud.core.volume import messages, volumes
from minicloud.engines.database import Transaction

GiB = 1 << 30


class ExtendVolume(Saga):
    """The volume was taken (``extending``) in the transaction that began this; ``back_to`` is the status it had."""

    volume_id: str
    new_size: int
    back_to: str

    @property
    def about(self) -> str:
        return self.volume_id

    @classmethod
    def steps(cls) -> Steps["ExtendVolume"]:
        return [Step("grow", act=ensure_grown, record=publish, unrecord=mark_error)]


async def ensure_grown(saga: ExtendVolume, world: World) -> None:
    """Its file is as large as asked: grown by the guest's own host where a guest runs with it, else by its backend."""
    volume = await world.database.read(lambda tx: volumes.existing(tx, saga.volume_id))
    for server_id, host in await world.database.read(lambda tx: users_of(tx, saga.volume_id)):
        message = calls.EnsureDiskSize(server_id=server_id, disk_id=volume.id, size_bytes=saga.new_size * GiB)
        try:
            await world.agents.ask(host, message)
        except NotFound as error:
            # The machine was never made there, or has not got the disk yet: the file alone has to grow.
            trace.note("not_grown", server=server_id, host=host, why=error.message)
    if volume.host is not None:
        # What a guest's QEMU grew is large enough by now; a machine that is off, or simulated, grew nothing.
        await ask(world, volume.host, volume_calls.EnsureVolumeSize(volume_id=volume.id, size_gb=saga.new_size))


def publish(tx: Transaction, saga: ExtendVolume, world: World) -> None:
    """The volume has its new size, and is what it was; the records of its servers say so."""
    volumes.settle(
        tx,
        saga.volume_id,
        [volumes.EXTENDING],
        status=saga.back_to,
        size=saga.new_size,
        growing_gb=0,
        previous_status=None,
    )
    for device in block_devices.of_volume(tx, saga.volume_id):
        action = actions.begin(tx, administrator(trace.request_id()), device.server_id, "extend_volume")
        server = servers.find(tx, device.server_id)
        actions.begin_event(tx, action.id, "compute_extend_volume", None if server is None else server.host)
        actions.finish(tx, action.id, host=None if server is None else server.host)


def mark_error(tx: Transaction, saga: ExtendVolume, world: World) -> None:
    """The volume has the size it had; a file that is larger than its record does no harm."""
    volume = volumes.settle(tx, saga.volume_id, [volumes.EXTENDING], status=volumes.ERROR_EXTENDING, growing_gb=0)
    if volume is not None:
        tell(tx, saga, volume.project_id, messages.VOLUME, volume.id, EXTEND)
