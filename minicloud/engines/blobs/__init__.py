"""The blobs promise: large byte streams under a key, such as the data of images. Keepers: ``directory``, ``memory`` (the fake).

A blob appears whole or not at all and never changes once it is there; who is reading one goes on reading it although it is
deleted. Keys are ids, not file names that users chose.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

import msgspec

from minicloud.base.errors import Conflict, Invalid, RangeNotSatisfiable

MiB = 1 << 20

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class BlobFacts(msgspec.Struct, frozen=True):
    """What was put: size in bytes, and checksums in hexadecimal."""

    size: int
    md5: str
    sha512: str


class Blobs(Protocol):
    """Keeps byte streams. Every method raises Invalid for a key that is not letters, digits, ``.``, ``_`` and ``-``."""

    async def put(self, key: str, stream: AsyncIterator[bytes], *, limit_bytes: int | None = None) -> BlobFacts:
        """Keep what the stream brings, whole and durable when this returns. Unless it succeeds, nothing is left of it.

        Raises:
            Conflict: kind ``blob_exists``, the key is taken; told before the stream is read, unless two race for it.
            TooLarge: more than ``limit_bytes`` came; the rest was not read.
            Unavailable: kind ``disk_full`` or ``disk_broken``.
            Any error of the stream itself.
        """

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from ``offset`` on, at most ``length`` of them, in chunks of up to 1 MiB, read as they are asked for.

        Errors come with the first chunk; whoever must know before asks ``size``. Whoever may stop halfway closes it
        (``contextlib.aclosing``).

        Raises:
            NotFound: kind ``no_blob``.
            RangeNotSatisfiable: ``offset`` lies beyond the end. (At the end: no bytes.)
            Unavailable: kind ``disk_broken``.
        """

    async def size(self, key: str) -> int:
        """Bytes of the blob. Raises NotFound, kind ``no_blob``."""

    async def delete(self, key: str) -> None:
        """There is no such blob; content with absence."""

    async def keys(self) -> list[str]:
        """The keys of all blobs, sorted."""

    def path(self, key: str) -> str | None:
        """Where the blob lies as a local file, for programs that read it themselves; None when it is no local file."""


def check_key(key: str) -> str:
    """The key, if it may be one. Raises Invalid, kind ``bad_key``."""
    if not _KEY.fullmatch(key):
        raise Invalid(
            f"{key[:200]!r} cannot be the key of a blob: 1 to 128 letters, digits, '.', '_' and '-', the first a letter or digit",
            kind="bad_key",
        )
    return key


def taken(key: str) -> Conflict:
    """The error of a ``put`` to a key that has a blob."""
    return Conflict(f"a blob {key} is already there: delete it first, or use another key", kind="blob_exists")


def span_of(size: int, offset: int, length: int | None) -> int:
    """How many bytes a read from ``offset`` brings. Raises RangeNotSatisfiable, Invalid."""
    if offset < 0 or (length is not None and length < 0):
        raise Invalid(f"offset {offset} and length {length} of a read must not be negative", kind="bad_range")
    if offset > size:
        raise RangeNotSatisfiable(f"offset {offset} lies beyond the end ({size} bytes)", kind="bad_range", size=size)
    return size - offset if length is None else min(length, size - offset)
