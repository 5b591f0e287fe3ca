"""Take a snapshot of a volume: it becomes ``available``, or says ``error`` and holds nothing."""

from minicloud.agent import volume_calls
from minicloud.base.errors import Conflict
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask, clean
from minicloud.conductor.volume.copies import ensure_copied, ensure_not_copied
from minicloud.conductor.volume.told import SNAPSHOT, tell
from minicloud.conductor.world import World
from minicloud.core.volume import messages, snapshots, volumes
from minicloud.engines.database import Transaction


class CreateSnapshot(Saga):
    """The snapshot's record was written in the transaction that began this."""

    snapshot_id: str
    volume_id: str
    host: str

    @property
    def about(self) -> str:
        return self.snapshot_id

    @classmethod
    def steps(cls) -> Steps["CreateSnapshot"]:
        return [
            Step("claim", record=claim, unrecord=mark_error),
            Step("freeze", act=ensure_frozen, undo=ensure_gone),
            Step("publish", record=mark_available),
        ]


def claim(tx: Transaction, saga: CreateSnapshot, world: World) -> None:
    """It was not taken for deletion since it was promised."""
    if snapshots.existing(tx, saga.snapshot_id).status != snapshots.CREATING:
        raise Conflict(f"Snapshot {saga.snapshot_id} was taken for something else before it was made", kind="taken")


async def ensure_frozen(saga: CreateSnapshot, world: World) -> None:
    """What the volume holds is kept."""
    copied = await ensure_copied(world, saga.host, saga.volume_id, saga.snapshot_id)
    message = volume_calls.EnsureSnapshot(snapshot_id=saga.snapshot_id, volume_id=saga.volume_id, copied=copied)
    await ask(world, saga.host, message, timeout_s=600)


async def ensure_gone(saga: CreateSnapshot, world: World) -> None:
    """Nothing is kept; a backend that is down is cleaned by the reconciler when it returns."""
    await ensure_not_copied(world, saga.volume_id)
    await clean(world, saga.host, volume_calls.EnsureNoSnapshot(snapshot_id=saga.snapshot_id))


def mark_available(tx: Transaction, saga: CreateSnapshot, world: World) -> None:
    """Volumes may be made of it; what image the volume was made of, it tells."""
    claim(tx, saga, world)
    volumes.existing(tx, saga.volume_id)
    snapshots.settle(tx, saga.snapshot_id, [snapshots.CREATING], snapshots.AVAILABLE, progress="100%")


def mark_error(tx: Transaction, saga: CreateSnapshot, world: World) -> None:
    """The record stays in ``error``, and its users are told."""
    snapshot = snapshots.find(tx, saga.snapshot_id)
    snapshots.settle(tx, saga.snapshot_id, [snapshots.CREATING], snapshots.ERROR)
    if snapshot is not None:
        tell(tx, saga, snapshot.project_id, messages.SNAPSHOT, snapshot.id, SNAPSHOT)
