"""Delete a snapshot: nothing is left of it, or it says ``error_deleting``."""

from minicloud.agent import volume_calls
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask, ensure_turn
from minicloud.conductor.volume.told import DELETE_SNAPSHOT, tell
from minicloud.conductor.world import World
from minicloud.core.volume import messages, snapshots
from minicloud.engines.database import Transaction


class DeleteSnapshot(Saga):
    """The snapshot was taken for deletion in the transaction that began this."""

    snapshot_id: str
    host: str | None

    @property
    def about(self) -> str:
        return self.snapshot_id

    @classmethod
    def steps(cls) -> Steps["DeleteSnapshot"]:
        return [
            Step("wait", act=ensure_alone, unrecord=mark_error),
            Step("destroy", act=ensure_gone),
            Step("release", record=release),
        ]


async def ensure_alone(saga: DeleteSnapshot, world: World) -> None:
    """Nobody works on it any more."""
    await ensure_turn(world, saga.snapshot_id, ["DeleteSnapshot"])


async def ensure_gone(saga: DeleteSnapshot, world: World) -> None:
    """Nothing of it lies on its backend; what was made of it keeps what it needs."""
    if saga.host is not None:
        await ask(world, saga.host, volume_calls.EnsureNoSnapshot(snapshot_id=saga.snapshot_id))


def release(tx: Transaction, saga: DeleteSnapshot, world: World) -> None:
    """The record goes, and what it used of the quota with it."""
    snapshots.forget(tx, saga.snapshot_id)


def mark_error(tx: Transaction, saga: DeleteSnapshot, world: World) -> None:
    """It is there still, and says that it could not be deleted."""
    snapshot = snapshots.find(tx, saga.snapshot_id)
    if snapshot is not None:
        tell(tx, saga, snapshot.project_id, messages.SNAPSHOT, snapshot.id, DELETE_SNAPSHOT)
    snapshots.settle(tx, saga.snapshot_id, [snapshots.DELETING], snapshots.ERROR_DELETING)
