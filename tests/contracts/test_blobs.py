"""The blobs promise, on every keeper: whole or not at all, checksums, ranges, limits; and what a folder must bear."""

import gc
import hashlib
import os
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound, RangeNotSatisfiable, TooLarge, Unavailable
from minicloud.engines.blobs import BlobFacts, Blobs, MiB, writeback
from minicloud.engines.blobs.directory import DirectoryBlobs
from minicloud.engines.blobs.incoming import Incoming
from minicloud.engines.blobs.memory import MemoryBlobs

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture(params=["memory", "directory"])
def blobs(request: pytest.FixtureRequest, root: Path) -> Blobs:
    return MemoryBlobs() if request.param == "memory" else DirectoryBlobs(str(root))


@pytest.fixture
def directory(root: Path) -> DirectoryBlobs:
    return DirectoryBlobs(str(root))


async def stream_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await anyio.lowlevel.checkpoint()
        yield chunk


async def content_of(blobs: Blobs, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.get(key, offset=offset, length=length)])


def facts_of(content: bytes) -> BlobFacts:
    return BlobFacts(len(content), hashlib.md5(content).hexdigest(), hashlib.sha512(content).hexdigest())


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def modes_below(root: Path) -> set[tuple[bool, int]]:
    """Whether it is a file, and its permissions, for the folder and all in it."""
    return {(place.is_file(), place.stat().st_mode & 0o777) for place in (root, *root.rglob("*"))}


@pytest.mark.parametrize(
    "sizes",
    [(), (0,), (1,), (5, 0, 7), (MiB,), (4 * MiB - 1, 1, 1), (65536,) * 200, (3_000_001,) * 7, (30 * MiB,)],
    ids=lambda sizes: "+".join(map(str, sizes[:3])) + ("..." if len(sizes) > 3 else ""),
)
async def test_what_was_put_comes_back_with_its_checksums(blobs: Blobs, sizes: tuple[int, ...]) -> None:
    chunks = [os.urandom(size) for size in sizes]
    content = b"".join(chunks)
    assert await blobs.put("image-1", stream_of(*chunks)) == facts_of(content)
    assert await blobs.size("image-1") == len(content)
    assert await content_of(blobs, "image-1") == content


async def test_chunks_are_never_larger_than_a_mebibyte(blobs: Blobs) -> None:
    await blobs.put("image-1", stream_of(bytes(5 * MiB + 3)))
    sizes = [len(chunk) async for chunk in blobs.get("image-1", offset=1)]
    assert sum(sizes) == 5 * MiB + 2
    assert max(sizes) <= MiB
    assert min(sizes) > 0


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (8, 100, b"89"),
        (10, None, b""),
        (10, 5, b""),
        (4, 0, b""),
    ],
)
async def test_a_range_brings_just_that(blobs: Blobs, offset: int, length: int | None, expected: bytes) -> None:
    await blobs.put("image-1", stream_of(b"01234", b"56789"))
    assert await content_of(blobs, "image-1", offset=offset, length=length) == expected


async def test_a_range_beyond_the_end_or_below_nothing_is_refused(blobs: Blobs) -> None:
    await blobs.put("image-1", stream_of(b"0123456789"))
    with pytest.raises(RangeNotSatisfiable, match="10 bytes"):
        await content_of(blobs, "image-1", offset=11)
    with pytest.raises(Invalid):
        await content_of(blobs, "image-1", offset=-1)
    with pytest.raises(Invalid):
        await content_of(blobs, "image-1", length=-1)


async def test_what_is_not_there_is_not_found_and_deleting_it_is_fine(blobs: Blobs) -> None:
    with pytest.raises(NotFound, match="image-1"):
        await blobs.size("image-1")
    with pytest.raises(NotFound, match="image-1"):
        await content_of(blobs, "image-1")
    await blobs.delete("image-1")
    assert await blobs.keys() == []
    assert blobs.path("image-1") is None


async def test_keys_are_listed_and_deleted_ones_are_gone(blobs: Blobs) -> None:
    for key in ("b7", "a1", "A.b_c-9", "x"):
        await blobs.put(key, stream_of(key.encode()))
    await blobs.delete("a1")
    assert await blobs.keys() == ["A.b_c-9", "b7", "x"]
    assert await content_of(blobs, "x") == b"x"
    with pytest.raises(NotFound):
        await blobs.size("a1")


@pytest.mark.parametrize("key", ["", ".", "..", "../a", "a/b", "/etc/passwd", ".hidden", "a\0b", "a b", "ä", "a" * 129])
async def test_keys_that_could_leave_the_folder_are_refused_everywhere(blobs: Blobs, key: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: blobs.put(key, stream_of(b"x")),
        lambda: content_of(blobs, key),
        lambda: blobs.size(key),
        lambda: blobs.delete(key),
    ]
    for call in calls:
        with pytest.raises(Invalid) as refused:
            await call()
        assert refused.value.kind == "bad_key"
    with pytest.raises(Invalid):
        blobs.path(key)
    assert await blobs.keys() == []


