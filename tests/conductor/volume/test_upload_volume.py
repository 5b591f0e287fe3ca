"""Making an image of a volume: it keeps the contract of sagas."""

from typing import Any

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.upload_volume import UploadVolume
from minicloud.core.volume import image_uploads
from tests.support.datacenters import OWNER
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import VolumePicture, VolumeStory, only_volume

pytestmark = pytest.mark.anyio


class Uploading(VolumeStory):
    given = "volume"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            volume, image = image_uploads.take(
                tx,
                OWNER,
                only_volume(tx),
                name="picture",
                disk_format="raw",
                container_format="bare",
                visibility="private",
                protected=True,
            )
            assert image.upload_id is not None
            saga = UploadVolume(volume_id=volume.id, image_id=image.id, upload_id=image.upload_id, disk_format="raw")
            return executor.begin(tx, saga)

        return await executor.world.database.write(work)

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        return (
            after.volumes == before.volumes
            and after.images == [*before.images, "active"]
            and after.blobs == before.blobs + 1
            and not after.open_sagas
        )

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        return after == before


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Uploading(), UploadVolume) > 20
