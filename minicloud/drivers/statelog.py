"""A durable map for simulated drivers: one append-only file of JSON lines that all hosts of a cloud share.

What was put has reached the kernel when ``put`` returns, so it survives a SIGKILL of this process (not a power cut).
A line is ``[table, host, key, value]``; the newest line of a key counts, and ``null`` says that the key is gone.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from minicloud.base.errors import Failed
from minicloud.drivers.privatefolder import make_private

_COMPACT_BYTES = 16 << 20
_encode = msgspec.json.Encoder().encode
_Line = tuple[str, str, str, Any]


class StateLog:
    """Values by table, host and key; kept in ``path``, or in memory alone when there is none.

    Raises:
        Failed: the file cannot be read or written, or was not written by a StateLog.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._fd = -1
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._sizes: dict[tuple[str, str, str], int] = {}
        self._live_bytes = 0
        self._file_bytes = 0
        if path is not None:
            self._open(path)

    def rows(self, table: str, host: str) -> dict[str, Any]:
        """A copy of what a host has in a table by key, oldest first: values as they were put, or plain when they come from the file."""
        return dict(self._rows.get((table, host), {}))

    def get(self, table: str, host: str, key: str) -> Any:
        """One value, or None."""
        return self._rows.get((table, host), {}).get(key)

    def hosts(self, table: str) -> list[str]:
        """The hosts that have anything in a table."""
        return [host for (name, host), rows in self._rows.items() if name == table and rows]

    def put(self, table: str, host: str, key: str, value: Any) -> None:
        """Set a value: anything that msgspec can write as JSON, but None. Raises Failed (disk full)."""
        line = _encode((table, host, key, value)) + b"\n"
        self._append(line)
        self._rows.setdefault((table, host), {})[key] = value
        self._account(table, host, key, len(line))

    def drop(self, table: str, host: str, key: str) -> None:
        """Forget a key; content when it is unknown."""
        rows = self._rows.get((table, host))
        if rows is None or key not in rows:
            return
        self._append(_encode((table, host, key, None)) + b"\n")
        del rows[key]
        self._account(table, host, key, 0)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _account(self, table: str, host: str, key: str, size: int) -> None:
        at = (table, host, key)
        self._live_bytes += size - self._sizes.pop(at, 0)
        if size:
            self._sizes[at] = size
        if self._file_bytes > _COMPACT_BYTES and self._file_bytes > 4 * self._live_bytes:
            self._compact()

    def _append(self, line: bytes) -> None:
        if self._path is None:
            return
        if self._fd < 0:
            raise Failed(f"{self._path} is closed: the simulated world has ended")
        try:
            written = os.write(self._fd, line)
            if written < len(line):
                raise OSError(28, "no space left on device")
        except OSError as error:
            # Half a line must not stay: the next one would be glued to it.
            os.ftruncate(self._fd, self._file_bytes)
            raise Failed(f"cannot write {self._path}: {error.strerror}; free some disk space") from error
        self._file_bytes += len(line)

    def _open(self, path: Path) -> None:
        try:
            make_private(path.parent)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            content = path.read_bytes()
        except OSError as error:
            raise Failed(f"cannot open {path}: {error.strerror}") from error
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            # A SIGKILL in the middle of a write leaves a torn line; nobody was told that it was done.
            os.ftruncate(self._fd, whole)
        self._file_bytes = whole
        try:
            for line in self._lines(content[:whole]):
                self._take(line)
        except msgspec.DecodeError as error:
            raise Failed(f"{path} is damaged ({error}): move it away to start with an empty simulated world") from error
        if self._file_bytes > 1 << 20 and self._file_bytes > 2 * self._live_bytes:
            self._compact()

    @staticmethod
    def _lines(content: bytes) -> Iterator[_Line]:
        decode = msgspec.json.Decoder(_Line).decode
        return (decode(line) for line in content.splitlines())

    def _take(self, line: _Line) -> None:
        table, host, key, value = line
        rows = self._rows.setdefault((table, host), {})
        if value is None:
            rows.pop(key, None)
            size = 0
        else:
            rows[key] = value
            size = len(_encode(line)) + 1
        self._live_bytes += size - self._sizes.pop((table, host, key), 0)
        if size:
            self._sizes[table, host, key] = size

    def _compact(self) -> None:
        assert self._path is not None
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            size = 0
            with os.fdopen(os.dup(fd), "wb", buffering=1 << 20) as file:
                for (table, host), rows in self._rows.items():
                    for key, value in rows.items():
                        size += file.write(_encode((table, host, key, value)) + b"\n")
            os.replace(fresh, self._path)
        except OSError as error:
            raise Failed(f"cannot compact {self._path}: {error.strerror}; free some disk space") from error
        os.close(self._fd)
        self._fd, self._file_bytes, self._live_bytes = fd, size, size
