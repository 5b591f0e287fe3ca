"""VMDK images: only those that hold all of their data in one file; descriptors that point to other files are refused."""

import re
import struct

from minicloud.base.errors import Invalid

_SINGLE_FILE = ("monolithicsparse", "streamoptimized")
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


def check(head: bytes) -> int:
    """The virtual size in bytes. Raises Invalid: other files are referenced, or the header is broken."""
    if head[:4] != b"KDMV":
        raise Invalid(f"the vmdk image is only a descriptor of other files: {_ADVICE}")
    if len(head) < 512:
        raise Invalid("the vmdk image is broken: it ends within its header")
    version, _, capacity, grain, at, sectors = struct.unpack_from("<IIQQQQ", head, 4)
    if version not in (1, 2, 3):
        raise Invalid(f"the vmdk image has version {version}: only 1, 2 and 3 are known")
    if capacity == 0 or capacity >= 1 << 54 or grain == 0:
        # A zero capacity makes readers follow the descriptor's extents, wherever they point.
        raise Invalid("the vmdk image is broken: its header states no possible size")
    if at == 0 or sectors == 0:
        raise Invalid(f"the vmdk image has no descriptor inside, so it is a part of another one: {_ADVICE}")
    if (at + sectors) * 512 > len(head):
        raise Invalid("the vmdk image is broken: its descriptor is not near its beginning")
    text = head[at * 512 : (at + sectors) * 512].split(b"\0", 1)[0].decode(errors="replace")
    _check_descriptor(text)
    return int(capacity) * 512


def _check_descriptor(text: str) -> None:
    kinds: list[str] = []
    extents: list[tuple[str, str]] = []
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
        elif name == "parentfilenamehint":
            raise Invalid("the vmdk image names a parent file, which would be read from the host: flatten it")
    if len(kinds) != 1 or kinds[0].lower() not in _SINGLE_FILE:
        said = kinds[0] if kinds else "missing"
        raise Invalid(f"the vmdk image's createType is {said}: only monolithicSparse and streamOptimized; {_ADVICE}")
    if len(extents) != 1 or extents[0][0].upper() != "SPARSE":
        raise Invalid(f"the vmdk image has extents other than itself: {_ADVICE}")
    if re.search(r"[/\\]|\.\.", extents[0][1]):
        raise Invalid("the vmdk image names an extent by a path, which would be read from the host")
