"""Make a volume larger; what could not be done leaves it at its size, in ``error_extending``."""

from minicloud.agent import volume_calls
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.world import World
from minicloud.core.volume import volumes
from minicloud.engines.database import Transaction


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
    """Its file is as large as asked."""
    volume = await world.database.read(lambda tx: volumes.existing(tx, saga.volume_id))
    if volume.host is not None:
        message = volume_calls.EnsureVolumeSize(volume_id=volume.id, size_gb=saga.new_size)
        await ask(world, volume.host, message)


def publish(tx: Transaction, saga: ExtendVolume, world: World) -> None:
    """The volume has its new size, and is what it was."""
    volumes.settle(
        tx, saga.volume_id, [volumes.EXTENDING], status=saga.back_to, size=saga.new_size, growing_gb=0,
        previous_status=None,
    )  # fmt: skip


def mark_error(tx: Transaction, saga: ExtendVolume, world: World) -> None:
    """The volume has the size it had; a file that is larger than its record does no harm."""
    volumes.settle(tx, saga.volume_id, [volumes.EXTENDING], status=volumes.ERROR_EXTENDING, growing_gb=0)
