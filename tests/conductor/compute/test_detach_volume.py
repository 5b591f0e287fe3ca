"""Detaching a volume from a server, which runs or is off: it keeps the contract of sagas."""

from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.detach_volume import DetachVolume
from minicloud.conductor.executor import Executor
from minicloud.core.compute import volume_attachments
from tests.support.attachment_stories import VolumedPicture, VolumedStory
from tests.support.datacenters import OWNER, only_server
from tests.support.saga_contract import check_contract
from tests.support.volume_stories import only_volume

pytestmark = pytest.mark.anyio


class Detaching(VolumedStory):
    attached = True

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            volume = only_volume(tx)
            server, action_id, _ = volume_attachments.detach(tx, OWNER, only_server(tx).id, volume.id)
            return executor.begin(tx, DetachVolume(server_id=server.id, action_id=action_id, volume_id=volume.id))

        return await executor.world.database.write(work)

    def is_finished(self, before: Any, after: Any) -> bool:
        assert isinstance(after, VolumedPicture)
        return (
            after.volumes == [("available", "detached")]
            and not after.devices
            and not after.attachments
            and after.disks == [["root"]]
            and after.stored == 1
            and after.server.last_action == ("detach_volume", None)
            and not after.server.open_sagas
            and not after.server.open_actions
        )

    def is_clean(self, before: Any, after: Any) -> bool:
        """The server has it as before, also where the guest had let go of it already."""
        assert isinstance(after, VolumedPicture)
        server = msgspec.structs.replace(after.server, last_action=before.server.last_action)
        return bool(
            msgspec.structs.replace(after, server=server) == before
            and after.server.last_action == ("detach_volume", "Error")
        )


class FromStopped(Detaching):
    given = "stopped"


@pytest.mark.parametrize("story", [Detaching, FromStopped], ids=lambda story: story.given)
async def test_it_keeps_the_contract(story: type[Detaching]) -> None:
    assert await check_contract(story(), DetachVolume, deaths=150, pairs=50) > 40
