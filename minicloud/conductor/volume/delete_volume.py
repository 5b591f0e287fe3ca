"""Delete a volume, with its snapshots where that was asked for: nothing is left of it, or it says ``error_deleting``."""

from minicloud.agent import volume_calls
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask, ensure_turn
from minicloud.conductor.world import World
from minicloud.core.volume import deletions, snapshots, volumes
from minicloud.engines.database import Transaction


class DeleteVolume(Saga):
    """The volume and its snapshots were taken for deletion in the transaction that began this."""

    volume_id: str

    @property
    def about(self) -> str:
        return self.volume_id

    @classmethod
    def steps(cls) -> Steps["DeleteVolume"]:
        return [
            # Whatever works on the volume sees that it is taken at its next record, and rolls back.
            Step("wait", act=ensure_alone, unrecord=mark_error),
            Step("destroy", act=ensure_gone),
            Step("release", record=release),
        ]


async def ensure_alone(saga: DeleteVolume, world: World) -> None:
    """Nobody works on the volume or its snapshots any more."""
    await ensure_turn(world, saga.volume_id, ["DeleteVolume"])
    for snapshot in await world.database.read(lambda tx: snapshots.of_volume(tx, saga.volume_id)):
        await ensure_turn(world, snapshot.id, ["DeleteSnapshot"])


async def ensure_gone(saga: DeleteVolume, world: World) -> None:
    """Nothing of it lies on its backend."""
    volume = await world.database.read(lambda tx: volumes.find(tx, saga.volume_id))
    if volume is None or volume.host is None:
        return
    for snapshot in await world.database.read(lambda tx: snapshots.of_volume(tx, saga.volume_id)):
        await ask(world, volume.host, volume_calls.EnsureNoSnapshot(snapshot_id=snapshot.id))
    await ask(world, volume.host, volume_calls.EnsureNoVolume(volume_id=saga.volume_id))


def release(tx: Transaction, saga: DeleteVolume, world: World) -> None:
    """The records go, and what they used of the quota with them."""
    deletions.release(tx, saga.volume_id)


def mark_error(tx: Transaction, saga: DeleteVolume, world: World) -> None:
    """The volume is there still, and says that it could not be deleted."""
    volumes.settle(tx, saga.volume_id, [volumes.DELETING], status=volumes.ERROR_DELETING)
    for snapshot in snapshots.of_volume(tx, saga.volume_id):
        snapshots.settle(tx, snapshot.id, [snapshots.DELETING], snapshots.ERROR_DELETING)
