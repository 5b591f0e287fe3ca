"""Take a snapshot of every volume of a group at one moment: all become ``available``, or all say ``error`` and hold nothing."""

import msgspec

from minicloud.agent import volume_calls
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume import create_snapshot
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.volume.copies import Copy, check_one_writer, ensure_all_copied
from minicloud.conductor.volume.create_snapshot import CreateSnapshot
from minicloud.conductor.world import World
from minicloud.engines.database import Transaction


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One of the snapshots: of this volume, which lies on ``host`` (``machine@driver#pool``)."""

    snapshot_id: str
    volume_id: str
    host: str


class CreateGroupSnapshot(Saga):
    """The records were written in the transaction that began this."""

    group_snapshot_id: str
    kept: list[Kept]

    @property
    def about(self) -> str:
        return self.group_snapshot_id

    @classmethod
    def steps(cls) -> Steps["CreateGroupSnapshot"]:
        return [
            Step("claim", record=claim, unrecord=mark_error),
            Step("freeze", act=ensure_frozen, undo=ensure_gone),
            Step("publish", record=mark_available),
        ]

    def each(self) -> list[CreateSnapshot]:
        """What the saga of a single snapshot would be given."""
        made = [msgspec.structs.asdict(one) for one in self.kept]
        return [CreateSnapshot(**values) for values in made]


def claim(tx: Transaction, saga: CreateGroupSnapshot, world: World) -> None:
    """None was taken for deletion since it was promised, and no more than one server writes to the volumes."""
    for one in saga.each():
        create_snapshot.claim(tx, one, world)
    check_one_writer(tx, [one.volume_id for one in saga.kept])


async def ensure_frozen(saga: CreateGroupSnapshot, world: World) -> None:
    """What the volumes hold is kept: those that a guest writes to as they are at one moment, the others lie still."""
    wanted = [Copy(backend=one.host, volume_id=one.volume_id, copy_id=one.snapshot_id) for one in saga.kept]
    copied = await ensure_all_copied(world, wanted)
    for one in saga.kept:
        message = volume_calls.EnsureSnapshot(
            snapshot_id=one.snapshot_id, volume_id=one.volume_id, copied=one.volume_id in copied
        )
        await ask(world, one.host, message, timeout_s=600)


async def ensure_gone(saga: CreateGroupSnapshot, world: World) -> None:
    """Nothing is kept."""
    for one in saga.each():
        await create_snapshot.ensure_gone(one, world)


def mark_available(tx: Transaction, saga: CreateGroupSnapshot, world: World) -> None:
    """Volumes may be made of all of them."""
    for one in saga.each():
        create_snapshot.mark_available(tx, one, world)


def mark_error(tx: Transaction, saga: CreateGroupSnapshot, world: World) -> None:
    """The records stay in ``error``, and their users are told."""
    for one in saga.each():
        one.failed = saga.failed
        create_snapshot.mark_error(tx, one, world)
