"""ImportImage keeps the contract of every saga; a file that is not what the image says leaves the image waiting and no bytes."""

import hashlib
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from minicloud.conductor import log
from minicloud.conductor.executor import Executor
from minicloud.conductor.image.import_image import SIMULATED_BYTES, ImportImage, guest_image
from minicloud.core import records
from minicloud.core.image import images
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction
from tests.support.images import a_qcow2
from tests.support.saga_contract import Story, check_contract
from tests.support.worlds import Outside, an_outside

pytestmark = pytest.mark.anyio


class Import(Story):
    """``source`` is the file to import; empty for the blank image of simulated hosts."""

    def __init__(self, source: str = "") -> None:
        self._source = source

    async def outside(self, stack: AsyncExitStack) -> Outside:
        return await an_outside(stack)

    async def begin(self, executor: Executor) -> str:
        def work(tx: Transaction) -> str:
            saga = guest_image(tx, name="minilinux", source=self._source, min_disk=0, min_ram=0, properties={})
            assert saga is not None
            return executor.begin(tx, saga)

        return await executor.world.database.write(work)

    async def picture(self, outside: Outside) -> Any:
        found = await outside.database.read(lambda tx: records.select(tx, Image))
        blobs = await outside.blobs.keys()
        return [
            (i.status, i.size, i.virtual_size, i.os_hash_value, i.upload_id, i.upload_resumes, i.id in blobs)
            for i in found
        ], len(blobs)

    def is_finished(self, before: Any, after: Any) -> bool:
        digest = hashlib.sha512(bytes(SIMULATED_BYTES)).hexdigest()
        return bool(after == ([("active", SIMULATED_BYTES, SIMULATED_BYTES, digest, None, False, True)], 1))

    def is_clean(self, before: Any, after: Any) -> bool:
        return bool(after == ([("queued", None, None, None, None, False, False)], 0))


async def test_it_keeps_the_contract() -> None:
    assert await check_contract(Import(), ImportImage) > 20


async def run(outside: Outside, story: Import) -> tuple[str, Any, str | None]:
    """The end of one import: its state, the picture, and what was wrong."""
    async with Executor(outside.world(), [ImportImage]) as executor:
        saga_id = await story.begin(executor)
        state = await executor.ended(saga_id)
    row = (await outside.database.read(lambda tx: log.progress(tx, saga_id))).row
    return state, await story.picture(outside), None if row.error is None else row.error.message


async def test_a_file_is_read_inspected_and_hashed(tmp_path: Path) -> None:
    content = a_qcow2(size=3 << 20)
    (tmp_path / "disk.qcow2").write_bytes(content)
    async with AsyncExitStack() as stack:
        outside = await an_outside(stack)
        state, (rows, blobs), _ = await run(outside, Import(str(tmp_path / "disk.qcow2")))
        digest = hashlib.sha512(content).hexdigest()
        assert (state, rows, blobs) == (
            "finished",
            [("active", len(content), 3 << 20, digest, None, False, True)],
            1,
        )


@pytest.mark.parametrize("content", [None, b"no disk at all", a_qcow2(backing=b"/etc/passwd")])
async def test_a_file_that_is_missing_or_hostile_leaves_a_queued_image_and_says_why(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "disk.qcow2"
    if content is not None:
        path.write_bytes(content)
    async with AsyncExitStack() as stack:
        outside = await an_outside(stack)
        story = Import(str(path))
        state, picture, why = await run(outside, story)
        assert state == "rolled_back"
        assert story.is_clean(None, picture)
        assert why


async def test_an_image_that_is_deleted_while_its_bytes_come_leaves_none() -> None:
    async with AsyncExitStack() as stack:
        outside = await an_outside(stack)
        story = Import()
        async with Executor(outside.world(), [ImportImage]) as executor:
            saga_id = await story.begin(executor)
            # Deleted before the saga's task has run at all: its record then finds nothing to finish.
            await outside.database.write(lambda tx: images.delete(tx, records.select(tx, Image)[0]))
            with anyio.fail_after(60):
                assert await executor.ended(saga_id) == "rolled_back"
        assert await outside.blobs.keys() == []


async def test_a_cloud_makes_its_guest_image_once_even_if_it_was_deleted() -> None:
    async with AsyncExitStack() as stack:
        outside = await an_outside(stack)
        await run(outside, Import())
        await outside.database.write(lambda tx: images.delete(tx, records.select(tx, Image)[0]))

        def again(tx: Transaction) -> ImportImage | None:
            return guest_image(tx, name="minilinux", source="", min_disk=0, min_ram=0, properties={})

        assert await outside.database.write(again) is None
