"""The promise of volumes, on every keeper: frozen and cloned without a copy, nothing lost with what it stands on."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import trio.testing

from minicloud.base.errors import Failed, Invalid, NotFound
from minicloud.drivers.statelog import StateLog
from minicloud.drivers.storage import Base, GiB, VolumeStore
from minicloud.drivers.storage.basecache import BaseCache
from minicloud.drivers.storage.fakevolumes import FakeVolumes
from minicloud.drivers.storage.layers import Layers
from minicloud.drivers.storage.volumefiles import DEEPEST, VolumeFiles

pytestmark = pytest.mark.anyio
Open = Callable[[], VolumeStore]
A, B, C, S, T = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abcde")


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
    """Opens the same backend again, as after a restart."""
    if keeper == "fake":
        return lambda: FakeVolumes(StateLog(tmp_path / "world.jsonl"), "volumes")
    return lambda: VolumeFiles(tmp_path / "storage", BaseCache(tmp_path / "_base"))


async def an_image(store: VolumeStore, content: bytes) -> Base:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    return await store.ensure_base(hashlib.sha512(content).hexdigest(), "raw", chunks)


async def test_a_volume_is_there_as_often_as_it_is_asked_for(opened: Open) -> None:
    for _ in range(2):
        made = await opened().ensure_volume(A, size_bytes=2 * GiB)
        assert (made.volume_id, made.virtual_size) == (A, 2 * GiB)
    assert await opened().volumes() == [A]
    assert await opened().volume(A) == made
    for _ in range(2):
        await opened().ensure_no_volume(A)
    assert await opened().volumes() == []
    with pytest.raises(NotFound):
        await opened().volume(A)


async def test_a_volume_grows_and_does_not_shrink(opened: Open) -> None:
    await opened().ensure_volume(A, size_bytes=GiB)
    assert (await opened().ensure_size(A, 3 * GiB)).virtual_size == 3 * GiB
    assert (await opened().ensure_size(A, 2 * GiB)).virtual_size == 3 * GiB
    with pytest.raises(NotFound):
        await opened().ensure_size(B, GiB)


def begins_sparse(path: str, content: bytes) -> bool:
    return Path(path).read_bytes()[: len(content)] == content and Path(path).stat().st_blocks * 512 < 4 << 20


async def test_a_volume_can_come_to_be_shared_whatever_it_stood_on(opened: Open, keeper: str) -> None:
    store = opened()
    base = await an_image(store, b"written".ljust(1 << 20, b"."))
    made = await store.ensure_volume(A, size_bytes=GiB, base=base)
    await store.ensure_snapshot(S, A)
    for _ in range(2):
        shared = await opened().ensure_shared(A)
        assert (made.format, shared.format, shared.virtual_size) == ("qcow2", "raw", GiB)
    if keeper == "files":
        assert begins_sparse(shared.path, b"written")
        # A crash left both files: the raw one counts, and both go with the volume.
        shutil.copy(shared.path, made.path)
        assert (await opened().volumes(), (await opened().volume(A)).format) == ([A], "raw")
    await store.ensure_no_volume(A)
    assert await opened().volumes() == []
    assert await opened().snapshots() == [S]
    assert (await store.ensure_volume(B, size_bytes=GiB, snapshot_id=S)).virtual_size == GiB
    with pytest.raises(NotFound):
        await store.ensure_shared(C)


async def test_a_volume_comes_from_another_backend_with_all_that_it_stood_on(opened: Open, keeper: str) -> None:
    store, other = opened(), opened()
    base = await an_image(store, b"w" * (1 << 20))
    source = await store.ensure_volume(A, size_bytes=GiB, base=base)
    for shared in (False, False, True, False):
        # Whatever an earlier try left there is replaced.
        made = await other.ensure_imported(B, path=source.path, format=source.format, size_bytes=GiB, shared=shared)
        assert (made.format, made.virtual_size) == ("raw" if shared else "qcow2", GiB)
        assert await opened().volume(B) == made
        if shared and keeper == "files":
            assert begins_sparse(made.path, b"www")
    await store.ensure_no_volume(A)
    assert (await opened().volumes(), await opened().snapshots()) == ([B], [])
    if keeper == "files":
        assert (has(made.path, "w"), has(made.path, "\0", 1 << 20), chain(made.path)) == (True, True, 1)
        with pytest.raises(Failed):
            await other.ensure_imported(C, path=source.path, format="qcow2", size_bytes=GiB)
        assert await opened().volumes() == [B]


async def test_a_copy_is_at_least_as_large(opened: Open) -> None:
    store = opened()
    await store.ensure_volume(A, size_bytes=2 * GiB)
    await store.ensure_snapshot(S, A)
    for wanted in (
        store.ensure_volume(B, size_bytes=GiB, snapshot_id=S),
        store.ensure_clone(B, size_bytes=GiB, source_id=A),
    ):
        with pytest.raises(Invalid):
            await wanted
    with pytest.raises(NotFound):
        await store.ensure_volume(B, size_bytes=GiB, snapshot_id=T)
    with pytest.raises(NotFound):
        await store.ensure_clone(B, size_bytes=GiB, source_id=C)
    assert await store.volumes() == [A]


async def test_snapshots_are_taken_once_and_go(opened: Open) -> None:
    await opened().ensure_volume(A, size_bytes=GiB)
    for _ in range(2):
        await opened().ensure_snapshot(S, A)
    assert await opened().snapshots() == [S]
    assert (await opened().ensure_reverted(A, S, size_bytes=GiB)).virtual_size == GiB
    for _ in range(2):
        await opened().ensure_no_snapshot(S)
    assert await opened().snapshots() == []
    assert await opened().volumes() == [A]
    with pytest.raises(NotFound):
        await opened().ensure_snapshot(S, B)


async def test_a_copy_that_a_guest_made_is_the_snapshot(opened: Open) -> None:
    store = opened()
    await store.ensure_volume(A, size_bytes=GiB)
    blank = await store.prepare_copy(S, A)
    assert blank.virtual_size == GiB
    for _ in range(2):
        await store.ensure_snapshot(S, A, copied=True)
    await store.prepare_copy(B, A)
    assert (await store.ensure_clone(B, size_bytes=2 * GiB, source_id=A, copied=True)).virtual_size == 2 * GiB
    with pytest.raises(NotFound):
        await store.prepare_copy(S, C)
    assert (await store.snapshots(), await store.volumes()) == ([S], [A, B])


async def test_what_a_volume_gives_away(opened: Open) -> None:
    await opened().ensure_volume(A, size_bytes=64 << 20)
    pieces = [piece async for piece in opened().content(A, "raw")]
    assert pieces
    with pytest.raises(Invalid):
        await anext(aiter(opened().content(A, "iso")))
    with pytest.raises(NotFound):
        await anext(aiter(opened().content(B, "raw")))


async def test_room_is_told(opened: Open) -> None:
    room = await opened().capacity()
    assert 0 < room.free_bytes <= room.total_bytes


def put(path: str, text: str, at: int = 0, size: str = "64k") -> None:
    """Write as a guest would."""
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", f"write -P {ord(text)} {at} {size}", path], check=True, capture_output=True
    )


def has(path: str, text: str, at: int = 0) -> bool:
    """Whether this is what a guest would read."""
    pattern = 0 if text == "\0" else ord(text)
    done = subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", f"read -P {pattern} {at} 64k", path],
        check=True,
        capture_output=True,
        text=True,
    )
    return "Pattern verification failed" not in done.stdout


def chain(path: str) -> int:
    """How many files a read may have to look through."""
    argv = ["qemu-img", "info", "--backing-chain", "--output=json", path]
    return len(json.loads(subprocess.run(argv, check=True, capture_output=True).stdout))


needs_files = pytest.mark.parametrize("keeper", [pytest.param("files", marks=pytest.mark.qemu)], indirect=False)


@needs_files
async def test_bytes_stay_what_they_were_when_they_were_frozen(opened: Open, keeper: str) -> None:
    store = opened()
    base = await an_image(store, b"i" * (1 << 20))
    first = (await store.ensure_volume(A, size_bytes=GiB, base=base)).path
    assert has(first, "i")
    put(first, "1")
    await store.ensure_snapshot(S, A)
    put(first, "2")
    clone = (await store.ensure_clone(B, size_bytes=2 * GiB, source_id=A)).path
    put(first, "3")
    kept = (await store.ensure_volume(C, size_bytes=GiB, snapshot_id=S)).path
    assert (has(first, "3"), has(clone, "2"), has(kept, "1")) == (True, True, True)
    assert has(clone, "i", 128 << 10), "what was never written comes from the image"
    put(kept, "4")
    await store.ensure_no_snapshot(S)
    await store.ensure_no_volume(A)
    again = opened()
    assert (has(clone, "2"), has(kept, "4"), has(kept, "i", 128 << 10)) == (True, True, True)
    await again.ensure_no_volume(B)
    await again.ensure_no_volume(C)


@needs_files
async def test_what_a_guest_copied_is_what_the_snapshot_and_the_clone_hold(opened: Open, keeper: str) -> None:
    store = opened()
    path = (await store.ensure_volume(A, size_bytes=GiB)).path
    put(path, "1")
    for copy, letter in ((S, "s"), (B, "b")):
        put((await store.prepare_copy(copy, A)).path, letter)
    await store.ensure_snapshot(S, A, copied=True)
    clone = (await store.ensure_clone(B, size_bytes=GiB, source_id=A, copied=True)).path
    kept = (await store.ensure_volume(C, size_bytes=GiB, snapshot_id=S)).path
    assert (has(path, "1"), has(kept, "s"), has(clone, "b"), chain(path)) == (True, True, True, 1)
    assert not list(Path(path).parents[1].rglob(".*"))


async def test_a_volume_for_several_machines_is_a_raw_file(opened: Open) -> None:
    shared = await opened().ensure_volume(A, size_bytes=GiB, shared=True)
    assert (shared.format, shared.virtual_size) == ("raw", GiB)
    assert (await opened().ensure_size(A, 2 * GiB)).virtual_size == 2 * GiB
    await opened().ensure_snapshot(S, A)
    copy = await opened().ensure_volume(B, size_bytes=2 * GiB, snapshot_id=S, shared=True)
    clone = await opened().ensure_clone(C, size_bytes=3 * GiB, source_id=A)
    assert (copy.format, clone.format, clone.virtual_size) == ("raw", "qcow2", 3 * GiB)
    assert (await opened().ensure_reverted(A, S, size_bytes=2 * GiB)).format == "raw"
    assert await opened().volumes() == [A, B, C]
    for volume in (A, B, C):
        await opened().ensure_no_volume(volume)
    assert await opened().volumes() == []


@needs_files
async def test_nothing_is_left_of_what_nobody_needs(opened: Open, tmp_path: Path, keeper: str) -> None:
    store = opened()
    base = await an_image(store, b"i" * (1 << 20))
    await store.ensure_volume(A, size_bytes=GiB, base=base)
    for snapshot in (S, T):
        await store.ensure_snapshot(snapshot, A)
    await store.ensure_clone(B, size_bytes=GiB, source_id=A)
    for snapshot in (S, T):
        await store.ensure_no_snapshot(snapshot)
    for volume in (A, B):
        await store.ensure_no_volume(volume)
    assert [path for path in (tmp_path / "storage").rglob("*") if path.is_file()] == []


@needs_files
async def test_a_process_that_died_half_way_is_gone_on_with(opened: Open, tmp_path: Path, keeper: str) -> None:
    store = opened()
    path = (await store.ensure_volume(A, size_bytes=GiB)).path
    put(path, "1")
    (tmp_path / "storage" / "volumes" / f".{A}.{S}.part").write_bytes(b"half")
    (tmp_path / "storage" / "volumes" / f".{B}.new.part").write_bytes(b"half")
    await opened().ensure_snapshot(S, A)
    put(path, "2")
    kept = (await opened().ensure_volume(B, size_bytes=GiB, snapshot_id=S)).path
    assert (has(path, "2"), has(kept, "1")) == (True, True)
    await store.prepare_copy(T, A)
    await opened().ensure_no_snapshot(T)
    assert has(path, "2")
    assert not list((tmp_path / "storage").rglob(".*"))


@needs_files
async def test_older_layers_stay_while_newer_ones_stand_on_them(opened: Open, keeper: str) -> None:
    store = opened()
    path = (await store.ensure_volume(A, size_bytes=GiB)).path
    put(path, "1")
    await store.ensure_snapshot(S, A)
    put(path, "2", 1 << 20)
    await store.ensure_snapshot(T, A)
    await store.ensure_no_snapshot(S)
    assert (has(path, "1"), has(path, "2", 1 << 20)) == (True, True)
    kept = (await store.ensure_volume(B, size_bytes=GiB, snapshot_id=T)).path
    await store.ensure_no_volume(A)
    await store.ensure_no_snapshot(T)
    assert (has(kept, "1"), has(kept, "2", 1 << 20)) == (True, True)


@needs_files
async def test_reverting_brings_back_what_was_there(opened: Open, keeper: str) -> None:
    store = opened()
    path = (await store.ensure_volume(A, size_bytes=GiB)).path
    put(path, "1")
    await store.ensure_snapshot(S, A)
    put(path, "2")
    reverted = (await store.ensure_reverted(A, S, size_bytes=GiB)).path
    assert has(reverted, "1")
    put(reverted, "3")
    assert has((await store.ensure_reverted(A, S, size_bytes=GiB)).path, "1")


@needs_files
async def test_a_clone_of_ten_gigabytes_copies_no_byte(opened: Open, tmp_path: Path) -> None:
    store = opened()
    volume = (await store.ensure_volume(A, size_bytes=10 * GiB)).path
    put(volume, "1", size="16M")
    before = occupied(tmp_path)
    for number in range(3):
        await store.ensure_clone(f"{number}{B[1:]}", size_bytes=10 * GiB, source_id=A)
    # Three new files of headers only: the bench measures how long that takes.
    assert before >= GiB // 64
    assert occupied(tmp_path) - before < GiB // 512


def occupied(folder: Path) -> int:
    """What all files of a folder take of the disk, in bytes."""
    return sum(
        {(found := path.stat()).st_ino: found.st_blocks * 512 for path in folder.rglob("*") if path.is_file()}.values()
    )


@needs_files
async def test_chains_do_not_grow_for_ever(opened: Open, keeper: str) -> None:
    store = opened()
    path = (await store.ensure_volume(A, size_bytes=GiB)).path
    put(path, "1")
    for number in range(DEEPEST + 2):
        snapshot = f"{number:08}{S[8:]}"
        await store.ensure_snapshot(snapshot, A)
        put(path, "1", at=(number + 1) << 20)
    assert chain(path) <= DEEPEST + 1
    assert has(path, "1", at=(DEEPEST + 2) << 20)
    assert has(path, "1")


@needs_files
async def test_what_is_given_away_is_no_remains_of_an_earlier_life(opened: Open, keeper: str) -> None:
    """A backup that goes on after a restart writes a file beside the volumes, where others sweep first."""
    path = Path((await opened().ensure_volume(A, size_bytes=64 << 20)).path)
    remains = path.with_name(".left.part")
    remains.touch()
    store: Any = opened()
    async with aclosing(store.content(A, "raw")) as first, aclosing(store.content(A, "raw")) as second:
        assert await anext(first) == await anext(second)
        assert not remains.exists(), "swept before anything is written"
        assert len(list(path.parent.glob(".*"))) == 2, "each has a file of its own"
    assert not list(path.parent.glob(".*"))


@pytest.mark.qemu
def test_several_volumes_at_once_get_the_new_file_of_an_image(tmp_path: Path) -> None:
    """Its old file has gone from the cache, and was fetched again."""
    layers = Layers(tmp_path)
    layers.make_folders()
    cached = tmp_path / "cached"
    base = Base(checksum="c" * 128, path=str(cached), format="raw", virtual_size=512)
    together = Barrier(8)

    def lend() -> Path:
        together.wait()
        return layers.lend_image(base)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            fresh = tmp_path / "fresh"
            fresh.write_bytes(b"i" * 512)
            fresh.replace(cached)
            lent = [pool.submit(lend) for _ in range(8)]
            assert all(one.result().samefile(cached) for one in lent)
    assert [path.name for path in (tmp_path / "layers").iterdir()] == [f"image-{base.checksum}.raw"]
