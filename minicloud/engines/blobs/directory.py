"""Blobs as files of a private folder: ``<first two characters>/<key>``; what is under way lies in ``incoming/``."""

import errno
import fcntl
import os
import threading
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from minicloud.base import trace
from minicloud.base.errors import NotFound, TooLarge, Unavailable
from minicloud.engines.blobs import BlobFacts, MiB, check_key, span_of, taken
from minicloud.engines.blobs.incoming import Incoming

T = TypeVar("T")

_INCOMING = "incoming"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_THREADS = 16


class DirectoryBlobs:
    """Keeps the blobs promise in a folder, made when missing. What an interrupted ``put`` left is removed at once."""

    def __init__(self, root: str) -> None:
        """Raises Unavailable, kind ``disk_full`` or ``disk_broken``, when the folder cannot be used."""
        self._root = os.path.abspath(root)
        self._incoming = os.path.join(self._root, _INCOMING)
        self._naming = threading.Lock()
        # A limiter of its own: slow disks must not use up the threads that everybody shares.
        self._threads = anyio.CapacityLimiter(_THREADS)
        with self._told():
            os.makedirs(self._root, mode=0o700, exist_ok=True)
            os.makedirs(self._incoming, mode=0o700, exist_ok=True)
            for name in os.listdir(self._incoming):
                _remove_leftover(os.path.join(self._incoming, name))

    async def put(self, key: str, stream: AsyncIterator[bytes], *, limit_bytes: int | None = None) -> BlobFacts:
        final = self._file(key)
        with self._told():
            if await self._thread(os.path.exists, final):
                raise taken(key)
            incoming = await self._thread(Incoming.begin, os.path.join(self._incoming, uuid.uuid4().hex))
        with trace.span("blob_put", key=key) as facts:
            try:
                async for chunk in stream:
                    if limit_bytes is not None and incoming.size + len(chunk) > limit_bytes:
                        raise TooLarge(f"more than {limit_bytes} bytes came for {key}", limit_bytes=limit_bytes)
                    incoming.add(chunk)
                    while incoming.behind():
                        with self._told():
                            await self._thread(incoming.catch_up)
                with self._told():
                    done = await self._thread(self._finish, incoming, key, final)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._thread(incoming.close)
            facts["size"] = done.size
            return done

    async def get(self, key: str, *, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        path = self._file(key)
        with self._told(key):
            file = await self._thread(_open_at, path, offset)
        try:
            left = span_of(os.fstat(file).st_size, offset, length)
            while left > 0:
                with self._told(key):
                    chunk = await self._thread(os.read, file, min(left, MiB))
                if not chunk:
                    raise Unavailable(f"the file of blob {key} ends {left} bytes too soon", kind="disk_broken")
                left -= len(chunk)
                yield chunk
        finally:
            os.close(file)

    async def size(self, key: str) -> int:
        path = self._file(key)
        with self._told(key):
            return (await self._thread(os.stat, path)).st_size

    async def delete(self, key: str) -> None:
        path = self._file(key)
        with self._told():
            await self._thread(_remove, path)

    async def keys(self) -> list[str]:
        with self._told():
            return await self._thread(_list, self._root)

    def path(self, key: str) -> str | None:
        path = self._file(key)
        return path if os.path.exists(path) else None

    def _finish(self, incoming: Incoming, key: str, final: str) -> BlobFacts:
        facts = incoming.complete()
        # Not a hard link, which would refuse a taken name by itself: shared folders of virtual machines have none.
        with self._naming:
            if os.path.exists(final):
                raise taken(key)
            incoming.rename(final)
        return facts

    def _file(self, key: str) -> str:
        check_key(key)
        return os.path.join(self._root, key[:2], key)

    async def _thread(self, call: Callable[..., T], *arguments: Any) -> T:
        return await anyio.to_thread.run_sync(call, *arguments, limiter=self._threads)

    @contextmanager
    def _told(self, key: str | None = None) -> Iterator[None]:
        """Troubles of the disk in words that say what to do. With a key, a file that is not there is a missing blob."""
        try:
            yield
        except FileNotFoundError as error:
            if key is None:
                raise Unavailable(
                    f"The folder {self._root} is gone or was changed: {error}", kind="disk_broken"
                ) from error
            raise NotFound(f"there is no blob {key}", kind="no_blob") from error
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise Unavailable(
                    f"No room left in {self._root} ({error.strerror}): delete images or make room on that disk",
                    kind="disk_full",
                ) from error
            raise Unavailable(f"The folder {self._root} cannot be used: {error}", kind="disk_broken") from error


def _open_at(path: str, offset: int) -> int:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if offset > 0:
        os.lseek(file, offset, os.SEEK_SET)
    return file


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _list(root: str) -> list[str]:
    found: list[str] = []
    with os.scandir(root) as shards:
        for shard in shards:
            if shard.name != _INCOMING and shard.is_dir():
                found += os.listdir(shard.path)
    return sorted(found)


def _remove_leftover(path: str) -> None:
    """Remove the beginnings of a blob, unless another process is still at it (it holds a lock as long as it lives)."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except BlockingIOError:
        pass
    finally:
        os.close(file)
