"""The header of a qcow2 image: its size, and everything that makes one unsafe or unusable as a base image."""

import struct

from minicloud.base.errors import Invalid

_DIRTY, _CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED_L2 = 1, 2, 4, 8, 16
_KNOWN = _DIRTY | _CORRUPT | _DATA_FILE | _COMPRESSION | _EXTENDED_L2
_DATA_FILE_NAME = 0x44415441
_ENCRYPTION = 0x0537BE77
_BACKING_FORMAT = 0xE2792ACA
_L1_LIMIT = 32 << 20
_REFCOUNTS_LIMIT = 8 << 20
"""What QEMU reads at most of each table, in bytes."""


def backing_file(head: bytes) -> str | None:
    """The backing file that an overlay names, from the first cluster of a file that we made ourselves."""
    if len(head) < 72 or head[:4] != b"QFI\xfb":
        return None
    offset, length = struct.unpack_from(">QI", head, 8)
    return head[offset : offset + length].decode(errors="replace") if offset else None


def size(head: bytes) -> int:
    """The virtual size in bytes, from the first 72 bytes. Raises Invalid: not a qcow2 header."""
    if len(head) < 72 or head[:4] != b"QFI\xfb":
        raise Invalid("this is not a qcow2 file")
    (virtual,) = struct.unpack_from(">Q", head, 24)
    return int(virtual)


def blank(virtual: int, *, on: str | None = None, on_format: str = "qcow2") -> bytes:
    """A whole image of this many bytes that holds nothing, or what the file ``on`` holds (its name from this file's folder)."""
    cluster = 1 << 16
    entries = max(1, -(-virtual // (cluster * (cluster // 8))))
    name = b"" if on is None else on.encode()
    told = b"" if on is None else _extension(_BACKING_FORMAT, on_format.encode()) + bytes(8)
    at = 104 + len(told) if name else 0
    head = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, at, len(name), 16, virtual, 0, entries, 3 * cluster, cluster, 1, 0, 0
    )
    head += struct.pack(">QQQII", 0, 0, 0, 4, 104) + told + name
    tables = -(-entries * 8 // cluster)
    counts = b"\0\1" * (3 + tables)
    refcounts = struct.pack(">Q", 2 * cluster)
    return b"".join(part.ljust(cluster, b"\0") for part in (head, refcounts, counts)) + bytes(entries * 8)


def _extension(kind: int, content: bytes) -> bytes:
    return struct.pack(">II", kind, len(content)) + content.ljust(-(-len(content) // 8) * 8, b"\0")


def check(head: bytes, file_size: int | None) -> int:
    """The virtual size in bytes. ``file_size`` None: not known yet.

    Raises:
        Invalid: another file is referenced, the image is encrypted, or the header is broken or of an unknown kind.
    """
    if len(head) < 72:
        raise Invalid("the qcow2 image is broken: it ends within its header")
    version, backing, _, cluster_bits, virtual, crypt = struct.unpack_from(">IQIIQI", head, 4)
    if version not in (2, 3):
        raise Invalid(f"the qcow2 image has version {version}: only 2 and 3 are known")
    if backing:
        raise Invalid(
            "the qcow2 image has a backing file, which would be read from the host: flatten it (qemu-img convert)"
        )
    if crypt:
        raise Invalid("the qcow2 image is encrypted: decrypt it before the upload")
    if not 9 <= cluster_bits <= 21:
        raise Invalid(f"the qcow2 image is broken: its clusters would have 2^{cluster_bits} bytes")
    header_length = 72
    if version == 3:
        header_length = _check_version_3(head)
    _check_extensions(head, header_length, 1 << cluster_bits)
    _check_tables(head, 1 << cluster_bits, virtual, file_size)
    return int(virtual)


def _check_version_3(head: bytes) -> int:
    if len(head) < 104:
        raise Invalid("the qcow2 image is broken: it ends within its header")
    incompatible, _, _, refcount_order, header_length = struct.unpack_from(">QQQII", head, 72)
    if incompatible & _DATA_FILE:
        raise Invalid(
            "the qcow2 image keeps its data in another file, which would be read from the host: flatten it (qemu-img convert)"
        )
    if incompatible & ~_KNOWN:
        raise Invalid(f"the qcow2 image needs features that are not known here (bits {incompatible & ~_KNOWN:#x})")
    if incompatible & _CORRUPT:
        raise Invalid("the qcow2 image is marked as corrupt: repair it (qemu-img check -r all)")
    if incompatible & _DIRTY:
        raise Invalid("the qcow2 image was not closed properly: repair it (qemu-img check -r all)")
    if header_length < 104 or header_length % 8 or header_length > 4096 or refcount_order > 6:
        raise Invalid("the qcow2 image is broken: its header has an impossible length or reference counts")
    if incompatible & _COMPRESSION and (header_length < 112 or len(head) < 105 or head[104] > 1):
        raise Invalid("the qcow2 image is compressed by a method that is not known here")
    return int(header_length)


def _check_extensions(head: bytes, at: int, end: int) -> None:
    end = min(end, len(head))
    while at + 8 <= end:
        kind, length = struct.unpack_from(">II", head, at)
        if kind == 0:
            return
        if kind == _DATA_FILE_NAME:
            raise Invalid("the qcow2 image names an external data file, which would be read from the host: flatten it")
        if kind == _ENCRYPTION:
            raise Invalid("the qcow2 image is encrypted: decrypt it before the upload")
        at += 8 + -(-length // 8) * 8
        if at > end:
            raise Invalid("the qcow2 image is broken: a header extension is longer than the header")


def _check_tables(head: bytes, cluster: int, virtual: int, file_size: int | None) -> None:
    l1_entries, l1_at, refcounts_at, refcount_clusters, snapshots, snapshots_at = struct.unpack_from(
        ">IQQIIQ", head, 36
    )
    if virtual >= 1 << 63:
        raise Invalid("the qcow2 image is broken: its size is impossible")
    # One L2 table covers (cluster / 8) clusters; an extended entry has 16 bytes, so it may take twice as many tables.
    least = -(-virtual // (cluster * (cluster // 8)))
    if l1_entries < least or l1_entries * 8 > _L1_LIMIT:
        raise Invalid("the qcow2 image is broken: its first table does not cover its size")
    if l1_at % cluster or refcounts_at % cluster or not refcounts_at or (l1_entries and not l1_at):
        raise Invalid("the qcow2 image is broken: its tables do not begin where clusters do")
    if refcount_clusters * cluster > _REFCOUNTS_LIMIT:
        raise Invalid("the qcow2 image is broken: its table of reference counts is too long")
    if snapshots > 65536:
        raise Invalid("the qcow2 image is broken: it claims too many snapshots")
    if snapshots and (not snapshots_at or snapshots_at % cluster):
        raise Invalid("the qcow2 image is broken: its snapshots do not begin where clusters do")
    if file_size is None:
        return
    # The tables are read whole; of the last cluster a file may lack what nobody uses.
    ends = [l1_at + l1_entries * 8, refcounts_at + max(refcount_clusters - 1, 0) * cluster + 1]
    if snapshots:
        ends.append(snapshots_at + snapshots * 40)
    if max(ends) > file_size:
        raise Invalid(f"the qcow2 image is cut off: its tables lie beyond its {file_size} bytes; upload it again")
