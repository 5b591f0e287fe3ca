"""The cache of images: one read-only file per checksum, verified and inspected while it arrives, visible only when whole."""

import contextlib
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import anyio
import anyio.to_thread

from minicloud.base import trace
from minicloud.base.errors import CloudError, Failed, Invalid, ToolFailed
from minicloud.base.imageformat import Inspector, qcow2
from minicloud.drivers.privatefolder import make_private
from minicloud.drivers.storage import Base, Fetch
from minicloud.drivers.storage.basemark import is_marked, mark, marked_at, sha512_of, unmark
from minicloud.drivers.storage.names import STORED_AS, check_base
from minicloud.drivers.storage.qemuimg import qemu_img

_PIECE = 1 << 20
_BLOCK = 64 << 10
_ZEROS = bytes(_BLOCK)
_LEFT_FREE = 1 << 30
_QEMU_NAMES = {"vhd": "vpc"}
_SOUND = (0, 3)
"""What ``qemu-img check`` answers for images without damage; 3: some of their room is wasted."""


class BaseCache:
    """Images in a folder; may be shared by several hosts on one machine, so that each image is kept and fetched once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, anyio.Lock] = {}
        self._users: list[Callable[[], Iterable[Path]]] = []
        self._swept = False

    def used_by(self, standing_on: Callable[[], Iterable[Path]]) -> None:
        """Somebody keeps disks that stand on images here; ``standing_on`` says on which files."""
        self._users.append(standing_on)

    def holds(self, checksum: str, format: str) -> bool:
        """Whether the image is here. Raises Invalid."""
        check_base(checksum, format)
        return self._path(checksum, format).exists()

    async def ensure(self, checksum: str, format: str, fetch: Fetch) -> Base:
        """As the storage promise's ``ensure_base``."""
        check_base(checksum, format)
        path = self._path(checksum, format)
        async with self._alone(path):
            if not path.exists():
                await self._fetch_traced(path, checksum, format, fetch)
            elif not is_marked(path):
                await self._mend(path, checksum, format, fetch)
            return read_base(path)

    async def ensure_sound(self, checksum: str, format: str, fetch: Fetch, *, unless_since: float) -> bool:
        """As the storage promise's. Nobody waits while an image is hashed."""
        check_base(checksum, format)
        path = self._path(checksum, format)
        if _converted(format) or not path.exists() or (is_marked(path) and marked_at(path) > unless_since):
            return False
        before = path.stat().st_ino
        sound = await anyio.to_thread.run_sync(sha512_of, path) == checksum
        async with self._alone(path):
            if not path.exists() or path.stat().st_ino != before:
                return False
            if sound:
                mark(path)
            else:
                # Should it not be had again now, whoever needs it next tries again.
                unmark(path)
                await self._replace(path, checksum, format, fetch)
            return not sound

    async def remove(self, checksum: str) -> bool:
        """As the storage promise's ``ensure_no_base``."""
        gone = True
        for format in sorted(set(STORED_AS.values())):
            path = self._path(checksum, format)
            async with self._alone(path):
                if not path.exists():
                    continue
                if any(path in standing_on() for standing_on in self._users):
                    gone = False
                    continue
                path.unlink()
                trace.note("image_uncached", checksum=checksum[:12])
        return gone

    def _path(self, checksum: str, format: str) -> Path:
        return self._folder / f"{checksum}.{STORED_AS[format]}"

    @contextlib.asynccontextmanager
    async def _alone(self, path: Path) -> AsyncIterator[None]:
        lock = self._locks.setdefault(path.name, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.statistics().tasks_waiting and not lock.locked():
                self._locks.pop(path.name, None)

    async def _mend(self, path: Path, checksum: str, format: str, fetch: Fetch) -> None:
        """The file was written to: if it holds something else now, it is fetched anew; whoever has it open keeps the old one."""
        if not _converted(format):
            if await anyio.to_thread.run_sync(sha512_of, path) == checksum:
                mark(path)
            else:
                await self._replace(path, checksum, format, fetch)
            return
        # Nobody knows what a converted image's checksum was.
        try:
            await self._fetch_traced(path, checksum, format, fetch)
        except CloudError as error:
            trace.note("image_unverified", checksum=checksum[:12], why=error.message)

    async def _replace(self, path: Path, checksum: str, format: str, fetch: Fetch) -> None:
        trace.note("image_damaged", checksum=checksum[:12])
        await self._fetch_traced(path, checksum, format, fetch)

    async def _fetch_traced(self, path: Path, checksum: str, format: str, fetch: Fetch) -> None:
        with trace.span("fetch_image", checksum=checksum[:12], format=format) as facts:
            facts["bytes"] = await self._fetch(path, checksum, format, fetch)

    def list(self) -> list[Base]:
        """Every image that is whole."""
        if not self._folder.is_dir():
            return []
        return [read_base(path) for path in sorted(self._folder.iterdir()) if not path.name.startswith(".")]

    async def _fetch(self, path: Path, checksum: str, format: str, fetch: Fetch) -> int:
        part = path.with_name(f".{path.name}.part")
        converted = path.with_name(f".{path.name}.converted")
        try:
            make_private(self._folder)
            self._sweep()
            size = await _download(part, checksum, format, fetch)
            if format == "qcow2":
                await _check_whole(part, checksum)
            whole = part
            if _converted(format):
                name = _QEMU_NAMES.get(format, format)
                await qemu_img(
                    *("convert", "-q", "-f", name, "-O", "qcow2", str(part), str(converted)),
                    cpu_s=600,
                    timeout_s=1800.0,
                    # A packed image may hold a thousand times what it has bytes.
                    file_bytes=room_for_file(self._folder),
                )
                whole = converted
            await anyio.to_thread.run_sync(_publish, whole, path)
        except OSError as error:
            raise disk_trouble(error, self._folder) from error
        finally:
            part.unlink(missing_ok=True)
            converted.unlink(missing_ok=True)
        return size

    def _sweep(self) -> None:
        """Before the first fetch, what an earlier life left unfinished can belong to nobody."""
        if not self._swept:
            self._swept = True
            for left in (*self._folder.glob(".*.part"), *self._folder.glob(".*.converted")):
                left.unlink(missing_ok=True)


def _converted(format: str) -> bool:
    """Whether images of this format become others when they arrive."""
    return STORED_AS[format] == "qcow2" and format != "qcow2"


def read_base(path: Path) -> Base:
    """What a cached file is; its name tells the format, so that nothing is guessed from its content."""
    checksum, _, format = path.name.partition(".")
    if format == "qcow2":
        with path.open("rb") as file:
            return Base(checksum=checksum, path=str(path), format="qcow2", virtual_size=qcow2.size(file.read(104)))
    size = -(-path.stat().st_size // 512) * 512
    return Base(checksum=checksum, path=str(path), format="raw", virtual_size=size)


def disk_trouble(error: OSError, folder: Path) -> Failed:
    """What a failed file operation means, with how much room there is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed(
            f"the disk is full: {free_bytes(folder) >> 20} MiB are free below {folder}; make room and try again"
        )
    return Failed(f"{error.filename or folder}: {error.strerror}")


def free_bytes(folder: Path) -> int:
    """Bytes that an ordinary user may still write below this folder, or where it will be made."""
    while not folder.exists():
        folder = folder.parent
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def room_for_file(folder: Path) -> int:
    """Bytes that one more file below this folder may have, so that guests still find room for what they write."""
    free = free_bytes(folder)
    return free - min(_LEFT_FREE, free // 10)


async def _download(part: Path, checksum: str, format: str, fetch: Fetch) -> int:
    digest, inspector = hashlib.sha512(), Inspector(format)
    size = 0
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        async with _closing(fetch()) as chunks:
            async for piece in _pieces(chunks):
                inspector.feed(piece)
                await anyio.to_thread.run_sync(_keep, fd, piece, size, digest)
                size += len(piece)
        inspector.finish()
        if digest.hexdigest() != checksum:
            raise Failed(
                f"image {checksum[:12]} arrived with other bytes: its sha512 is {digest.hexdigest()[:12]}..., {size} bytes"
            )
        await anyio.to_thread.run_sync(_settle, fd, size)
    except Invalid as error:
        raise Invalid(f"image {checksum[:12]} cannot be used: {error.message}") from error
    finally:
        os.close(fd)
    return size


async def _check_whole(part: Path, checksum: str) -> None:
    """A guest reads zeros, or errors, where its image refers to bytes that it does not have: told here, not in the guest."""
    try:
        await qemu_img("check", "-q", "-f", "qcow2", str(part), accept=_SOUND, cpu_s=600, timeout_s=600.0)
    except ToolFailed as error:
        raise Invalid(
            f"image {checksum[:12]} was damaged already when it was uploaded ({error.message}): "
            "repair it (qemu-img check -r all), or fetch it anew, and upload that"
        ) from error


@contextlib.asynccontextmanager
async def _closing(chunks: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """A stream that is an async generator holds a connection or a file until it is closed."""
    try:
        yield chunks
    finally:
        aclose = getattr(chunks, "aclose", None)
        if aclose is not None:
            with anyio.CancelScope(shield=True):
                await aclose()


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream in pieces large enough to be worth a trip to a thread, cut where blocks end."""
    buffer = bytearray()
    async for chunk in chunks:
        if not buffer and len(chunk) >= _PIECE and len(chunk) % _BLOCK == 0:
            yield chunk
            continue
        buffer += chunk
        if len(buffer) >= _PIECE:
            whole = len(buffer) - len(buffer) % _BLOCK
            yield bytes(buffer[:whole])
            del buffer[:whole]
    if buffer:
        yield bytes(buffer)


def _keep(fd: int, piece: bytes, at: int, digest: "hashlib._Hash") -> None:
    digest.update(piece)
    view = memoryview(piece)
    for start in range(0, len(piece), _BLOCK):
        # Blocks of zeros stay holes: a raw image of 2 GiB often holds 100 MiB. Views would be compared byte by byte.
        if not piece.startswith(_ZEROS[: len(piece) - start], start):
            _write_all(fd, view[start : start + _BLOCK], at + start)


def _write_all(fd: int, block: memoryview, at: int) -> None:
    while block:
        written = os.pwrite(fd, block, at)
        block, at = block[written:], at + written


def _settle(fd: int, size: int) -> None:
    os.ftruncate(fd, size)
    os.fsync(fd)


def _publish(part: Path, path: Path) -> None:
    os.chmod(part, 0o444)
    mark(part)
    sync(part)
    os.replace(part, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
