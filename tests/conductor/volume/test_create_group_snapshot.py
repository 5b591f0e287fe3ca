"""Taking a snapshot of a group at one moment: it keeps the contract of sagas, for all of its volumes together."""

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.create_group_snapshot import CreateGroupSnapshot, Kept
from minicloud.core import records
from minicloud.core.volume import group_snapshots, group_types, groups, types, volumes
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction
from tests.support.datacenters import OWNER
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import VolumePicture, VolumeStory, promise_volume

pytestmark = pytest.mark.anyio


class FreezingTogether(VolumeStory):
    given = "volume"

    async def prepare(self, executor: Executor) -> None:
        await super().prepare(executor)
        await executor.world.database.write(lambda tx: promise_volume(tx, executor))
        await executor.idle()

    async def begin(self, executor: Executor) -> str:
        return await executor.world.database.write(lambda tx: promise(tx, executor))

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        return (
            after.snapshots == [("available", "100%")] * 2
            and after.stored_snapshots == 2
            and after.volumes == before.volumes
            and not after.open_sagas
        )

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        return (
            after.snapshots == [("error", "0%")] * 2
            and after.stored_snapshots == 0
            and after.volumes == before.volumes
            and not after.open_sagas
        )


def promise(tx: Transaction, executor: Executor) -> str:
    """Promise a snapshot of a group of all volumes there are; the saga's id."""
    kind = group_types.ensure_cgsnapshot_type(tx)
    group = groups.create(tx, OWNER, kind, [types.ensure_default(tx)], name="g", description=None, zone=None)
    for volume in records.select(tx, Volume):
        volumes.change(tx, volume, group_id=group.id)
    made, taken = group_snapshots.ask(tx, OWNER, group, name=None, description=None)
    kept = []
    for snapshot in taken:
        host = volumes.existing(tx, snapshot.volume_id).host
        assert host is not None
        kept.append(Kept(snapshot_id=snapshot.id, volume_id=snapshot.volume_id, host=host))
    return executor.begin(tx, CreateGroupSnapshot(group_snapshot_id=made.id, kept=kept))


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(FreezingTogether(), CreateGroupSnapshot) > 50
