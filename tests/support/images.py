"""Disk images made byte by byte, sound or hostile, so that no test needs a program to make one."""

import struct

CLUSTER = 65536


def a_qcow2(
    *,
    size: int = 1 << 20,
    version: int = 3,
    backing: bytes = b"",
    incompatible: int = 0,
    crypt: int = 0,
    cluster_bits: int = 16,
    l1_entries: int | None = None,
    l1_at: int = 3 * CLUSTER,
    header_length: int = 104,
    extensions: bytes = b"",
) -> bytes:
    """An empty qcow2 image of four clusters; with the defaults qemu-img finds no fault in it."""
    entries = max(1, -(-size // (CLUSTER * (CLUSTER // 8)))) if l1_entries is None else l1_entries
    extensions += struct.pack(">II", 0, 0)
    name_at = 112 + len(extensions) if backing else 0
    header = struct.pack(
        ">4sIQIIQIIQQIIQ",
        *(b"QFI\xfb", version, name_at, len(backing), cluster_bits, size, crypt, entries, l1_at, CLUSTER, 1, 0, 0),
    )
    if version >= 3:
        header += struct.pack(">QQQII", incompatible, 0, 0, 4, header_length)
    head = (header + extensions).ljust(name_at, b"\0") + backing
    refcount_table = struct.pack(">Q", 2 * CLUSTER)
    refcounts = struct.pack(">HHHH", 1, 1, 1, 1)
    return b"".join(part.ljust(CLUSTER, b"\0") for part in (head, refcount_table, refcounts, b""))
