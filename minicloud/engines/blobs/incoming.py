"""A blob on its way to the disk: writing and both checksums go side by side, each in a thread of its own.

The checksums are what takes time (md5 and sha512 each make about half a GB per second of one core), so no lane waits for another;
only the number of blocks in memory is bounded. Blocks are large because handing them over costs more than it seems to, and are
used again and again because fresh memory costs the kernel as much as a checksum costs us.
"""

import fcntl
import hashlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from minicloud.engines.blobs import BlobFacts, MiB, writeback

_BLOCK = 2 * MiB
_BLOCKS_IN_MEMORY = 4
"""Blocks that a blob has at most: one is being filled, the others are worked on."""
_WRITTEN_AT_ONCE = 256 << 10
"""Bytes of one write. For more the kernel takes larger stretches of free memory to keep them in, and in a virtual machine those
are what its host took back: to get them again costs up to five times what the copying does."""
_NO_BLOCK = memoryview(b"")


class Incoming:
    """One ``put``. ``add`` may be called in the event loop; the rest blocks and belongs in a thread."""

    def __init__(self, path: str, file: int) -> None:
        self.size = 0
        self._path = path
        self._file = file
        self._written = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha512 = hashlib.sha512()
        self._block = _NO_BLOCK
        self._filled = 0
        self._free: list[memoryview] = []
        self._lanes: list[tuple[ThreadPoolExecutor, Callable[[memoryview], None]]] = []
        self._under_way: deque[tuple[memoryview, list[Future[None]]]] = deque()

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
            if not self._block:
                self._block = self._free.pop() if self._free else memoryview(bytearray(_BLOCK))
            taken, rest = rest[: _BLOCK - self._filled], rest[_BLOCK - self._filled :]
            self._block[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            if self._filled == _BLOCK:
                self._send_off()

    def behind(self) -> bool:
        """Whether ``catch_up`` must be called before more is added."""
        while self._under_way and all(future.done() and not future.exception() for future in self._under_way[0][1]):
            self._free.append(self._under_way.popleft()[0])
        return len(self._under_way) >= _BLOCKS_IN_MEMORY

    def catch_up(self) -> None:
        """Wait for the oldest block. Raises OSError when it could not be written."""
        block, futures = self._under_way.popleft()
        for future in futures:
            future.result()
        self._free.append(block)

    def complete(self) -> BlobFacts:
        """Write the rest and make it durable. Raises OSError."""
        if self._filled:
            if self._lanes:
                self._send_off()
            else:  # a small blob never needs threads of its own
                rest = self._block[: self._filled]
                self._write(rest)
                self._md5.update(rest)
                self._sha512.update(rest)
        while self._under_way:
            self.catch_up()
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
        # The lanes know this object and it knows them: without a word, its blocks would wait for the collector of garbage.
        self._lanes.clear()
        self._under_way.clear()
        os.close(self._file)
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass  # it has its final name

    def _send_off(self) -> None:
        if not self._lanes:
            for work in (self._write, self._md5.update, self._sha512.update):
                self._lanes.append((ThreadPoolExecutor(1, thread_name_prefix="blob"), work))
        block, filled, self._block, self._filled = self._block, self._block[: self._filled], _NO_BLOCK, 0
        self._under_way.append((block, [executor.submit(work, filled) for executor, work in self._lanes]))

    def _write(self, block: memoryview) -> None:
        rest = block
        while rest:
            rest = rest[os.write(self._file, rest[:_WRITTEN_AT_ONCE]) :]
        writeback.begin(self._file, self._written, len(block))
        self._written += len(block)


def _sync_folder(folder: str) -> None:
    """A new name is durable only once its folder was written."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
