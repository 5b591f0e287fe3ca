"""Taking a snapshot: it keeps the contract of sagas."""

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.create_snapshot import CreateSnapshot
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import VolumePicture, VolumeStory, promise_snapshot

pytestmark = pytest.mark.anyio


class Freezing(VolumeStory):
    given = "volume"

    async def begin(self, executor: Executor) -> str:
        return await executor.world.database.write(lambda tx: promise_snapshot(tx, executor))

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        return (
            after.snapshots == [("available", "100%")]
            and after.stored_snapshots == 1
            and after.volumes == before.volumes
            and not after.open_sagas
        )

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        return (
            after.snapshots == [("error", "0%")]
            and after.stored_snapshots == 0
            and after.volumes == before.volumes
            and not after.open_sagas
        )


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Freezing(), CreateSnapshot) > 50
