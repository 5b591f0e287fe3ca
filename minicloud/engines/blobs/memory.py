"""Blobs in memory: the fake, for clouds that leave nothing behind and for tests on a virtual clock."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator

import anyio

from minicloud.base.errors import NotFound, TooLarge
from minicloud.engines.blobs import BlobFacts, MiB, check_key, span_of, taken


class MemoryBlobs:
    """Keeps the blobs promise in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    async def put(self, key: str, stream: AsyncIterator[bytes], *, limit_bytes: int | None = None) -> BlobFacts:
        if check_key(key) in self._blobs:
            raise taken(key)
        content = bytearray()
        async for chunk in stream:
            content += chunk
            if limit_bytes is not None and len(content) > limit_bytes:
                raise TooLarge(f"more than {limit_bytes} bytes came for {key}", limit_bytes=limit_bytes)
        if key in self._blobs:
            raise taken(key)
        self._blobs[key] = bytes(content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return BlobFacts(len(content), md5, hashlib.sha512(content).hexdigest())

    async def get(self, key: str, *, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        content = self._blob(key)
        end = offset + span_of(len(content), offset, length)
        for start in range(offset, end, MiB):
            yield content[start : min(start + MiB, end)]
            await anyio.lowlevel.checkpoint()

    async def size(self, key: str) -> int:
        return len(self._blob(key))

    async def delete(self, key: str) -> None:
        self._blobs.pop(check_key(key), None)

    async def keys(self) -> list[str]:
        return sorted(self._blobs)

    def path(self, key: str) -> str | None:
        check_key(key)
        return None

    def _blob(self, key: str) -> bytes:
        content = self._blobs.get(check_key(key))
        if content is None:
            raise NotFound(f"there is no blob {key}", kind="no_blob")
        return content
