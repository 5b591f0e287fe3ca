"""VDI, VHD and VHDX images: sizes, and refusal of those that depend on a parent."""

import struct
import uuid

from minicloud.base.errors import Invalid

_VHDX_METADATA = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
_VHDX_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
_VHDX_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
_SIZE_COUNTS = (b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS")
_LARGEST_GEOMETRY = 65535 * 16 * 255
_REGIONS_AT = 192 << 10


def check_vdi(head: bytes) -> int:
    """The virtual size in bytes. Raises Invalid."""
    if len(head) < 512:
        raise Invalid("the vdi image is broken: it ends within its header")
    version, _, kind = struct.unpack_from("<III", head, 68)
    (size,) = struct.unpack_from("<Q", head, 368)
    if version != 0x00010001:
        raise Invalid(f"the vdi image has version {version >> 16}.{version & 0xFFFF}: only 1.1 is known")
    if kind not in (1, 2) or any(head[424:456]):
        raise Invalid("the vdi image depends on a parent image: flatten it (qemu-img convert)")
    if size == 0 or size >= 1 << 63:
        raise Invalid("the vdi image is broken: its header states no possible size")
    return int(size)


def check_vhd(head: bytes, tail: bytes, file_size: int) -> int:
    """The virtual size in bytes; ``tail`` are the last 512 bytes. Raises Invalid."""
    footer = head[:512] if head[:8] == b"conectix" else tail
    if len(footer) < 512:
        raise Invalid("the vhd image is broken: it ends within its header")
    (size,) = struct.unpack_from(">Q", footer, 48)
    (kind,) = struct.unpack_from(">I", footer, 60)
    if kind not in (2, 3):
        raise Invalid("the vhd image depends on a parent image: flatten it (qemu-img convert)")
    if kind == 3 and (tail[:8] != b"conectix" or head[512:520] != b"cxsparse"):
        raise Invalid("the vhd image is cut off: its header or its footer is missing; upload it again")
    if sum(footer[:64] + footer[68:]) + struct.unpack_from(">I", footer, 64)[0] != 0xFFFFFFFF:
        raise Invalid("the vhd image is broken: its checksum is wrong")
    if size == 0 or size >= 1 << 63:
        raise Invalid("the vhd image is broken: its header states no possible size")
    cylinders, heads, sectors = struct.unpack_from(">HBB", footer, 56)
    geometry = cylinders * heads * sectors
    # QEMU believes the geometry rather than the size where these programs did not make the image, unless it is the largest.
    if footer[28:32] not in _SIZE_COUNTS and geometry != _LARGEST_GEOMETRY and geometry * 512 > size:
        raise Invalid("the vhd image is broken: its size and its geometry contradict each other")
    if kind == 2 and size > file_size - 512:
        raise Invalid("the vhd image is cut off: it is smaller than the disk that it holds; upload it again")
    return -(-int(size) // 512) * 512


def check_vhdx(head: bytes) -> int:
    """The virtual size in bytes. Raises Invalid."""
    metadata = _vhdx_region(head)
    if head[metadata : metadata + 8] != b"metadata":
        raise Invalid("the vhdx image is broken: it has no metadata where it says")
    (count,) = struct.unpack_from("<H", head, metadata + 10)
    if count > 2047:
        raise Invalid("the vhdx image is broken: it claims too many metadata entries")
    size: int | None = None
    for n in range(count):
        at = metadata + 32 + 32 * n
        offset, length = struct.unpack_from("<II", _slice(head, at, 32), 16)
        kind = head[at : at + 16]
        if kind == _VHDX_PARAMETERS:
            _, flags = struct.unpack("<II", _slice(head, metadata + offset, 8))
            if flags & 2:
                raise Invalid("the vhdx image depends on a parent image: flatten it (qemu-img convert)")
        elif kind == _VHDX_SIZE and length == 8:
            (size,) = struct.unpack("<Q", _slice(head, metadata + offset, 8))
    if not size or size >= 1 << 63:
        raise Invalid("the vhdx image is broken: it states no possible size")
    return size


def _vhdx_region(head: bytes) -> int:
    signature, _, count = struct.unpack_from("<4sII", _slice(head, _REGIONS_AT, 16), 0)
    if signature != b"regi" or count > 2047:
        raise Invalid("the vhdx image is broken: its table of regions is missing")
    for n in range(count):
        entry = _slice(head, _REGIONS_AT + 16 + 32 * n, 32)
        if entry[:16] == _VHDX_METADATA:
            (offset,) = struct.unpack_from("<Q", entry, 16)
            _slice(head, offset, 64 << 10)
            return int(offset)
    raise Invalid("the vhdx image is broken: it has no metadata")


def _slice(head: bytes, at: int, length: int) -> bytes:
    piece = head[at : at + length]
    if len(piece) < length:
        raise Invalid("the vhdx image is broken or of an unusual layout: its metadata is not near its beginning")
    return piece
