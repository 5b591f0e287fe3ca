"""CreateImage keeps the contract of every saga: an image with its bytes, or neither; the server is as it was in any case."""

from typing import Any

import msgspec
import pytest

from minicloud.conductor.compute.create_image import CreateImage
from minicloud.conductor.executor import Executor
from minicloud.core import records
from minicloud.core.compute import server_images
from minicloud.core.image.images import Image
from tests.support.datacenters import IMAGE, OWNER, Datacenter, only_server
from tests.support.saga_contract import check_contract
from tests.support.server_stories import Picture, ServerStory, as_it_was
from tests.support.worlds import Outside

pytestmark = pytest.mark.anyio


class Images(msgspec.Struct, frozen=True):
    """What of a server's image could be left behind."""

    server: Picture
    images: list[tuple[str | None, str, bool]]
    blobs: int
    files: int


class ImageStory(ServerStory):
    given = "running"
    rotation: int | None = None

    async def begin(self, executor: Executor) -> str:
        def work(tx: Any) -> str:
            backup_type = None if self.rotation is None else "daily"
            server, action_id, image = server_images.ask(
                tx, OWNER, only_server(tx).id, "a copy", metadata={"why": "test"}, backup_type=backup_type
            )
            return executor.begin(
                tx,
                CreateImage(
                    server_id=server.id,
                    action_id=action_id,
                    claimed=server.task_state or "",
                    image_id=image.id,
                    rotation=self.rotation,
                ),
            )

        return await executor.world.database.write(work)

    async def picture(self, outside: Outside) -> Any:
        assert isinstance(outside, Datacenter)
        found = await outside.database.read(lambda tx: records.select(tx, Image, "id <> ?", [IMAGE]))
        files = [key for host in outside.agents for key in outside.log.rows("disks", host) if "disk.snapshot" in key]
        return Images(
            server=await super().picture(outside),
            images=[(image.name, image.status, image.deleted) for image in found],
            blobs=len(await outside.blobs.keys()),
            files=len(files),
        )

    def is_finished(self, before: Images, after: Images) -> bool:
        return (
            as_it_was(before.server, after.server)
            and after.images == [("a copy", "active", False)]
            and (after.blobs, after.files) == (before.blobs + 1, 0)
            and after.server.last_action == ("createImage", None)
        )

    def is_clean(self, before: Images, after: Images) -> bool:
        return (
            as_it_was(before.server, after.server)
            and after.images == [("a copy", "deleted", True)]
            and (after.blobs, after.files) == (before.blobs, 0)
            and after.server.last_action is not None
            and after.server.last_action[1] == "Error"
        )


class OfStopped(ImageStory):
    given = "stopped"


class Rotated(ImageStory):
    """A backup of which none is to be kept."""

    rotation = 0

    def is_finished(self, before: Images, after: Images) -> bool:
        return (
            as_it_was(before.server, after.server)
            and after.images == [("a copy", "deleted", True)]
            and (after.blobs, after.files) == (before.blobs, 0)
            and after.server.last_action == ("createBackup", None)
        )


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(ImageStory(), CreateImage, pairs=60) > 100


async def test_a_guest_that_is_off_is_copied_too() -> None:
    assert await check_contract(OfStopped(), CreateImage, pairs=20) > 100


async def test_a_backup_too_many_goes_with_its_bytes() -> None:
    assert await check_contract(Rotated(), CreateImage, pairs=20) > 100
