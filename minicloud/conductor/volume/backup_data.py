"""The bytes of backups in the blob store: chunks, of which an incremental backup keeps only those that changed.

Beside its chunks a backup has an index: for each chunk of the volume's file whether it is kept here, and its digest. What is
not kept here is the same as in the backup that this one builds on.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import msgspec

from minicloud.base.errors import Failed
from minicloud.core.volume.backups import DATA, INDEX
from minicloud.engines.blobs import Blobs

CHUNK = 64 << 10
_DIGEST = 32
_ENTRY = 1 + _DIGEST
_RUN = 256
"""Chunks that are read in one go where they lie side by side."""


class Kept(msgspec.Struct, frozen=True):
    """What was kept of a backup: chunks, and bytes."""

    chunks: int
    size: int


def key(data_id: str) -> str:
    """The key of the blob with a backup's chunks."""
    return f"{DATA}{data_id}"


async def ensure_kept(blobs: Blobs, source: str, data_id: str, parents: Sequence[str]) -> Kept:
    """The bytes of the blob ``source`` are kept as a backup that builds on ``parents``, the whole one first.

    Memory: the indexes, 33 bytes for each 64 KiB.
    """
    before = await _index(blobs, parents[-1]) if parents else b""
    entries = bytearray()
    kept = 0

    async def changed() -> AsyncIterator[bytes]:
        nonlocal kept
        async with aclosing(_chunks(blobs.get(source))) as chunks:
            async for chunk in chunks:
                digest = hashlib.sha256(chunk).digest()
                at = len(entries) + 1
                new = before[at : at + _DIGEST] != digest
                entries.extend(bytes([new]) + digest)
                if new:
                    kept += 1
                    yield chunk

    await ensure_none(blobs, data_id)
    facts = await blobs.put(key(data_id), changed())

    async def index() -> AsyncIterator[bytes]:
        yield bytes(entries)

    await blobs.put(key(data_id) + INDEX, index())
    return Kept(kept, facts.size)


async def ensure_none(blobs: Blobs, data_id: str) -> None:
    """Nothing is kept of the backup."""
    await blobs.delete(key(data_id))
    await blobs.delete(key(data_id) + INDEX)


async def whole(blobs: Blobs, data_ids: Sequence[str]) -> AsyncGenerator[bytes, None]:
    """The bytes that a backup stands for, put together from the backups it is made of, the whole one first.

    Raises Failed where a chunk is missing, or is not what was kept.
    """
    indexes = [await _index(blobs, data_id) for data_id in data_ids]
    places = _Places(indexes)
    sizes = [await blobs.size(key(data_id)) for data_id in data_ids]
    count = len(indexes[-1]) // _ENTRY
    at = 0
    while at < count:
        layer, first = places.next(at)
        run = 1
        while run < _RUN and at + run < count and places.peek(at + run) == (layer, first + run):
            run += 1
        for step in range(1, run):
            places.next(at + step)
        offset = first * CHUNK
        length = min(run * CHUNK, sizes[layer] - offset)
        kept = blobs.get(key(data_ids[layer]), offset=offset, length=length)
        async with aclosing(_checked(kept, indexes[-1], at)) as chunks:
            async for chunk in chunks:
                yield chunk
        at += run


async def _checked(kept: AsyncGenerator[bytes, None], index: bytes, at: int) -> AsyncGenerator[bytes, None]:
    """The chunks from this one on, each the one whose digest the index has."""
    async with aclosing(_chunks(kept)) as chunks:
        async for chunk in chunks:
            digest = index[at * _ENTRY + 1 : (at + 1) * _ENTRY]
            if hashlib.sha256(chunk).digest() != digest:
                raise Failed(f"The backup is broken: its chunk {at} is not what was kept")
            yield chunk
            at += 1


class _Places:
    """Where each chunk lies: in which layer, and which of its chunks it is there. Asked in order."""

    def __init__(self, indexes: Sequence[bytes]) -> None:
        self._indexes = indexes
        self._counts = [0] * len(indexes)

    def peek(self, at: int) -> tuple[int, int]:
        """The place of a chunk, all before it having been asked for."""
        for layer in range(len(self._indexes) - 1, -1, -1):
            index = self._indexes[layer]
            if at * _ENTRY < len(index) and index[at * _ENTRY]:
                return layer, self._counts[layer]
        raise Failed(f"The backup is broken: nobody has its chunk {at}")

    def next(self, at: int) -> tuple[int, int]:
        """As ``peek``, and go on."""
        place = self.peek(at)
        for layer, index in enumerate(self._indexes):
            if at * _ENTRY < len(index) and index[at * _ENTRY]:
                self._counts[layer] += 1
        return place


async def _index(blobs: Blobs, data_id: str) -> bytes:
    async with aclosing(blobs.get(key(data_id) + INDEX)) as pieces:
        return b"".join([piece async for piece in pieces])


async def _chunks(source: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    rest = bytearray()
    async with aclosing(source) as pieces:
        async for piece in pieces:
            rest += piece
            while len(rest) >= CHUNK:
                yield bytes(rest[:CHUNK])
                del rest[:CHUNK]
    if rest:
        yield bytes(rest)
