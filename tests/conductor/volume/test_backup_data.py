"""Backups' bytes: an incremental one keeps only the chunks that changed, and all of them together give back what was."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from minicloud.base.errors import Failed, NotFound
from minicloud.conductor.volume.backup_data import CHUNK, ensure_kept, ensure_none, key, whole
from minicloud.core.volume.backups import INDEX
from minicloud.engines.blobs.memory import MemoryBlobs

pytestmark = pytest.mark.anyio


async def put(blobs: MemoryBlobs, name: str, content: bytes) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 100_000):
            yield content[at : at + 100_000]

    await blobs.delete(name)
    await blobs.put(name, stream())


async def read(blobs: MemoryBlobs, chain: Sequence[str]) -> bytes:
    async with aclosing(whole(blobs, chain)) as pieces:
        return b"".join([piece async for piece in pieces])


async def test_each_backup_of_a_chain_gives_back_the_bytes_of_its_moment() -> None:
    chance = random.Random(7)
    blobs = MemoryBlobs()
    content = bytearray(chance.randbytes(CHUNK * 9 + 17))
    moments: list[bytes] = []
    chain: list[str] = []
    for step in range(5):
        await put(blobs, "source", bytes(content))
        kept = await ensure_kept(blobs, "source", f"b{step}", chain)
        chain = [*chain, f"b{step}"]
        moments.append(bytes(content))
        assert kept.chunks == (10 if step == 0 else kept.chunks)
        assert step == 0 or kept.chunks <= 4
        for _ in range(2):
            at = chance.randrange(len(content))
            content[at] ^= 255
        if step == 1:
            content += chance.randbytes(CHUNK // 2)
        if step == 2:
            del content[-CHUNK * 2 :]
    for step, moment in enumerate(moments):
        assert await read(blobs, chain[: step + 1]) == moment


async def test_nothing_changed_keeps_nothing_and_the_same_again_replaces_what_was() -> None:
    blobs = MemoryBlobs()
    await put(blobs, "source", b"x" * 1000)
    first = await ensure_kept(blobs, "source", "a", [])
    assert (first.chunks, first.size) == (1, 1000)
    assert await ensure_kept(blobs, "source", "a", []) == first
    second = await ensure_kept(blobs, "source", "b", ["a"])
    assert (second.chunks, second.size) == (0, 0)
    assert await read(blobs, ["a", "b"]) == b"x" * 1000
    await ensure_none(blobs, "a")
    await ensure_none(blobs, "a")
    with pytest.raises(NotFound):
        await read(blobs, ["a", "b"])
    assert await blobs.keys() == [key("b"), key("b") + INDEX, "source"]


async def test_a_chain_without_its_first_link_is_told_to_be_broken() -> None:
    blobs = MemoryBlobs()
    await put(blobs, "source", b"x" * 1000)
    await ensure_kept(blobs, "source", "a", [])
    await ensure_kept(blobs, "source", "b", ["a"])
    with pytest.raises(Failed, match="broken"):
        await read(blobs, ["b"])


async def test_a_chunk_that_is_not_what_was_kept_is_told_where_it_is() -> None:
    blobs = MemoryBlobs()
    content = bytearray(random.Random(7).randbytes(CHUNK * 5))
    await put(blobs, "source", bytes(content))
    await ensure_kept(blobs, "source", "a", [])
    content[CHUNK * 3] ^= 1
    await put(blobs, key("a"), bytes(content))
    with pytest.raises(Failed, match="its chunk 3 is not what was kept"):
        await read(blobs, ["a"])
