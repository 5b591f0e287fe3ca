"""Disk images made byte by byte, sound or hostile, so that no test needs a program to make one."""

import struct
import uuid

CLUSTER = 65536
MiB = 1 << 20
GiB = 1 << 30


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
    refcount_clusters: int = 1,
    snapshots: tuple[int, int] = (0, 0),
) -> bytes:
    """An empty qcow2 image of four clusters; with the defaults qemu-img finds no fault in it."""
    entries = max(1, -(-size // (CLUSTER * (CLUSTER // 8)))) if l1_entries is None else l1_entries
    extensions += struct.pack(">II", 0, 0)
    name_at = 112 + len(extensions) if backing else 0
    header = struct.pack(
        ">4sIQIIQIIQQIIQ",
        *(b"QFI\xfb", version, name_at, len(backing), cluster_bits, size, crypt, entries, l1_at, CLUSTER),
        *(refcount_clusters, *snapshots),
    )
    if version >= 3:
        header += struct.pack(">QQQII", incompatible, 0, 0, 4, header_length)
    head = (header + extensions).ljust(name_at, b"\0") + backing
    refcount_table = struct.pack(">Q", 2 * CLUSTER)
    refcounts = struct.pack(">HHHH", 1, 1, 1, 1)
    return b"".join(part.ljust(CLUSTER, b"\0") for part in (head, refcount_table, refcounts, b""))


def a_vmdk(
    *,
    capacity: int = 2048,
    create_type: str = "monolithicSparse",
    extents: tuple[str, ...] = ('RW 2048 SPARSE "disk.vmdk"',),
    parent: str = "ffffffff",
    more: str = "",
    descriptor_at: int = 1,
    descriptor_sectors: int = 20,
    version: int = 1,
    footer: bytes | None = None,
) -> bytes:
    """A VMDK in one file without data; ``footer`` is the header that a stream of this kind ends with."""
    lines = ["# Disk DescriptorFile", "version=1", "CID=fffffffe", f"parentCID={parent}", f'createType="{create_type}"']
    text = "\n".join([*lines, *([more] if more else []), *extents, ""]).encode()
    header = a_vmdk_header(
        capacity=capacity,
        descriptor_at=descriptor_at,
        descriptor_sectors=descriptor_sectors,
        version=version,
        tables_at=26 if footer is None else (1 << 64) - 1,
    )
    body = header + text.ljust(20 * 512, b"\0") + bytes(64 * 1024)
    if footer is None:
        return body
    return body + struct.pack("<QII", 1, 0, 3).ljust(512, b"\0") + footer + bytes(512)


def a_vmdk_header(
    *,
    capacity: int = 2048,
    descriptor_at: int = 1,
    descriptor_sectors: int = 20,
    version: int = 1,
    tables_at: int = 26,
) -> bytes:
    """The first sector of a VMDK."""
    numbers = (version, 3, capacity, 128, descriptor_at, descriptor_sectors, 512, 0, tables_at, 128)
    return struct.pack("<4sIIQQQQIQQQ", b"KDMV", *numbers).ljust(512, b"\0")


def a_vhd(
    *, size: int = MiB, kind: int = 2, creator: bytes = b"qem2", geometry: tuple[int, int, int] = (30, 4, 17)
) -> bytes:
    """A VHD in which nothing is; ``geometry`` are its cylinders, heads and sectors."""
    footer = bytearray(512)
    struct.pack_into(">8sIIQ", footer, 0, b"conectix", 2, 0x10000, 0xFFFFFFFFFFFFFFFF if kind == 2 else 512)
    struct.pack_into(">4s", footer, 28, creator)
    struct.pack_into(">QQHBB", footer, 40, size, size, *geometry)
    struct.pack_into(">I", footer, 60, kind)
    struct.pack_into(">I", footer, 64, 0xFFFFFFFF ^ sum(footer))
    if kind == 2:
        return bytes(size) + bytes(footer)
    return bytes(footer) + b"cxsparse".ljust(1024, b"\0") + bytes(512) + bytes(footer)


def a_vdi(*, size: int = MiB, kind: int = 1, parent: bytes = b"") -> bytes:
    """The header of a VDI."""
    head = bytearray(MiB)
    struct.pack_into("<IIII", head, 64, 0xBEDA107F, 0x00010001, 400, kind)
    struct.pack_into("<Q", head, 368, size)
    head[440 : 440 + len(parent)] = parent
    return bytes(head)


def a_vhdx(*, size: int = GiB, parent: bool = False, metadata_at: int = 2 * MiB) -> bytes:
    """The headers of a VHDX."""
    image = bytearray(4 * MiB)
    image[:8] = b"vhdxfile"
    struct.pack_into("<4sII", image, 192 << 10, b"regi", 0, 1)
    region = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le + struct.pack("<QII", metadata_at, MiB, 1)
    image[(192 << 10) + 16 : (192 << 10) + 48] = region
    if metadata_at < len(image):
        struct.pack_into("<8sHH", image, metadata_at, b"metadata", 0, 2)
        parameters = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
        virtual = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
        image[metadata_at + 32 : metadata_at + 64] = parameters + struct.pack("<IIII", 65536, 8, 4, 0)
        image[metadata_at + 64 : metadata_at + 96] = virtual + struct.pack("<IIII", 65544, 8, 6, 0)
        struct.pack_into("<IIQ", image, metadata_at + 65536, MiB, 2 if parent else 0, size)
    return bytes(image)


def an_iso(head: bytes = b"") -> bytes:
    """A CD; before its first descriptor there is room for something else, such as a boot sector."""
    return head.ljust(32768, b"\0") + b"\x01CD001\x01" + bytes(4096)


def an_mbr(*kinds: int) -> bytes:
    """A boot sector with partitions of these kinds."""
    sector = bytearray(512)
    for n, kind in enumerate(kinds):
        start = b"\0\2\0" if kind == 0xEE else b"\0\1\0"
        sector[446 + 16 * n : 462 + 16 * n] = struct.pack("<B3sB3sII", 0, start, kind, b"\xff" * 3, 1 + 64 * n, 64)
    sector[510:512] = b"\x55\xaa"
    return bytes(sector)


def a_gpt(*kinds: int) -> bytes:
    """A disk with a GPT, behind a boot sector with partitions of these kinds (0xEE is the protective one)."""
    return an_mbr(*kinds) + b"EFI PART".ljust(512, b"\0") + bytes(64 << 10)
