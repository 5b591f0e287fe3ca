"""Reverting a volume to its snapshot: it keeps the contract of sagas."""

from typing import Any

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.revert_volume import RevertVolume
from minicloud.core.volume import snapshots, volumes
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import VolumePicture, VolumeStory, only_snapshot, only_volume

pytestmark = pytest.mark.anyio


class Reverting(VolumeStory):
    given = "snapshot"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            volume = volumes.move(tx, only_volume(tx), volumes.REVERTING, [volumes.AVAILABLE], "busy")
            snapshot = snapshots.move(tx, only_snapshot(tx), snapshots.RESTORING)
            return executor.begin(tx, RevertVolume(volume_id=volume.id, snapshot_id=snapshot.id))

        return await executor.world.database.write(work)

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        return after == before

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        return [v[0] for v in after.volumes] == ["error"] and after.snapshots == before.snapshots


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Reverting(), RevertVolume) > 20
