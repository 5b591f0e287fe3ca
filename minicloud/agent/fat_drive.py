"""The config drive as a FAT disk labelled ``config-2``, for guests that read no ISO 9660: FAT12 with long names."""

import struct
from collections.abc import Mapping
from typing import Any

from minicloud.base.errors import Invalid

_SECTOR, _CLUSTER = 512, 2048
_ROOT_ENTRIES = 512
_MOST_CLUSTERS = 4084
_END, _DAY = 0xFFF, 0x21
_FOLDER, _LABEL, _LONG, _FILE = 0x10, 0x08, 0x0F, 0x20
_LONG_PIECE = 13


def vfat(files: Mapping[str, bytes]) -> bytes:
    """A disk with these files (paths with ``/``). Raises Invalid when they are more than such a disk holds."""
    disk = _Disk()
    root = disk.entries(_tree(files), own=None, parent=0)
    label = b"config-2".ljust(11) + bytes([_LABEL]) + bytes(12) + struct.pack("<H", _DAY) + bytes(6)
    return disk.image(label + root)


def _tree(files: Mapping[str, bytes]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, content in sorted(files.items()):
        *folders, name = path.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = content
    return tree


class _Disk:
    """Clusters as they are filled, and which one follows which."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._next: list[int] = [0xFF8, _END]

    def entries(self, folder: dict[str, Any], *, own: int | None, parent: int) -> bytes:
        """A folder's entries; what they lead to is on the disk then. ``own`` None: the root, which has no dots."""
        made = (
            b""
            if own is None
            else _entry(b".".ljust(11), _FOLDER, own, 0) + _entry(b"..".ljust(11), _FOLDER, parent, 0)
        )
        for number, (name, content) in enumerate(folder.items()):
            short = f"F{number:07}   ".encode()
            if isinstance(content, dict):
                room = sum(32 * (2 + -(-len(child) // _LONG_PIECE)) for child in content) + 64
                first = self._reserve(room)
                self._fill(first, self.entries(content, own=first, parent=own or 0))
                made += _long(name, short) + _entry(short, _FOLDER, first, 0)
            else:
                first = self._reserve(len(content)) if content else 0
                self._fill(first, content)
                made += _long(name, short) + _entry(short, _FILE, first, len(content))
        return made

    def image(self, root: bytes) -> bytes:
        """The whole disk, with these entries in its root."""
        clusters = len(self._next) - 2
        if clusters > _MOST_CLUSTERS or len(root) > _ROOT_ENTRIES * 32:
            raise Invalid("The metadata of the server is more than a config drive of this format holds")
        table = _packed(self._next)
        sectors = -(-len(table) // _SECTOR)
        total = 1 + 2 * sectors + _ROOT_ENTRIES * 32 // _SECTOR + clusters * _CLUSTER // _SECTOR
        boot = (
            b"\xeb\x3c\x90"
            + b"MINICLD "
            + struct.pack(
                "<HBHBHHBHHHII", _SECTOR, _CLUSTER // _SECTOR, 1, 2, _ROOT_ENTRIES, total, 0xF8, sectors, 32, 64, 0, 0
            )
        )
        boot += struct.pack("<BBBI", 0x80, 0, 0x29, 0x20) + b"config-2".ljust(11) + b"FAT12   "
        head = boot.ljust(510, b"\0") + b"\x55\xaa"
        return (
            head + table.ljust(sectors * _SECTOR, b"\0") * 2 + root.ljust(_ROOT_ENTRIES * 32, b"\0") + bytes(self._data)
        )

    def _reserve(self, size: int) -> int:
        """Clusters for so many bytes, one after the other; the number of the first."""
        first, count = len(self._next), max(1, -(-size // _CLUSTER))
        self._next += [*range(first + 1, first + count), _END]
        self._data += bytes(count * _CLUSTER)
        return first

    def _fill(self, first: int, content: bytes) -> None:
        if content:
            at = (first - 2) * _CLUSTER
            self._data[at : at + len(content)] = content


def _entry(name: bytes, kind: int, first: int, size: int) -> bytes:
    return struct.pack("<11sBBBHHHHHHHI", name, kind, 0, 0, 0, _DAY, _DAY, 0, 0, _DAY, first, size)


def _long(name: str, short: bytes) -> bytes:
    """The entries that carry a long name, the last piece first, in front of the short one."""
    check = 0
    for byte in short:
        check = (((check & 1) << 7) + (check >> 1) + byte) & 0xFF
    pieces = [name[at : at + _LONG_PIECE] for at in range(0, len(name), _LONG_PIECE)]
    made = b""
    for number in range(len(pieces), 0, -1):
        text = pieces[number - 1].encode("utf-16-le")
        if len(text) < 2 * _LONG_PIECE:
            text = (text + b"\0\0").ljust(2 * _LONG_PIECE, b"\xff")
        order = number | (0x40 if number == len(pieces) else 0)
        made += bytes([order]) + text[:10] + bytes([_LONG, 0, check]) + text[10:22] + b"\0\0" + text[22:26]
    return made


def _packed(numbers: list[int]) -> bytes:
    """Numbers of 12 bits, two in three bytes."""
    made = bytearray()
    for low, high in zip(numbers[::2], [*numbers[1::2], 0], strict=False):
        made += bytes([low & 0xFF, (low >> 8) | ((high & 0xF) << 4), high >> 4])
    return bytes(made)
