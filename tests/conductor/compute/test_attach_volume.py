"""Attaching a volume to a server, which runs or is off: it keeps the contract of sagas."""

from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.attach_volume import AttachVolume
from minicloud.conductor.executor import Executor
from tests.support.attachment_stories import VolumedPicture, VolumedStory
from tests.support.saga_contract import check_contract

pytestmark = pytest.mark.anyio


class Attaching(VolumedStory):
    async def begin(self, executor: Executor) -> str:
        return await executor.world.database.write(lambda tx: self.attach(tx, executor))

    def is_finished(self, before: Any, after: Any) -> bool:
        assert isinstance(after, VolumedPicture)
        return (
            after.volumes == [("in-use", "attached")]
            and after.devices == [("/dev/vdb", False)]
            and after.attachments == [("attached", "/dev/vdb")]
            and after.disks == [["root", "volume"]]
            and after.stored == 1
            and after.server.last_action == ("attach_volume", None)
            and not after.server.open_sagas
            and not after.server.open_actions
        )

    def is_clean(self, before: Any, after: Any) -> bool:
        assert isinstance(after, VolumedPicture)
        server = msgspec.structs.replace(after.server, last_action=before.server.last_action)
        return bool(
            msgspec.structs.replace(after, server=server) == before
            and after.server.last_action == ("attach_volume", "Error")
        )


class ToStopped(Attaching):
    given = "stopped"


@pytest.mark.parametrize("story", [Attaching, ToStopped], ids=lambda story: story.given)
async def test_it_keeps_the_contract(story: type[Attaching]) -> None:
    assert await check_contract(story(), AttachVolume, deaths=150, pairs=50) > 60