async def test_just_the_limit_is_allowed_and_one_byte_more_leaves_nothing(blobs: Blobs) -> None:
    asked: list[int] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            asked.append(1)
            yield bytes(100_000)

    assert (await blobs.put("fits", stream_of(bytes(700), bytes(300)), limit_bytes=1000)).size == 1000
    with pytest.raises(TooLarge, match="1000"):
        await blobs.put("over", stream_of(bytes(700), bytes(301)), limit_bytes=1000)
    async with aclosing(endless()) as stream:
        with pytest.raises(TooLarge):
            await blobs.put("endless", stream, limit_bytes=10 * MiB)
    assert len(asked) == 10 * MiB // 100_000 + 1
    assert await blobs.keys() == ["fits"]


async def test_a_blob_never_changes_a_taken_key_is_refused_before_anything_is_read(blobs: Blobs) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    await blobs.put("image-1", stream_of(b"first"))
    with pytest.raises(Conflict, match="image-1") as refused:
        await blobs.put("image-1", unread())
    assert refused.value.kind == "blob_exists"
    assert await content_of(blobs, "image-1") == b"first"
    await blobs.delete("image-1")
    await blobs.put("image-1", stream_of(b"second"))
    assert await content_of(blobs, "image-1") == b"second"


async def test_of_two_that_race_for_a_key_one_wins_whole(blobs: Blobs) -> None:
    won: list[bytes] = []
    lost: list[bytes] = []

    async def put(byte: bytes) -> None:
        try:
            await blobs.put("image-1", stream_of(*[byte * 100_000] * 60))
            won.append(byte)
        except Conflict:
            lost.append(byte)

    async with anyio.create_task_group() as tasks:
        for byte in (b"a", b"b", b"c"):
            tasks.start_soon(put, byte)
    assert len(won) == 1
    assert len(lost) == 2
    assert await content_of(blobs, "image-1") == won[0] * 6_000_000


async def test_a_reader_survives_a_delete(blobs: Blobs) -> None:
    await blobs.put("image-1", stream_of(b"a" * 3 * MiB))
    async with aclosing(blobs.get("image-1")) as reading:
        first = await anext(reading)
        await blobs.delete("image-1")
        assert len(first + b"".join([chunk async for chunk in reading])) == 3 * MiB


class ClientLeft(Exception):
    """What a stream raises when its sender hangs up."""


async def test_a_stream_that_breaks_leaves_nothing_and_may_be_tried_again(blobs: Blobs) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MiB)
        raise ClientLeft

    with pytest.raises(ClientLeft):
        await blobs.put("image-1", broken())
    assert await blobs.keys() == []
    await blobs.put("image-1", stream_of(b"second try"))
    assert await content_of(blobs, "image-1") == b"second try"


async def test_a_cancelled_put_leaves_nothing(blobs: Blobs) -> None:
    async def stuck() -> AsyncGenerator[bytes, None]:
        for _ in range(20):
            yield bytes(MiB)
        scope.cancel()
        await anyio.sleep_forever()

    async with aclosing(stuck()) as stream:
        with anyio.CancelScope() as scope:
            await blobs.put("image-1", stream)
    assert scope.cancelled_caught
    assert await blobs.keys() == []


async def test_many_at_once_do_not_mix(blobs: Blobs) -> None:
    contents = {f"image-{number}": os.urandom(5 * MiB + number) for number in range(6)}
    facts: dict[str, BlobFacts] = {}

    async def put(key: str) -> None:
        content = contents[key]
        facts[key] = await blobs.put(
            key, stream_of(*(content[at : at + 100_001] for at in range(0, len(content), 100_001)))
        )

    async with anyio.create_task_group() as tasks:
        for key in contents:
            tasks.start_soon(put, key)
    assert facts == {key: facts_of(content) for key, content in contents.items()}
    for key, content in contents.items():
        assert await content_of(blobs, key) == content


async def test_a_folder_keeps_blobs_over_a_restart_as_private_files(directory: DirectoryBlobs, root: Path) -> None:
    await directory.put("image-1", stream_of(b"content"))
    path = directory.path("image-1")
    assert path == str(root / "im" / "image-1")
    assert await content_of(DirectoryBlobs(str(root)), "image-1") == b"content"
    assert modes_below(root) == {(True, 0o600), (False, 0o700)}
    with open(str(path), "rb") as file:  # noqa: ASYNC230 - seven bytes, as another program would read them
        assert file.read() == b"content"


