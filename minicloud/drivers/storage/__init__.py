"""The storage promises: disks of machines on one host, and volumes of a storage backend. Keepers: ``fake`` and ``files``.

Images arrive as byte streams, keyed by checksum, into ``_base``; a machine's root disk is a copy-on-write overlay on one.
Verbs are named for the state they bring about and may be repeated after a crash; nothing half-made is ever visible.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Literal, Protocol

import msgspec

GiB = 1 << 30
FILESYSTEMS = ("ext2", "ext3", "ext4", "xfs")
"""What an empty disk can be formatted with."""


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the cache: where it lies, its stated format, and the size that a guest sees (bytes)."""

    checksum: str
    path: str
    format: Literal["raw", "qcow2"]
    virtual_size: int


class CachedBase(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the cache, by its checksum, and how often this host found it there since it started."""

    checksum: str
    hits: int = 0


class DiskFile(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's disk: ``name`` such as ``disk``, ``disk.config``; absolute ``path``; size in bytes as the guest sees it.

    ``base``: the checksum of the image that it stands on, if it does.
    """

    machine_id: str
    name: str
    path: str
    format: Literal["raw", "qcow2"]
    virtual_size: int
    base: str | None = None


Fetch = Callable[[], AsyncIterator[bytes]]
"""Opens the image's byte stream; called only when the cache lacks it."""


class Storage(Protocol):
    """Keeps the disks of one host."""

    async def ensure_base(self, checksum: str, format: str, fetch: Fetch) -> Base:
        """The image with this checksum (``sha512`` hex of its bytes) is in the cache; bytes that do not match are refused.

        One that was damaged there is noticed and fetched anew.

        Raises Invalid (no image of that format, or a damaged one), Failed (checksum differs, disk full), ToolMissing, and what
        ``fetch`` raises.
        """

    async def ensure_disk(self, machine_id: str, name: str, *, base: Base | None, size_bytes: int) -> DiskFile:
        """The machine has this disk: an overlay on ``base`` grown to ``size_bytes`` (0: as large as the base), or blank.

        ``name`` is ``disk`` or ``disk.something``. A disk that exists is kept, and grown when it is smaller than wished (its
        machine must be off). Raises Invalid when the base or the disk is larger than ``size_bytes``; Failed (disk full).
        """

    async def ensure_formatted(
        self, machine_id: str, name: str, *, size_bytes: int, filesystem: str, label: str, anew: bool = False
    ) -> DiskFile:
        """The machine has this disk with an empty file system (one of ``FILESYSTEMS``, or ``swap``) on it. One that exists is
        left alone; ``anew``: unless it is of another size, then it is made anew, while the machine is off.

        Where the host lacks the program for it, the disk is blank. Raises Failed (disk full).
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

    async def ensure_kept(self, machine_id: str) -> None:
        """What is on the machine's disks now can be had again, however they change or grow; what was kept before stays kept.

        The machine must be off. Raises Failed.
        """

    async def ensure_restored(self, machine_id: str) -> None:
        """The machine's disks are as they were kept, sizes too, and nothing is kept any more; content when nothing was.

        The machine must be off. Raises Failed.
        """

    async def ensure_not_kept(self, machine_id: str) -> None:
        """Nothing of the machine's disks is kept any more; they stay as they are. The machine may run. Raises Failed."""

    async def disks(self, machine_id: str) -> list[DiskFile]:
        """The machine's disks."""

    async def ensure_unpacked(self, machine_id: str, name: str, fetch: Fetch) -> DiskFile:
        """The machine has this disk, made of what ``content`` said of a whole copy elsewhere; one that exists is kept.

        Raises Failed, and what ``fetch`` raises.
        """

    async def ensure_no_disks(self, machine_id: str) -> None:
        """Nothing of the machine's disks is left."""

    async def machines(self) -> list[str]:
        """Ids of the machines that have any disk here."""

    async def bases(self) -> list[Base]:
        """The images in the cache."""

    async def cached(self) -> list[CachedBase]:
        """The same, with how often each was of use."""

    async def ensure_no_base(self, checksum: str) -> bool:
        """The image is not in the cache, unless a machine's disk stands on it; whether it is gone.

        Whoever asks knows that no disk is about to be made of it.
        """

    async def ensure_sound(self, checksum: str, format: str, fetch: Fetch, *, unless_since: float) -> bool:
        """An image in the cache holds what it should: one that nobody looked through since then (seconds since 1970) is, and is
        fetched anew when its bytes are others. Whether they were.

        One that is not there, or was converted, is left alone. Raises as ``ensure_base``.
        """

    async def free_bytes(self) -> int:
        """Room left for disks."""


class VolumeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A volume as a machine opens it: absolute ``path``; size in bytes as the guest sees it."""

    volume_id: str
    path: str
    format: Literal["raw", "qcow2"] = "qcow2"
    virtual_size: int


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """How many bytes a backend has for volumes, and how many are free."""

    total_bytes: int
    free_bytes: int


class VolumeStore(Protocol):
    """Keeps the volumes of one backend, what was frozen of them, and lends them to machines as files.

    A snapshot is what its volume held at one moment; it costs no copy, and neither does a volume that is made of one, of
    another volume or of an image. What stands on something that was removed keeps what it needs of it.
    """

    driver: str
    """The backend's name, which volumes carry as ``host@driver#driver``."""

    async def ensure_base(self, checksum: str, format: str, fetch: Fetch) -> Base:
        """As for disks: the image is in the cache, verified."""

    async def ensure_volume(
        self,
        volume_id: str,
        *,
        size_bytes: int,
        base: Base | None = None,
        snapshot_id: str | None = None,
        shared: bool = False,
    ) -> VolumeFile:
        """The volume exists: blank, or with what the image or the snapshot holds. One that exists is left as it is.

        One that is ``shared`` may be open in several machines at once: a raw file, which is copied where others are not.

        Raises Invalid when what it is made of is larger; NotFound (no such snapshot); Failed (disk full).
        """

    async def ensure_clone(
        self, volume_id: str, *, size_bytes: int, source_id: str, copied: bool = False, shared: bool = False
    ) -> VolumeFile:
        """The volume exists with what the other volume held at that moment. One that exists is left as it is.

        Nobody may be writing to the source, unless what it held was ``copied`` to the file of ``prepare_copy``.
        Raises Invalid, NotFound, Failed as ``ensure_volume``.
        """

    async def ensure_imported(
        self, volume_id: str, *, path: str, format: Literal["raw", "qcow2"], size_bytes: int, shared: bool = False
    ) -> VolumeFile:
        """The volume holds what this file of another backend holds, and nothing else. Each call begins anew.

        Whoever asks knows that nobody writes to the file, and that no machine has the volume open. Raises Failed (disk full, no
        such file).
        """

    async def ensure_shared(self, volume_id: str) -> VolumeFile:
        """The volume, which no machine has open, may be open in several from now on, as one that was made ``shared``.

        Raises NotFound, Failed (disk full: it is as it was).
        """

    async def ensure_size(self, volume_id: str, size_bytes: int) -> VolumeFile:
        """The volume is at least so large; no machine has it open. Raises NotFound, Failed."""

    async def ensure_no_volume(self, volume_id: str) -> None:
        """The volume is gone; its snapshots, and volumes made of them, keep what they hold."""

    async def volume(self, volume_id: str) -> VolumeFile:
        """Where the volume lies now. Raises NotFound."""

    async def prepare_copy(self, copy_id: str, volume_id: str) -> VolumeFile:
        """A blank file as large as the volume, to which a machine that has it open copies what it holds at one moment.

        ``copy_id`` is the snapshot or the clone that shall stand on it. Each call begins anew. Raises NotFound, Failed.
        """

    async def ensure_snapshot(self, snapshot_id: str, volume_id: str, *, copied: bool = False) -> None:
        """What the volume holds now is kept as the snapshot. One that exists is left as it is.

        No machine may have the volume open, unless what it held was ``copied`` to the file of ``prepare_copy``.
        Raises NotFound, Failed.
        """

    async def ensure_no_snapshot(self, snapshot_id: str) -> None:
        """The snapshot is gone; whatever stands on it keeps what it holds."""

    async def ensure_reverted(self, volume_id: str, snapshot_id: str, *, size_bytes: int) -> VolumeFile:
        """The volume holds what the snapshot holds; no machine has it open. Raises NotFound, Failed."""

    def content(self, volume_id: str, format: str) -> AsyncIterator[bytes]:
        """The volume's bytes as an image of this format (``raw``, ``qcow2``, ``vmdk``, ``vdi``, ``vhd``, ``vhdx``).

        Nobody may be writing to it. Raises NotFound, Failed, Invalid (format).
        """

    async def volumes(self) -> list[str]:
        """Ids of the volumes that are here."""

    async def snapshots(self) -> list[str]:
        """Ids of the snapshots that are here."""

    async def capacity(self) -> Capacity:
        """Room for volumes."""
