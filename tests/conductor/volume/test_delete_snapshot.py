"""Deleting a snapshot: it keeps the contract of sagas."""

from typing import Any

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.delete_snapshot import DeleteSnapshot
from minicloud.core.volume import snapshots
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import VolumePicture, VolumeStory, only_snapshot, only_volume

pytestmark = pytest.mark.anyio


class Deletion(VolumeStory):
    given = "snapshot"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            taken = snapshots.take_for_deletion(tx, only_snapshot(tx), force=False)
            return executor.begin(tx, DeleteSnapshot(snapshot_id=taken.id, host=only_volume(tx).host))

        return await executor.world.database.write(work)

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        return not (after.snapshots or after.stored_snapshots or after.open_sagas) and after.volumes == before.volumes

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        return [s[0] for s in after.snapshots] == ["error_deleting"] and not after.open_sagas


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Deletion(), DeleteSnapshot) > 50
