"""The storage promise: disks of machines on one host, made from cached images. Keepers: ``fake`` and ``files`` (qcow2, raw).

Images arrive as byte streams, keyed by checksum, into ``_base``; a machine's root disk is a copy-on-write overlay on one.
Verbs are named for the state they bring about and may be repeated after a crash; nothing half-made is ever visible.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Literal, Protocol

import msgspec

GiB = 1 << 30


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the cache: where it lies, its stated format, and the size that a guest sees (bytes)."""

    checksum: str
    path: str
    format: Literal["raw", "qcow2"]
    virtual_size: int


class DiskFile(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's disk: ``name`` such as ``disk``, ``disk.config``; absolute ``path``; size in bytes as the guest sees it."""

    machine_id: str
    name: str
    path: str
    format: Literal["raw", "qcow2"]
    virtual_size: int


Fetch = Callable[[], AsyncIterator[bytes]]
"""Opens the image's byte stream; called only when the cache lacks it."""


class Storage(Protocol):
    """Keeps the disks of one host."""

    async def ensure_base(self, checksum: str, format: str, fetch: Fetch) -> Base:
        """The image with this checksum (``sha512`` hex of its bytes) is in the cache; bytes that do not match are refused.

        Raises Failed (checksum differs, image corrupt, disk full), ToolMissing, and what ``fetch`` raises.
        """

    async def ensure_disk(self, machine_id: str, name: str, *, base: Base | None, size_bytes: int) -> DiskFile:
        """The machine has this disk: an overlay on ``base`` grown to ``size_bytes`` (0: as large as the base), or blank.

        ``name`` is ``disk`` or ``disk.something``. A disk that exists is kept, and grown when it is smaller than wished (its
        machine must be off). Raises Invalid when the base or the disk is larger than ``size_bytes``; Failed (disk full).
        """

    async def ensure_file(self, machine_id: str, name: str, content: bytes) -> DiskFile:
        """The machine has a raw disk with exactly this content (a config drive)."""

    async def disk(self, machine_id: str, name: str) -> DiskFile | None:
        """One disk that ``ensure_disk`` or ``ensure_copy`` made (no plain file), or None when there is none of this name."""

    async def ensure_copy(self, machine_id: str, name: str, of: str) -> DiskFile:
        """The machine has another disk: a whole copy of ``of``, which nobody writes to meanwhile, on no base. An older one is replaced.

        Raises NotFound (there is no such disk), Failed (disk full), ToolMissing.
        """

    def content(self, machine_id: str, name: str) -> AsyncGenerator[bytes, None]:
        """The bytes of a disk's file, in pieces. Raises NotFound with the first."""

    async def ensure_no_disk(self, machine_id: str, name: str) -> None:
        """The machine has no disk of this name."""

    async def ensure_no_disks(self, machine_id: str) -> None:
        """Nothing of the machine's disks is left."""

    async def machines(self) -> list[str]:
        """Ids of the machines that have any disk here."""

    async def bases(self) -> list[Base]:
        """The images in the cache."""

    async def free_bytes(self) -> int:
        """Room left for disks."""
