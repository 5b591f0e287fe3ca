"""Disks as files: what lies where with which rights, what a disk really contains, and what a failure leaves."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from minicloud.base import trace
from minicloud.base.errors import Failed, Invalid, NotFound
from minicloud.drivers.storage import Base, Fetch, GiB, basemark
from minicloud.drivers.storage.basecache import BaseCache
from minicloud.drivers.storage.files import FilesStorage
from minicloud.drivers.storage.volumefiles import VolumeFiles
from tests.support.images import a_qcow2

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.qemu,
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed"),
]

MiB = 1 << 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def stream(content: bytes, piece: int = 65536) -> Fetch:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(content), piece):
            yield content[at : at + piece]

    return chunks


async def base_of(storage: FilesStorage, content: bytes, form: str) -> Base:
    return await storage.ensure_base(hashlib.sha512(content).hexdigest(), form, stream(content))


def spoil(path: str, at: int) -> None:
    """Write something else into a file; a negative place counts from its end."""
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        file.write(b"something else")


def call(*argv: str) -> None:
    subprocess.run(argv, check=True)


def info(path: str) -> dict[str, object]:
    facts: dict[str, object] = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", path]))
    return facts


async def test_an_overlay_shows_its_image_and_never_changes_it(tmp_path: Path) -> None:
    storage = FilesStorage(tmp_path)
    content = os.urandom(3 * MiB)
    base = await base_of(storage, content, "raw")
    disk = await storage.ensure_disk("m1", "disk", base=base, size_bytes=8 * MiB)
    assert info(disk.path)["full-backing-filename"] == base.path
    assert info(disk.path)["backing-filename-format"] == "raw"
    out = tmp_path / "out.raw"
    call("qemu-img", "convert", "-f", "qcow2", "-O", "raw", disk.path, str(out))
    assert out.read_bytes() == content + bytes(5 * MiB)
    mode = os.stat(base.path).st_mode
    assert stat.S_IMODE(mode) == 0o444
    assert stat.S_IMODE(os.stat(disk.path).st_mode) == 0o600
    for folder in (tmp_path / "_base", tmp_path / "instances", tmp_path / "instances" / "m1"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_zeros_take_no_room(tmp_path: Path) -> None:
    content = b"\x55" * 4096 + bytes(64 * MiB) + b"end"
    base = await base_of(FilesStorage(tmp_path), content, "raw")
    assert (tmp_path / "_base" / base.path).read_bytes() == content
    assert os.stat(base.path).st_blocks * 512 < MiB


@pytest.mark.parametrize(("form", "name"), [("vmdk", "vmdk"), ("vdi", "vdi"), ("vhd", "vpc"), ("vhdx", "vhdx")])
async def test_other_formats_become_qcow2(tmp_path: Path, form: str, name: str) -> None:
    raw, image = tmp_path / "a.raw", tmp_path / "a.image"
    raw.write_bytes(bytes(MiB) + b"in the middle" + bytes(3 * MiB - 13))
    call("qemu-img", "convert", "-f", "raw", "-O", name, str(raw), str(image))
    base = await base_of(FilesStorage(tmp_path / "host"), image.read_bytes(), form)
    assert base.format == "qcow2"
    assert info(base.path)["format"] == "qcow2"
    out = tmp_path / "out.raw"
    call("qemu-img", "convert", "-f", "qcow2", "-O", "raw", base.path, str(out))
    assert out.read_bytes()[: 4 * MiB] == raw.read_bytes()
    assert len(os.listdir(tmp_path / "host" / "_base")) == 1


@pytest.mark.parametrize("form", ["qcow2", "vmdk"])
async def test_an_image_that_was_changed_in_the_cache_is_fetched_anew(tmp_path: Path, form: str) -> None:
    raw, image = tmp_path / "a.raw", tmp_path / "a.image"
    raw.write_bytes(b"what was uploaded".ljust(MiB, b"\x55"))
    call("qemu-img", "convert", "-f", "raw", "-O", form, str(raw), str(image))
    storage, content, notes = FilesStorage(tmp_path / "host"), image.read_bytes(), trace.Recording()
    with trace.recording(notes):
        base = await base_of(storage, content, form)
        await base_of(storage, content, form)
        assert len(notes.facts("fetch_image")) == 1
        spoil(base.path, -100)
        assert await base_of(storage, content, form) == base
        assert len(notes.facts("fetch_image")) == 2
        os.truncate(base.path, 1000)
        disk = await storage.ensure_disk("m1", "disk", base=await base_of(storage, content, form), size_bytes=0)
        assert len(notes.facts("fetch_image")) == 3
    out = tmp_path / "out.raw"
    call("qemu-img", "convert", "-f", "qcow2", "-O", "raw", disk.path, str(out))
    assert out.read_bytes() == raw.read_bytes()
    assert [fact["checksum"] for fact in notes.facts("image_damaged")] == [base.checksum[:12]] * (
        2 if form == "qcow2" else 0
    )


async def test_an_image_that_was_only_touched_is_looked_through_once(tmp_path: Path) -> None:
    storage, content, notes = FilesStorage(tmp_path), a_qcow2(size=MiB), trace.Recording()
    with trace.recording(notes):
        base = await base_of(storage, content, "qcow2")
        os.utime(base.path)
        await base_of(storage, content, "qcow2")
        assert basemark.is_marked(Path(base.path))
    assert (len(notes.facts("fetch_image")), notes.facts("image_damaged")) == (1, [])


async def test_a_converted_image_that_was_touched_is_used_when_it_cannot_be_had_again(tmp_path: Path) -> None:
    raw, image = tmp_path / "a.raw", tmp_path / "a.image"
    raw.write_bytes(b"\x55" * MiB)
    call("qemu-img", "convert", "-f", "raw", "-O", "vmdk", str(raw), str(image))
    storage, content, notes = FilesStorage(tmp_path / "host"), image.read_bytes(), trace.Recording()
    base = await base_of(storage, content, "vmdk")
    os.utime(base.path)

    async def gone() -> AsyncIterator[bytes]:
        raise NotFound("the image was deleted")
        yield b""

    with trace.recording(notes):
        assert await storage.ensure_base(base.checksum, "vmdk", gone) == base
    assert notes.facts("image_unverified") == [{"checksum": base.checksum[:12], "why": "the image was deleted"}]


async def test_volumes_get_the_sound_image_that_took_the_place_of_a_damaged_one(tmp_path: Path) -> None:
    cache = BaseCache(tmp_path / "cache")
    volumes, content = VolumeFiles(tmp_path / "volumes", cache), os.urandom(MiB)
    checksum = hashlib.sha512(content).hexdigest()
    base = await volumes.ensure_base(checksum, "raw", stream(content))
    await volumes.ensure_volume("v1", size_bytes=2 * MiB, base=base)
    spoil(base.path, 0)
    base = await volumes.ensure_base(checksum, "raw", stream(content))
    await volumes.ensure_volume("v2", size_bytes=2 * MiB, base=base)
    for name in ("v1", "v2"):
        out = tmp_path / f"{name}.raw"
        call("qemu-img", "convert", "-f", "qcow2", "-O", "raw", (await volumes.volume(name)).path, str(out))
        assert out.read_bytes()[:MiB] == content
    assert await cache.remove(checksum)
    assert (await volumes.volume("v1")).virtual_size == 2 * MiB


async def test_hosts_that_share_a_cache_keep_what_any_of_them_needs(tmp_path: Path) -> None:
    cache = BaseCache(tmp_path / "cache")
    first, second = FilesStorage(tmp_path / "h1", cache), FilesStorage(tmp_path / "h2", cache)
    base = await base_of(first, a_qcow2(size=MiB), "qcow2")
    await second.ensure_disk("m1", "disk", base=base, size_bytes=0)
    assert not await first.ensure_no_base(base.checksum)
    os.rename(tmp_path / "h2" / "instances" / "m1" / "disk", tmp_path / "h2" / "instances" / "m1" / ".disk.part")
    assert not await first.ensure_no_base(base.checksum)
    await second.ensure_no_disks("m1")
    assert await first.ensure_no_base(base.checksum)
    assert await second.bases() == []


async def test_hosts_may_share_a_cache(tmp_path: Path) -> None:
    cache = BaseCache(tmp_path / "cache")
    first, second = FilesStorage(tmp_path / "h1", cache), FilesStorage(tmp_path / "h2", cache)
    base = await base_of(first, a_qcow2(size=MiB), "qcow2")
    assert await second.bases() == [base]
    await second.ensure_disk("m1", "disk", base=base, size_bytes=0)
    assert await first.machines() == []


async def test_what_the_hypervisor_keeps_in_the_folder_is_left(tmp_path: Path) -> None:
    storage = FilesStorage(tmp_path)
    await storage.ensure_disk("m1", "disk", base=None, size_bytes=GiB)
    folder = tmp_path / "instances" / "m1"
    (folder / "machine.json").write_text("{}")
    (folder / ".disk.part").write_text("left by a crash")
    await storage.ensure_no_disks("m1")
    assert os.listdir(folder) == ["machine.json"]
    assert await storage.machines() == []
    (folder / "machine.json").unlink()
    await storage.ensure_no_disks("m1")
    assert not folder.exists()


async def test_unfinished_files_of_a_crash_are_no_disks_and_in_nobodys_way(tmp_path: Path) -> None:
    storage = FilesStorage(tmp_path)
    (tmp_path / "_base").mkdir()
    content = a_qcow2(size=MiB)
    checksum = hashlib.sha512(content).hexdigest()
    (tmp_path / "_base" / f".{checksum}.qcow2.part").write_bytes(b"half")
    (tmp_path / "_base" / ".another.qcow2.part").write_bytes(b"half")
    (tmp_path / "_base" / ".another.qcow2.converted").write_bytes(b"half")
    (tmp_path / "instances" / "m1").mkdir(parents=True)
    (tmp_path / "instances" / "m1" / ".disk.part").write_bytes(b"half")
    assert await storage.bases() == []
    assert await storage.machines() == []
    base = await base_of(storage, content, "qcow2")
    await storage.ensure_disk("m1", "disk", base=base, size_bytes=0)
    assert [entry.name for entry in (tmp_path / "instances" / "m1").iterdir()] == ["disk"]
    assert [entry.name for entry in (tmp_path / "_base").iterdir()] == [f"{checksum}.qcow2"]


async def test_a_base_that_vanished_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    storage = FilesStorage(tmp_path)
    base = await base_of(storage, a_qcow2(size=MiB), "qcow2")
    os.unlink(base.path)
    with pytest.raises(Failed, match=r"qemu-img create failed: .*No such file"):
        await storage.ensure_disk("m1", "disk", base=base, size_bytes=0)
    assert list((tmp_path / "instances").iterdir()) == []


async def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    call("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small))
    try:
        storage = FilesStorage(small)
        content = os.urandom(4 * MiB)
        with pytest.raises(Failed, match=r"the disk is full: \d+ MiB are free"):
            await base_of(storage, content, "raw")
        assert list((small / "_base").iterdir()) == []
        with pytest.raises(Failed, match="the disk is full"):
            await storage.ensure_file("m1", "disk.config", content)
        (small / "filler").write_bytes(b"x" * (2 * MiB - 40960))
        with pytest.raises(Failed):
            await storage.ensure_disk("m1", "disk", base=None, size_bytes=GiB)
        assert await storage.machines() == []
        assert not (small / "instances" / "m1").exists()
    finally:
        call("umount", str(small))


async def test_a_packed_image_does_not_fill_the_disk(tmp_path: Path) -> None:
    """What has a thousandth of its size as a file is written out only as far as there is room."""
    if os.getuid() != 0:
        pytest.skip("a small file system needs root")
    raw, bomb, small = tmp_path / "raw", tmp_path / "bomb.vmdk", tmp_path / "small"
    raw.write_bytes(b"\x55" * (64 * MiB))
    call("qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", str(raw), str(bomb))
    assert bomb.stat().st_size < MiB
    small.mkdir()
    call("mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(small))
    try:
        storage = FilesStorage(small)
        with pytest.raises(Failed, match=r"qemu-img convert wrote more than 1\d MiB, for which there is no room"):
            await base_of(storage, bomb.read_bytes(), "vmdk")
        assert list((small / "_base").iterdir()) == []
    finally:
        call("umount", str(small))


async def test_a_fetch_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    storage, content = FilesStorage(tmp_path), a_qcow2(size=MiB)
    closed = []

    async def slow() -> AsyncIterator[bytes]:
        try:
            yield content[:100_000]
            await anyio.sleep_forever()
        finally:
            closed.append(1)

    with anyio.move_on_after(0.05) as scope:
        await storage.ensure_base(hashlib.sha512(content).hexdigest(), "qcow2", slow)
    assert scope.cancelled_caught
    assert closed == [1]
    assert list((tmp_path / "_base").iterdir()) == []
    await base_of(storage, content, "qcow2")


async def test_disks_of_one_machine_may_be_made_at_once(tmp_path: Path) -> None:
    storage = FilesStorage(tmp_path)

    async def make(name: str) -> None:
        await storage.ensure_disk("m1", name, base=None, size_bytes=MiB)

    async with anyio.create_task_group() as tasks:
        for name in ("disk", "disk", "disk.eph0", "disk.swap"):
            tasks.start_soon(make, name)
    assert sorted(os.listdir(tmp_path / "instances" / "m1")) == ["disk", "disk.eph0", "disk.swap"]


async def test_an_image_that_lacks_what_it_refers_to_is_refused_and_not_kept(tmp_path: Path) -> None:
    raw, whole = tmp_path / "raw", tmp_path / "qcow2"
    raw.write_bytes(os.urandom(2 * MiB))
    call("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", str(raw), str(whole))
    storage = FilesStorage(tmp_path / "host")
    content = whole.read_bytes()
    with pytest.raises(Invalid, match=r"damaged already when it was uploaded .*qemu-img check -r all"):
        await base_of(storage, content[: MiB + 65536], "qcow2")
    assert await storage.bases() == []
    assert (await base_of(storage, content, "qcow2")).virtual_size == 2 * MiB
