"""The blobs promise: large byte strings under a key, streamed in and out. Keepers: ``directory`` and ``memory``."""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec


class BlobFacts(msgspec.Struct, frozen=True):
    """What arrived: its size in bytes and its hashes in hexadecimal."""

    size: int
    md5: str
    sha512: str


class Blobs(Protocol):
    """Keeps blobs. Keys are of letters, digits, ``-``, ``_`` and ``.``; a blob never changes once it is there."""

    async def put(self, key: str, stream: AsyncIterator[bytes], *, limit_bytes: int | None = None) -> BlobFacts:
        """Take a stream in; the blob is there, whole and durable, when this returns, and else nothing is.

        Raises:
            TooLarge: more than ``limit_bytes``.
            Conflict: the key is taken.
            Unavailable: the disk is full.
        """

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes in pieces of at most 1 MiB. Raises NotFound (at the first piece) when there is no such blob."""

    async def size(self, key: str) -> int:
        """Bytes. Raises NotFound."""

    async def delete(self, key: str) -> None:
        """It is gone; content with absence."""

    async def keys(self) -> list[str]:
        """All keys."""

    def path(self, key: str) -> str | None:
        """Where the blob lies on this machine's disk, if this product has such a place."""
