"""Give a volume back what its newest snapshot holds."""

from minicloud.agent import volume_calls
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.world import World
from minicloud.core.volume import snapshots, volumes
from minicloud.engines.database import Transaction


class RevertVolume(Saga):
    """Volume (``reverting``) and snapshot (``restoring``) were taken in the transaction that began this."""

    volume_id: str
    snapshot_id: str

    @property
    def about(self) -> str:
        return self.volume_id

    @classmethod
    def steps(cls) -> Steps["RevertVolume"]:
        return [Step("revert", act=ensure_reverted, record=publish, unrecord=mark_error)]


async def ensure_reverted(saga: RevertVolume, world: World) -> None:
    """The volume's file stands on the snapshot's again."""
    volume = await world.database.read(lambda tx: volumes.existing(tx, saga.volume_id))
    if volume.host is not None:
        message = volume_calls.EnsureReverted(volume_id=volume.id, snapshot_id=saga.snapshot_id, size_gb=volume.size)
        await ask(world, volume.host, message)


def publish(tx: Transaction, saga: RevertVolume, world: World) -> None:
    """Both are available again."""
    volumes.settle(tx, saga.volume_id, [volumes.REVERTING], status=volumes.AVAILABLE)
    snapshots.settle(tx, saga.snapshot_id, [snapshots.RESTORING], snapshots.AVAILABLE)


def mark_error(tx: Transaction, saga: RevertVolume, world: World) -> None:
    """Nobody knows what the volume holds; the snapshot is as it was."""
    volumes.settle(tx, saga.volume_id, [volumes.REVERTING], status=volumes.ERROR)
    snapshots.settle(tx, saga.snapshot_id, [snapshots.RESTORING], snapshots.AVAILABLE)