async def test_failed_puts_leave_no_file_behind(directory: DirectoryBlobs, root: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(9 * MiB)
        raise ClientLeft

    with pytest.raises(ClientLeft):
        await directory.put("image-1", broken())
    with pytest.raises(TooLarge):
        await directory.put("image-1", stream_of(bytes(9 * MiB)), limit_bytes=MiB)
    assert files_below(root) == []


async def test_nothing_is_visible_before_it_is_whole(directory: DirectoryBlobs) -> None:
    async def watching() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(MiB)
            assert await directory.keys() == []
            assert directory.path("image-1") is None

    await directory.put("image-1", watching())
    assert await directory.keys() == ["image-1"]


INTERRUPTED = """
import os, signal, sys, anyio
from minicloud.engines.blobs.directory import DirectoryBlobs
async def stream():
    for _ in range(10):
        yield bytes(1 << 20)
    os.kill(os.getpid(), signal.SIGKILL)
anyio.run(DirectoryBlobs(sys.argv[1]).put, "image-1", stream())
"""


@pytest.mark.crash
async def test_what_a_killed_process_left_is_removed_at_the_next_opening(root: Path) -> None:
    died = await anyio.run_process([sys.executable, "-c", INTERRUPTED, str(root)], check=False)
    assert died.returncode == -9
    assert len(files_below(root)) == 1
    blobs = DirectoryBlobs(str(root))
    assert files_below(root) == []
    assert await blobs.keys() == []


async def test_opening_a_folder_twice_spares_what_is_under_way(directory: DirectoryBlobs, root: Path) -> None:
    async def second_opening() -> AsyncIterator[bytes]:
        yield bytes(9 * MiB)
        DirectoryBlobs(str(root))
        yield b"end"

    assert (await directory.put("image-1", second_opening())).size == 9 * MiB + 3
    assert await directory.size("image-1") == 9 * MiB + 3


FULL_DISK = """
import resource, sys, anyio
from minicloud.base.errors import Unavailable
from minicloud.engines.blobs.directory import DirectoryBlobs
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000))
async def stream(size):
    for _ in range(size):
        yield bytes(1 << 20)
async def main():
    blobs = DirectoryBlobs(sys.argv[1])
    for size in (11, 100):
        try:
            await blobs.put("image-1", stream(size))
        except Unavailable as error:
            print(error.kind, "|", error.message)
    print((await blobs.put("image-2", stream(9))).size, await blobs.keys())
anyio.run(main)
"""


def test_a_full_disk_is_told_and_leaves_nothing(root: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(root)], capture_output=True, text=True, timeout=60, check=True
    )
    first, second, third = ran.stdout.splitlines()
    for line in (first, second):
        assert line.startswith("disk_full | No room left in")
    assert third == f"{9 * MiB} ['image-2']"
    assert files_below(root) == ["im/image-2"]


async def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be used"):
        DirectoryBlobs(str(tmp_path / "file" / "blobs"))


async def test_a_folder_removed_under_us_is_not_called_a_missing_blob(directory: DirectoryBlobs, root: Path) -> None:
    os.rmdir(root / "incoming")
    os.rmdir(root)
    with pytest.raises(Unavailable) as gone:
        await directory.put("image-1", stream_of(b"x"))
    assert gone.value.kind == "disk_broken"


async def test_a_file_cut_short_while_it_is_read_is_told(directory: DirectoryBlobs) -> None:
    await directory.put("image-1", stream_of(bytes(3 * MiB)))
    path = directory.path("image-1")
    assert path is not None
    async with aclosing(directory.get("image-1")) as reading:
        await anext(reading)
        os.truncate(path, MiB)
        with pytest.raises(Unavailable, match="too soon"):
            await anext(reading)


async def test_strangers_in_the_folder_are_overlooked(directory: DirectoryBlobs, root: Path) -> None:
    (root / "README").write_text("hello")
    await directory.put("image-1", stream_of(b"x"))
    assert await directory.keys() == ["image-1"]


async def test_a_put_stands_in_the_trace(directory: DirectoryBlobs) -> None:
    recording = trace.Recording()
    with trace.recording(recording):
        await directory.put("image-1", stream_of(b"12345"))
    (facts,) = recording.facts("blob_put")
    assert (facts["key"], facts["size"]) == ("image-1", 5)


async def test_the_loop_goes_on_while_a_large_blob_comes_in(directory: DirectoryBlobs) -> None:
    """One chunk of 64 MiB takes tenths of a second to hash: others must get their turns meanwhile."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await anyio.sleep(0.001)
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        await directory.put("image-1", stream_of(bytes(64 * MiB)))
        tasks.cancel_scope.cancel()
    assert turns >= 20


def test_few_blocks_are_in_memory_and_none_once_the_blob_is_done(tmp_path: Path) -> None:
    """Neither does a fast sender fill the memory, nor does what was filled wait until garbage is looked for."""
    incoming = Incoming.begin(str(tmp_path / "one"))
    gone = weakref.ref(incoming)
    tracemalloc.start()
    try:
        for _ in range(40):
            incoming.add(bytes(MiB))
            while incoming.behind():
                incoming.catch_up()
        assert tracemalloc.get_traced_memory()[1] < 16 * MiB
    finally:
        tracemalloc.stop()
    assert incoming.complete().size == 40 * MiB
    gc.disable()
    try:
        incoming.close()
        del incoming
        assert gone() is None
    finally:
        gc.enable()


def test_what_was_written_may_go_to_the_disk_at_once_and_a_file_that_cannot_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    try:
        writeback.begin(writing, 0, MiB)
    finally:
        os.close(reading)
        os.close(writing)
    with open(tmp_path / "one", "wb", buffering=0) as file:
        file.write(bytes(MiB))
        writeback.begin(file.fileno(), 0, MiB)
    assert (tmp_path / "one").read_bytes() == bytes(MiB)
