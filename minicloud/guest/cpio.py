"""Ramdisks: a folder as a gzipped cpio archive, byte for byte the same for the same folder."""

import gzip
import os
import stat
from pathlib import Path

from minicloud.guest.epoch import EPOCH

_CONSOLE = (5, 1)


def entry(
    number: int, path: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0), links: int = 1
) -> bytes:
    """One entry of the "newc" format, owned by root."""
    name = path.encode() + b"\0"
    fields = (number, mode, 0, 0, links, EPOCH, len(data), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def archive(folder: Path) -> bytes:
    """The folder as cpio: sorted by path, one date, owned by root, with /dev/console (which needs root to make, but not to write)."""
    paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    parts = []
    for number, path in enumerate(paths, start=1):
        full = folder / path
        facts = full.lstat()
        if stat.S_ISLNK(facts.st_mode):
            parts.append(entry(number, path, stat.S_IFLNK | 0o777, os.readlink(full).encode()))
        elif stat.S_ISDIR(facts.st_mode):
            parts.append(entry(number, path, facts.st_mode, links=2))
        else:
            parts.append(entry(number, path, facts.st_mode, full.read_bytes()))
    parts.append(entry(len(paths) + 1, "dev/console", stat.S_IFCHR | 0o600, device=_CONSOLE))
    parts.append(entry(0, "TRAILER!!!", 0))
    return b"".join(parts)


def write_ramdisk(folder: Path, target: Path) -> None:
    """Write the folder as a ramdisk; no name and no date in the gzip header."""
    target.write_bytes(gzip.compress(archive(folder), compresslevel=9, mtime=0))
