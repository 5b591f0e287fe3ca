"""A blob on its way to the disk: writing and both checksums go side by side, each in a thread of its own.

The checksums are what takes time (md5 and sha512 each make about half a GB per second of one core), so no lane waits for another;
only the number of blocks in memory is bounded. Blocks are large because handing them over costs more than it seems to.
"""

import fcntl
import hashlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from minicloud.engines.blobs import BlobFacts, MiB

_BLOCK = 4 * MiB
_BLOCKS_IN_MEMORY = 4


class Incoming:
    """One ``put``. ``add`` may be called in the event loop; the rest blocks and belongs in a thread."""

    def __init__(self, path: str, file: int) -> None:
        self.size = 0
        self._path = path
        self._file = file
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha512 = hashlib.sha512()
        self._parts: list[bytes | memoryview] = []
        self._parts_size = 0
        self._lanes: list[tuple[ThreadPoolExecutor, Callable[[bytes | memoryview], None]]] = []
        self._under_way: deque[list[Future[None]]] = deque()

    @classmethod
    def begin(cls, path: str) -> "Incoming":
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        return cls(path, file)

    def add(self, chunk: bytes) -> None:
        """Take a chunk of any size; cheap."""
        self.size += len(chunk)
        rest = memoryview(chunk)
        while rest:
            taken, rest = rest[: _BLOCK - self._parts_size], rest[_BLOCK - self._parts_size :]
            self._parts.append(taken)
            self._parts_size += len(taken)
            if self._parts_size == _BLOCK:
                self._send_off()

    def behind(self) -> bool:
        """Whether ``catch_up`` must be called before more is added."""
        while self._under_way and all(future.done() and not future.exception() for future in self._under_way[0]):
            self._under_way.popleft()
        return len(self._under_way) > _BLOCKS_IN_MEMORY

    def catch_up(self) -> None:
        """Wait for the oldest block. Raises OSError when it could not be written."""
        for future in self._under_way.popleft():
            future.result()

    def complete(self) -> BlobFacts:
        """Write the rest and make it durable. Raises OSError."""
        while self._under_way:
            self.catch_up()
        if self._parts:
            block = self._block()
            self._write(block)
            self._md5.update(block)
            self._sha512.update(block)
        os.fsync(self._file)
        return BlobFacts(self.size, self._md5.hexdigest(), self._sha512.hexdigest())

    def rename(self, final: str) -> None:
        """Give the complete file its name, durably. Raises OSError."""
        folder = os.path.dirname(final)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.replace(self._path, final)
        _sync_folder(folder)
        _sync_folder(os.path.dirname(folder))

    def close(self) -> None:
        """Let go of everything; removes the file unless it was renamed."""
        for executor, _ in self._lanes:
            executor.shutdown(wait=True, cancel_futures=True)
        os.close(self._file)
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass  # it has its final name

    def _block(self) -> bytes | memoryview:
        block = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._parts_size = [], 0
        return block

    def _send_off(self) -> None:
        if not self._lanes:  # a small blob never needs threads of its own
            for work in (self._write, self._md5.update, self._sha512.update):
                self._lanes.append((ThreadPoolExecutor(1, thread_name_prefix="blob"), work))
        block = self._block()
        self._under_way.append([executor.submit(work, block) for executor, work in self._lanes])

    def _write(self, block: bytes | memoryview) -> None:
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._file, rest) :]


def _sync_folder(folder: str) -> None:
    """A new name is durable only once its folder was written."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
