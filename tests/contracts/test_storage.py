"""The storage promise, on every keeper: images verified once, disks that stand on them, nothing half-made."""

import hashlib
import os
import shutil
import struct
from collections.abc import AsyncIterator, Callable
from math import inf
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest
import trio.testing

from minicloud.base.errors import CloudError, Failed, Invalid, NotFound
from minicloud.base.imageformat import Inspector
from minicloud.drivers.statelog import StateLog
from minicloud.drivers.storage import CachedBase, Fetch, GiB, Storage
from minicloud.drivers.storage.fake import FakeStorage
from minicloud.drivers.storage.files import FilesStorage
from tests.support.images import a_qcow2

pytestmark = pytest.mark.anyio

MiB = 1 << 20
Open = Callable[[], Storage]


class Source:
    """An image's bytes, and how often they were asked for."""

    def __init__(self, content: bytes, *, fails: CloudError | None = None, delay_s: float = 0.0) -> None:
        self.content = content
        self.checksum = hashlib.sha512(content).hexdigest()
        self.opened = 0
        self.closed = 0
        self._fails = fails
        self._delay_s = delay_s

    def fetch(self) -> Fetch:
        async def chunks() -> AsyncIterator[bytes]:
            self.opened += 1
            try:
                for at in range(0, len(self.content), 100_000):
                    await anyio.sleep(self._delay_s)
                    yield self.content[at : at + 100_000]
                    if self._fails is not None:
                        raise self._fails
            finally:
                self.closed += 1

        return chunks


