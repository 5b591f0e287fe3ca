"""VMDK images: only those that hold all of their data in one file; descriptors that point to other files are refused."""

import re
import struct

from minicloud.base.errors import Invalid

_SINGLE_FILE = ("monolithicsparse", "streamoptimized")
SECTOR = 512
_DESCRIPTOR_SECTORS = 20
_TABLES_AT = 56
_TABLES_AT_END = b"\xff" * 8
_FOOTER = 3 * SECTOR
_EXTENT = re.compile(r'^(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\S+)(?:\s+"([^"]*)")?')
_ADVICE = "convert it to one file (qemu-img convert -O vmdk -o subformat=streamOptimized, or to qcow2)"


def is_descriptor(head: bytes) -> bool:
    """Whether this is a VMDK's text part alone: comments, blank lines and white space may stand before its title."""
    for line in head[:4096].split(b"\n"):
        text = line.strip(b" \t\r")
        if text.lower().startswith(b"# disk descriptorfile"):
            return True
        if text and not text.startswith(b"#"):
            return False
    return False


def check(head: bytes, tail: bytes, file_size: int) -> int:
    """The virtual size in bytes; ``tail`` are the last 1536 bytes. Raises Invalid: other files are referenced, or it is broken."""
    if head[:4] != b"KDMV":
        raise Invalid(f"the vmdk image is only a descriptor of other files: {_ADVICE}")
    if len(head) < SECTOR:
        raise Invalid("the vmdk image is broken: it ends within its header")
    version, _, capacity, grain, at, sectors = struct.unpack_from("<IIQQQQ", head, 4)
    if version not in (1, 2, 3):
        raise Invalid(f"the vmdk image has version {version}: only 1, 2 and 3 are known")
    if capacity == 0 or capacity >= 1 << 54 or grain == 0:
        # A zero capacity makes readers follow the descriptor's extents, wherever they point.
        raise Invalid("the vmdk image is broken: its header states no possible size")
    if at == 0 or sectors == 0:
        raise Invalid(f"the vmdk image has no descriptor inside, so it is a part of another one: {_ADVICE}")
    if at != 1 or (at + sectors) * SECTOR > len(head):
        # QEMU looks for a parent right behind the header, whatever the header says.
        raise Invalid("the vmdk image is broken: its descriptor does not stand behind its header")
    # As much as QEMU reads, although the header may claim less.
    text = head[SECTOR : SECTOR + max(sectors, _DESCRIPTOR_SECTORS) * SECTOR].split(b"\0", 1)[0]
    _check_descriptor(text.decode(errors="replace"))
    if head[_TABLES_AT : _TABLES_AT + 8] == _TABLES_AT_END:
        _check_footer(head, tail, file_size)
    return int(capacity) * SECTOR


def _check_footer(head: bytes, tail: bytes, file_size: int) -> None:
    """A stream ends with a second header, which counts instead of the first one: it must say the same."""
    if file_size % SECTOR or len(tail) < _FOOTER:
        raise Invalid("the vmdk image is cut off: its footer is missing; upload it again")
    marker, footer, end = tail[:SECTOR], tail[SECTOR : 2 * SECTOR], tail[2 * SECTOR :]
    if marker[8:] != b"\0\0\0\0\3".ljust(SECTOR - 8, b"\0") or end != bytes(SECTOR):
        raise Invalid("the vmdk image is cut off: its footer is missing; upload it again")
    if footer[:_TABLES_AT] != head[:_TABLES_AT] or footer[_TABLES_AT : _TABLES_AT + 8] == _TABLES_AT_END:
        raise Invalid("the vmdk image is broken: its footer contradicts its header")


def _check_descriptor(text: str) -> None:
    kinds: list[str] = []
    extents: list[tuple[str, str]] = []
    # Wherever the word stands, also in a comment: QEMU does not look at lines.
    if "parentfilenamehint" in text.lower():
        raise Invalid("the vmdk image names a parent file, which would be read from the host: flatten it")
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if match := _EXTENT.match(line):
            extents.append((match[3], match[4] or ""))
            continue
        name, _, value = line.partition("=")
        name, value = name.strip().lower(), value.strip().strip('"')
        if name == "createtype":
            kinds.append(value)
        elif name == "parentcid" and value.lower() != "ffffffff":
            raise Invalid("the vmdk image depends on a parent image: flatten it (qemu-img convert)")
    if len(kinds) != 1 or kinds[0].lower() not in _SINGLE_FILE:
        said = kinds[0] if kinds else "missing"
        raise Invalid(f"the vmdk image's createType is {said}: only monolithicSparse and streamOptimized; {_ADVICE}")
    if len(extents) != 1 or extents[0][0].upper() != "SPARSE":
        raise Invalid(f"the vmdk image has extents other than itself: {_ADVICE}")
    if re.search(r"[/\\]|\.\.", extents[0][1]):
        raise Invalid("the vmdk image names an extent by a path, which would be read from the host")
