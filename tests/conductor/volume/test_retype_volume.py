"""Retyping a volume so that several servers may have it: it keeps the contract of sagas."""

from typing import Any

import pytest

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.retype_volume import RetypeVolume
from minicloud.core.volume import retypes, types
from tests.support.datacenters import OWNER
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import VolumePicture, VolumeStory, only_volume

pytestmark = pytest.mark.anyio


class Retyping(VolumeStory):
    given = "volume"

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            specs = {"multiattach": types.MULTIATTACH}
            kind = types.create(tx, OWNER, name="shared", description=None, is_public=True, specs=specs)
            volume = retypes.retype(tx, only_volume(tx), kind)
            assert volume.status == "retyping"
            return executor.begin(tx, RetypeVolume(volume_id=volume.id, type_id=kind.id))

        return await executor.world.database.write(work)

    def is_finished(self, before: VolumePicture, after: VolumePicture) -> bool:
        return after == before

    def is_clean(self, before: VolumePicture, after: VolumePicture) -> bool:
        return after == before


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Retyping(), RetypeVolume) > 15