@pytest.fixture(params=["fake", pytest.param("files", marks=pytest.mark.qemu)])
def keeper(request: pytest.FixtureRequest) -> str:
    if request.param == "files" and shutil.which("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    return str(request.param)


@pytest.fixture
def anyio_backend(keeper: str) -> Any:
    if keeper == "fake":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio"


@pytest.fixture
def opened(keeper: str, tmp_path: Path) -> Open:
    """Opens the same host again, as after a restart."""
    if keeper == "fake":
        return lambda: FakeStorage(StateLog(tmp_path / "world.jsonl"), "host1")
    return lambda: FilesStorage(tmp_path / "host1")


async def test_an_image_is_fetched_once_and_found_again(opened: Open) -> None:
    source = Source(a_qcow2(size=3 * MiB))
    base = await opened().ensure_base(source.checksum, "qcow2", source.fetch())
    assert (base.checksum, base.format, base.virtual_size) == (source.checksum, "qcow2", 3 * MiB)
    assert await opened().ensure_base(source.checksum, "qcow2", source.fetch()) == base
    assert await opened().bases() == [base]
    assert (source.opened, source.closed) == (1, 1)


async def test_it_is_told_how_often_an_image_was_there_already(opened: Open) -> None:
    storage, source = opened(), Source(a_qcow2(size=MiB))
    assert await storage.cached() == []
    for hits in range(3):
        await storage.ensure_base(source.checksum, "qcow2", source.fetch())
        assert await storage.cached() == [CachedBase(checksum=source.checksum, hits=hits)]


async def test_an_image_leaves_the_cache_unless_a_disk_stands_on_it(opened: Open) -> None:
    storage, source, other = opened(), Source(a_qcow2(size=MiB)), Source(a_qcow2(size=2 * MiB))
    assert await storage.ensure_no_base(source.checksum)
    base = await storage.ensure_base(source.checksum, "qcow2", source.fetch())
    await storage.ensure_base(other.checksum, "qcow2", other.fetch())
    disk = await storage.ensure_disk("m1", "disk", base=base, size_bytes=0)
    assert disk.base == base.checksum
    assert (await storage.ensure_disk("m1", "disk.eph0", base=None, size_bytes=MiB)).base is None
    assert not await opened().ensure_no_base(source.checksum)
    assert await storage.ensure_no_base(other.checksum)
    assert await storage.bases() == [base]
    await storage.ensure_no_disks("m1")
    assert await storage.ensure_no_base(source.checksum)
    assert await opened().bases() == []
    assert await storage.ensure_base(source.checksum, "qcow2", source.fetch()) == base


async def test_a_raw_image_counts_whole_sectors(opened: Open) -> None:
    source = Source(b"\xeb\x3c" + bytes(300_000) + b"end")
    base = await opened().ensure_base(source.checksum, "raw", source.fetch())
    assert (base.format, base.virtual_size) == ("raw", 300_032)


async def test_bytes_that_do_not_match_are_refused_and_leave_nothing(opened: Open) -> None:
    source, other = Source(a_qcow2(size=MiB)), Source(a_qcow2(size=2 * MiB))
    storage = opened()
    with pytest.raises(Failed, match="arrived with other bytes"):
        await storage.ensure_base(source.checksum, "qcow2", other.fetch())
    assert await storage.bases() == []
    assert other.closed == 1
    base = await storage.ensure_base(source.checksum, "qcow2", source.fetch())
    assert base.virtual_size == MiB


async def test_an_image_that_is_not_what_was_declared_is_refused(opened: Open) -> None:
    source = Source(a_qcow2(size=MiB))
    with pytest.raises(Invalid, match="declared as raw, but its content is qcow2"):
        await opened().ensure_base(source.checksum, "raw", source.fetch())
    hostile = Source(a_qcow2(size=MiB, backing=b"/etc/shadow"))
    with pytest.raises(Invalid, match="backing file"):
        await opened().ensure_base(hostile.checksum, "qcow2", hostile.fetch())
    assert await opened().bases() == []


async def test_a_source_that_fails_is_reported_as_it_failed(opened: Open) -> None:
    source = Source(a_qcow2(size=MiB), fails=NotFound("the image was deleted"))
    storage = opened()
    with pytest.raises(NotFound, match="the image was deleted"):
        await storage.ensure_base(source.checksum, "qcow2", source.fetch())
    assert await storage.bases() == []
    assert source.closed == 1


async def test_nonsense_is_refused(opened: Open) -> None:
    storage = opened()
    source = Source(b"x" * 1000)
    for checksum, form in (("../../etc/passwd", "raw"), (source.checksum, "docker"), (source.checksum.upper(), "raw")):
        with pytest.raises(Invalid):
            await storage.ensure_base(checksum, form, source.fetch())
    for machine_id, name in (("..", "disk"), ("a/b", "disk"), ("m1", "../disk"), ("m1", "pid"), ("", "disk")):
        with pytest.raises(Invalid):
            await storage.ensure_disk(machine_id, name, base=None, size_bytes=GiB)
        with pytest.raises(Invalid):
            await storage.ensure_file(machine_id, name, b"x")
    for size in (0, -1):
        with pytest.raises(Invalid):
            await storage.ensure_disk("m1", "disk", base=None, size_bytes=size)
    assert source.opened == 0
    assert await storage.machines() == []


async def test_a_disk_stands_on_its_image_and_may_be_asked_for_again(opened: Open) -> None:
    source, machine_id = Source(a_qcow2(size=3 * MiB)), str(uuid4())
    storage = opened()
    base = await storage.ensure_base(source.checksum, "qcow2", source.fetch())
    disk = await storage.ensure_disk(machine_id, "disk", base=base, size_bytes=GiB)
    assert (disk.machine_id, disk.name, disk.format, disk.virtual_size) == (machine_id, "disk", "qcow2", GiB)
    assert await storage.ensure_disk(machine_id, "disk", base=base, size_bytes=GiB) == disk
    assert await opened().ensure_disk(machine_id, "disk", base=base, size_bytes=GiB) == disk
    as_the_base = await storage.ensure_disk(str(uuid4()), "disk", base=base, size_bytes=0)
    assert as_the_base.virtual_size == 3 * MiB
    assert machine_id in await opened().machines()


async def test_a_disk_smaller_than_its_image_is_refused(opened: Open) -> None:
    source = Source(a_qcow2(size=3 * MiB))
    storage = opened()
    base = await storage.ensure_base(source.checksum, "qcow2", source.fetch())
    with pytest.raises(Invalid, match="does not fit"):
        await storage.ensure_disk("m1", "disk", base=base, size_bytes=2 * MiB)
    assert await storage.machines() == []


async def test_a_disk_grows_and_does_not_shrink(opened: Open) -> None:
    storage = opened()
    await storage.ensure_disk("m1", "disk", base=None, size_bytes=GiB)
    assert (await storage.ensure_disk("m1", "disk", base=None, size_bytes=2 * GiB)).virtual_size == 2 * GiB
    with pytest.raises(Invalid, match="do not shrink"):
        await storage.ensure_disk("m1", "disk", base=None, size_bytes=GiB)
    assert (await opened().ensure_disk("m1", "disk", base=None, size_bytes=2 * GiB)).virtual_size == 2 * GiB


async def test_blank_disks_and_files_go_with_their_machine(opened: Open) -> None:
    storage = opened()
    ephemeral = await storage.ensure_disk("m1", "disk.eph0", base=None, size_bytes=GiB)
    assert (ephemeral.name, ephemeral.virtual_size) == ("disk.eph0", GiB)
    config = await storage.ensure_file("m1", "disk.config", b"c" * 2048)
    assert (config.format, config.virtual_size) == ("raw", 2048)
    assert await storage.ensure_file("m1", "disk.config", b"c" * 2048) == config
    assert (await storage.ensure_file("m1", "disk.config", b"d" * 512)).virtual_size == 512
    await storage.ensure_disk("m2", "disk", base=None, size_bytes=MiB)
    assert sorted(await storage.machines()) == ["m1", "m2"]
    for _ in range(2):
        await storage.ensure_no_disks("m1")
        assert await storage.machines() == ["m2"]
    await storage.ensure_no_disks("never-was")
    assert await opened().machines() == ["m2"]


async def test_machines_that_start_together_fetch_their_image_once(opened: Open) -> None:
    source = Source(a_qcow2(size=MiB) + bytes(400_000), delay_s=0.01)
    storage = opened()
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(storage.ensure_base, source.checksum, "qcow2", source.fetch())
    assert source.opened == 1
    assert len(await storage.bases()) == 1


async def test_a_waiter_fetches_again_when_the_first_fetch_failed(opened: Open) -> None:
    broken = Source(a_qcow2(size=MiB), fails=NotFound("gone"), delay_s=0.05)
    good = Source(broken.content)
    storage = opened()

    async def first() -> None:
        with pytest.raises(NotFound):
            await storage.ensure_base(broken.checksum, "qcow2", broken.fetch())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await anyio.sleep(0.01)
        base = await storage.ensure_base(good.checksum, "qcow2", good.fetch())
    assert base.virtual_size == MiB


async def test_it_knows_how_much_room_is_left(opened: Open) -> None:
    assert await opened().free_bytes() > GiB


async def test_a_cut_off_image_is_refused(opened: Open) -> None:
    source = Source(a_qcow2(size=MiB)[: 65536 + struct.calcsize(">Q")])
    with pytest.raises(Invalid, match="cut off"):
        await opened().ensure_base(source.checksum, "qcow2", source.fetch())


async def test_a_disk_is_copied_whole_and_its_bytes_are_an_image(opened: Open) -> None:
    storage = opened()
    source = Source(a_qcow2(size=MiB))
    base = await storage.ensure_base(source.checksum, "qcow2", source.fetch())
    disk = await storage.ensure_disk("m1", "disk", base=base, size_bytes=2 * MiB)
    assert await storage.disk("m1", "disk") == disk
    assert await storage.disk("m1", "disk.none") is None
    for _ in range(2):
        copy = await storage.ensure_copy("m1", "disk.snapshot", "disk")
        assert (copy.name, copy.format, copy.virtual_size) == ("disk.snapshot", "qcow2", 2 * MiB)
    inspector = Inspector("qcow2")
    async for piece in opened().content("m1", "disk.snapshot"):
        inspector.feed(piece)
    assert inspector.finish().virtual_size == 2 * MiB, "it names no base"
    for _ in range(2):
        await storage.ensure_no_disk("m1", "disk.snapshot")
    assert await storage.disk("m1", "disk.snapshot") is None
    assert await storage.disk("m1", "disk") == disk
    with pytest.raises(NotFound, match="has no disk"):
        await storage.ensure_copy("m1", "disk.snapshot", "disk.none")
    with pytest.raises(NotFound, match="has no disk"):
        await anext(storage.content("m1", "disk.none"))
    await storage.ensure_no_disk("m1", "disk")
    assert await storage.machines() == []
    await storage.ensure_no_disk("never-was", "disk")


async def test_disks_that_were_kept_come_back_as_they_were(opened: Open) -> None:
    source, machine_id = Source(a_qcow2(size=3 * MiB)), str(uuid4())
    storage = opened()
    base = await storage.ensure_base(source.checksum, "qcow2", source.fetch())
    before = await storage.ensure_disk(machine_id, "disk", base=base, size_bytes=4 * MiB)
    for _ in range(2):
        await storage.ensure_kept(machine_id)
        grown = await storage.ensure_disk(machine_id, "disk", base=base, size_bytes=8 * MiB)
        assert grown.virtual_size == 8 * MiB
    for _ in range(2):
        await opened().ensure_restored(machine_id)
        assert await opened().disks(machine_id) == [before]
    # Kept anew, and this time for nothing: it stays as large as it became.
    await storage.ensure_kept(machine_id)
    await storage.ensure_disk(machine_id, "disk", base=base, size_bytes=8 * MiB)
    for _ in range(2):
        await storage.ensure_not_kept(machine_id)
        await storage.ensure_restored(machine_id)
    assert [disk.virtual_size for disk in await storage.disks(machine_id)] == [8 * MiB]
    await storage.ensure_kept(machine_id)
    await storage.ensure_no_disks(machine_id)
    assert (await storage.machines(), await storage.disks(machine_id)) == ([], [])
    for verb in (storage.ensure_kept, storage.ensure_restored, storage.ensure_not_kept):
        await verb("never-there")


async def test_a_disk_is_packed_and_unpacked_elsewhere(opened: Open) -> None:
    source = Source(a_qcow2(size=3 * MiB))
    storage = opened()
    base = await storage.ensure_base(source.checksum, "qcow2", source.fetch())
    await storage.ensure_disk("here", "disk", base=base, size_bytes=5 * MiB)
    await storage.ensure_copy("here", "disk.packed", "disk")
    packed = Source(b"".join([chunk async for chunk in storage.content("here", "disk.packed")]))
    for _ in range(2):
        there = await storage.ensure_unpacked("there", "disk", packed.fetch())
        assert (there.machine_id, there.format, there.virtual_size) == ("there", "qcow2", 5 * MiB)
    assert packed.opened == 1
    grown = await storage.ensure_disk("there", "disk", base=base, size_bytes=6 * MiB)
    assert grown.virtual_size == 6 * MiB
    broken = Source(b"no disk", fails=NotFound("it is gone"))
    with pytest.raises((NotFound, Failed)):
        await storage.ensure_unpacked("elsewhere", "disk", broken.fetch())
    assert sorted(await storage.machines()) == ["here", "there"]


async def test_a_formatted_disk_is_made_once(opened: Open) -> None:
    storage = opened()
    made = await storage.ensure_formatted("m1", "disk.eph0", size_bytes=16 * MiB, filesystem="ext4", label="ephemeral0")
    assert (made.format, made.virtual_size) == ("qcow2", 16 * MiB)
    again = await opened().ensure_formatted("m1", "disk.eph0", size_bytes=8 * MiB, filesystem="ext4", label="other")
    assert again == made
    swap = await storage.ensure_formatted("m1", "disk.swap", size_bytes=4 * MiB, filesystem="swap", label="swap")
    assert swap.virtual_size == 4 * MiB
    for size in (8 * MiB, 2 * MiB):
        await storage.ensure_kept("m1")
        swap = await storage.ensure_formatted("m1", "disk.swap", size_bytes=size, filesystem="swap", label="swap")
        assert swap.virtual_size == 4 * MiB
        swap = await storage.ensure_formatted(
            "m1", "disk.swap", size_bytes=size, filesystem="swap", label="swap", anew=True
        )
        assert swap.virtual_size == size
        await storage.ensure_restored("m1")
        back = await storage.disk("m1", "disk.swap")
        assert back is not None
        assert back.virtual_size == 4 * MiB
    await storage.ensure_no_disks("m1")
    assert await storage.machines() == []


async def test_an_image_that_the_disk_spoilt_is_noticed_when_it_is_looked_through(opened: Open) -> None:
    storage, source = opened(), Source(a_qcow2(size=MiB))

    async def looked(since: float) -> bool:
        return await storage.ensure_sound(source.checksum, "qcow2", source.fetch(), unless_since=since)

    assert not await looked(inf)
    base = await storage.ensure_base(source.checksum, "qcow2", source.fetch())
    assert not await looked(inf)
    if isinstance(storage, FakeStorage):
        storage.spoil(base.checksum)
    else:
        rot(base.path)
        assert not await looked(0), "it was looked through since then"
    broken = Source(source.content, fails=Failed("the store is gone"))
    with pytest.raises(Failed, match="the store is gone"):
        await storage.ensure_sound(source.checksum, "qcow2", broken.fetch(), unless_since=inf)
    assert await looked(inf)
    assert not await looked(inf)
    assert await opened().bases() == [base]
    assert source.opened == 2


def rot(path: str) -> None:
    """Other bytes in a file, of which its times say nothing."""
    times = os.stat(path)
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(b"other bytes")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
