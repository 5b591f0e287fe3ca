"""Creating a volume, blank, of an image, of a snapshot, of another: it keeps the contract of sagas."""

from typing import Any

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.create_volume import CreateVolume, CreateVolumeAnywhere
from tests.support.datacenters import IMAGE
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import (
    VolumePicture,
    VolumeStory,
    only_snapshot,
    only_volume,
    promise_volume,
)

pytestmark = pytest.mark.anyio
HOST = "control@fake#fake"


class Creation(VolumeStory):
    source = "blank"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            wanted: dict[str, dict[str, Any]] = {
                "blank": dict,
                "image": lambda: {"image_id": IMAGE},
                "snapshot": lambda: {"snapshot_id": only_snapshot(tx).id},
                "volume": lambda: {"source_volid": only_volume(tx).id},
            }[self.source]()
            return promise_volume(tx, executor, **wanted)

        return await executor.world.database.write(work)

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        return (
            after.volumes == [*before.volumes, ("available", 1, 0, HOST, self.source == "image")]
            and after.stored_volumes == before.stored_volumes + 1
            and after.snapshots == before.snapshots
            and after.stored_snapshots == before.stored_snapshots
            and not after.open_sagas
        )

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        [made] = after.volumes[len(before.volumes) :]
        return (
            made[:3] == ("error", 1, 0)
            and after.volumes[:-1] == before.volumes
            and after.stored_volumes == before.stored_volumes
            and after.stored_snapshots == before.stored_snapshots
            and not after.open_sagas
        )


class FromImage(Creation):
    source = "image"


class FromSnapshot(Creation):
    source = "snapshot"
    given = "snapshot"


class FromVolume(Creation):
    source = "volume"
    given = "volume"


@pytest.mark.parametrize("story", [Creation, FromImage, FromSnapshot, FromVolume], ids=lambda s: s.source)
async def test_it_keeps_the_contract(story: type[Creation]) -> None:
    assert await check_contract(story(), CreateVolume) > 60


class Anywhere(Creation):
    """There are as many backends as attempts, and whichever works has it."""

    backends = ("fast", "slow")

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        [made] = after.volumes
        return made[:3] == ("available", 1, 0) and after.stored_volumes == 1 and not after.open_sagas


class AnywhereFromImage(Anywhere):
    source = "image"


@pytest.mark.parametrize("story", [Anywhere, AnywhereFromImage], ids=lambda s: s.source)
async def test_one_that_may_be_on_several_backends_keeps_it_too(story: type[Creation]) -> None:
    assert await check_contract(story(), CreateVolumeAnywhere) > 60
