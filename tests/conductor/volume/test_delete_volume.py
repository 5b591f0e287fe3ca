"""Deleting a volume with its snapshots: it keeps the contract of sagas."""

from typing import Any

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.delete_volume import DeleteVolume
from minicloud.core.volume import deletions
from tests.support.datacenters import OWNER
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import VolumePicture, VolumeStory, only_volume

pytestmark = pytest.mark.anyio


class Deletion(VolumeStory):
    given = "snapshot"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            volume = only_volume(tx)
            assert deletions.take(tx, OWNER, volume, cascade=True)
            return executor.begin(tx, DeleteVolume(volume_id=volume.id))

        return await executor.world.database.write(work)

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        return not (
            after.volumes or after.snapshots or after.stored_volumes or after.stored_snapshots or after.open_sagas
        )

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        """It says that it could not be deleted, and may be deleted again."""
        return (
            [volume[0] for volume in after.volumes] == ["error_deleting"]
            and [snapshot[0] for snapshot in after.snapshots] == ["error_deleting"]
            and not after.open_sagas
        )


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Deletion(), DeleteVolume) > 60
