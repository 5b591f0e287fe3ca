"""Extending a volume: it keeps the contract of sagas."""

from typing import Any

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.extend_volume import ExtendVolume
from minicloud.core.volume import extensions
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import VolumePicture, VolumeStory, only_volume

pytestmark = pytest.mark.anyio


class Growth(VolumeStory):
    given = "volume"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            volume = extensions.take(tx, only_volume(tx), 3, attached=False)
            return executor.begin(tx, ExtendVolume(volume_id=volume.id, new_size=3, back_to="available"))

        return await executor.world.database.write(work)

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        return [v[:3] for v in after.volumes] == [("available", 3, 0)] and after.sizes == [3] and not after.open_sagas

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        """It has the size it had, whatever its file has."""
        return [v[:3] for v in after.volumes] == [("error_extending", 1, 0)] and not after.open_sagas


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Growth(), ExtendVolume) > 20
