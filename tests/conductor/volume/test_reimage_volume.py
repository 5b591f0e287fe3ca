"""Putting another image on a volume: it keeps the contract of sagas."""

from typing import Any

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.reimage_volume import ReimageVolume
from minicloud.core.volume import reimages
from tests.support.datacenters import IMAGE, OWNER
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import VolumePicture, VolumeStory, only_volume

pytestmark = pytest.mark.anyio


class Reimaging(VolumeStory):
    given = "volume"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            volume, image = reimages.take(tx, OWNER, only_volume(tx), IMAGE, reserved=False)
            saga = ReimageVolume(volume_id=volume.id, image_id=image.id, back_to="available")
            return executor.begin(tx, saga)

        return await executor.world.database.write(work)

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        [volume] = after.volumes
        return (volume[0], volume[4], after.stored_volumes) == ("available", True, 1) and not after.open_sagas

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        return [volume[0] for volume in after.volumes] == ["error"] and not after.open_sagas


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Reimaging(), ReimageVolume) > 20
