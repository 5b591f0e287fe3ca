"""Blobs in memory: the fake, and enough for a cloud that leaves nothing behind."""

import hashlib
from collections.abc import AsyncIterator

from minicloud.base.errors import Conflict, NotFound, TooLarge
from minicloud.engines.blobs import BlobFacts

PIECE = 1 << 20


class MemoryBlobs:
    """Keeps the blobs promise in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    async def put(self, key: str, stream: AsyncIterator[bytes], *, limit_bytes: int | None = None) -> BlobFacts:
        if key in self._blobs:
            raise Conflict(f"A blob {key} is already there")
        data = bytearray()
        async for piece in stream:
            data += piece
            if limit_bytes is not None and len(data) > limit_bytes:
                raise TooLarge(f"The data is larger than the {limit_bytes} bytes allowed")
        self._blobs[key] = bytes(data)
        return BlobFacts(len(data), hashlib.md5(data, usedforsecurity=False).hexdigest(), hashlib.sha512(data).hexdigest())

    async def get(self, key: str, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        data = self._find(key)
        end = len(data) if length is None else min(len(data), offset + length)
        for at in range(offset, end, PIECE):
            yield data[at : min(end, at + PIECE)]

    async def size(self, key: str) -> int:
        return len(self._find(key))

    async def delete(self, key: str) -> None:
        self._blobs.pop(key, None)

    async def keys(self) -> list[str]:
        return sorted(self._blobs)

    def path(self, key: str) -> str | None:
        return None

    def _find(self, key: str) -> bytes:
        if key not in self._blobs:
            raise NotFound(f"There is no blob {key}")
        return self._blobs[key]
