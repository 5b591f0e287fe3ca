"""Images that a user may send and that no program of a host may open: each with what it claims to be and why it is refused.

What they try: to have a file of the host read (by a backing file, a data file, an extent, a parent), to be read as another
format than the one that was looked at, to make a program take all memory, or to break it.
"""

import struct
from typing import NamedTuple

from tests.support.images import (
    CLUSTER,
    GiB,
    MiB,
    a_qcow2,
    a_vdi,
    a_vhd,
    a_vhdx,
    a_vmdk,
    a_vmdk_header,
    an_iso,
)

SECRET = "/etc/passwd"
_SECRET = SECRET.encode()


class Hostile(NamedTuple):
    """``why`` is a pattern of the refusal."""

    name: str
    declared: str
    content: bytes
    why: str


def _extension(kind: int, content: bytes, length: int | None = None) -> bytes:
    return struct.pack(">II", kind, len(content) if length is None else length) + content.ljust(
        -(-len(content) // 8) * 8, b"\0"
    )


_HINT = f'parentFileNameHint="{SECRET}"'
_FLAT = f'RW 2048 FLAT "{SECRET}" 0'
_FAR = 1 << 40

_QCOW2 = {
    "backing file": (a_qcow2(backing=_SECRET), "backing file"),
    "backing file, version 2": (a_qcow2(version=2, backing=b"json:{}"), "backing file"),
    "backing file of another protocol": (a_qcow2(backing=b"nbd://192.0.2.1/x"), "backing file"),
    "data file": (a_qcow2(incompatible=4), "keeps its data in another file"),
    "data file by name": (a_qcow2(incompatible=4, extensions=_extension(0x44415441, _SECRET)), "in another file"),
    "data file by name alone": (a_qcow2(extensions=_extension(0x44415441, _SECRET)), "external data file"),
    "data file behind another extension": (
        a_qcow2(extensions=_extension(0x6803F857, b"x" * 48) + _extension(0x44415441, _SECRET)),
        "external data file",
    ),
    "LUKS header": (a_qcow2(extensions=_extension(0x0537BE77, bytes(16))), "encrypted"),
    "extension longer than the header": (a_qcow2(extensions=_extension(0x12345678, b"", 0xFFFFFFFF)), "longer than"),
    "extension longer by a little": (a_qcow2(extensions=_extension(0x12345678, b"", CLUSTER)), "longer than"),
    "AES": (a_qcow2(crypt=1), "encrypted"),
    "LUKS": (a_qcow2(crypt=2), "encrypted"),
    "unknown feature": (a_qcow2(incompatible=1 << 40), "features that are not known"),
    "next unknown feature": (a_qcow2(incompatible=1 << 5), "features that are not known"),
    "corrupt": (a_qcow2(incompatible=2), "corrupt"),
    "dirty": (a_qcow2(incompatible=1), "not closed properly"),
    "compression without a kind": (a_qcow2(incompatible=8), "compressed by a method"),
    "unknown compression": (
        a_qcow2(incompatible=8, header_length=112, extensions=b"\x09" * 8),
        "compressed by a method",
    ),
    "version 4": (a_qcow2(version=4), "version 4"),
    "version 0": (a_qcow2(version=0), "version 0"),
    "huge clusters": (a_qcow2(cluster_bits=31), r"2\^31"),
    "tiny clusters": (a_qcow2(cluster_bits=0), r"2\^0"),
    "negative size": (a_qcow2(size=1 << 63, l1_entries=1), "size is impossible"),
    "huge size, small L1": (a_qcow2(size=GiB, l1_entries=1), "does not cover"),
    "huge L1": (a_qcow2(l1_entries=0xFFFFFFFF), "does not cover"),
    "L1 above QEMU's limit": (a_qcow2(l1_entries=(32 << 20) // 8 + 1), "does not cover"),
    "L1 between clusters": (a_qcow2(l1_at=3 * CLUSTER + 8), "do not begin where clusters do"),
    "L1 beyond the end": (a_qcow2(l1_at=_FAR), "cut off"),
    "huge table of reference counts": (a_qcow2(refcount_clusters=0x7FFFFFFF), "table of reference counts"),
    "reference counts beyond the end": (a_qcow2(refcount_clusters=100), "cut off"),
    "too many snapshots": (a_qcow2(snapshots=(1 << 20, 3 * CLUSTER)), "too many snapshots"),
    "snapshots nowhere": (a_qcow2(snapshots=(1, 0)), "snapshots do not begin"),
    "snapshots between clusters": (a_qcow2(snapshots=(1, 3 * CLUSTER + 8)), "snapshots do not begin"),
    "snapshots beyond the end": (a_qcow2(snapshots=(1, _FAR)), "cut off"),
    "huge header": (a_qcow2(header_length=0xFFFFFFF8), "impossible length"),
    "header of version 3 too short": (a_qcow2(header_length=96), "impossible length"),
    "header of version 3 with that of version 2": (a_qcow2(header_length=72), "impossible length"),
    "crooked header": (a_qcow2(header_length=106), "impossible length"),
    "cut in its tables": (a_qcow2()[: 3 * CLUSTER - 1], "cut off"),
    "cut in its header": (a_qcow2()[:71], "ends within its header"),
    "cut in its header of version 3": (a_qcow2()[:90], "ends within its header"),
    "magic alone": (a_qcow2()[:4], "ends within its header"),
    "qcow": (b"QFI\xfb\0\0\0\x01" + bytes(1000), "its content is qcow:"),
    "qed": (b"QED\0" + bytes(1000), "its content is qed:"),
    "raw": (bytes(1000), "no known format, or raw"),
    "empty": (b"", "empty"),
}
_VMDK = {
    "flat": (a_vmdk(create_type="monolithicFlat"), "createType is monolithicFlat"),
    "split": (a_vmdk(create_type="twoGbMaxExtentSparse"), "createType is twoGbMaxExtentSparse"),
    "raw device": (a_vmdk(create_type="fullDevice"), "createType is fullDevice"),
    "without a type": (a_vmdk(create_type=""), "createType is "),
    "two types": (a_vmdk(more='createType="monolithicSparse"'), "createType"),
    "flat extent": (a_vmdk(extents=(_FLAT,)), "extents other than itself"),
    "flat extent besides": (a_vmdk(extents=('RW 2048 SPARSE "a.vmdk"', _FLAT)), "extents other than itself"),
    "two extents": (
        a_vmdk(extents=('RW 2048 SPARSE "a.vmdk"', 'RW 2048 SPARSE "b.vmdk"')),
        "extents other than itself",
    ),
    "no extent": (a_vmdk(extents=()), "extents other than itself"),
    "absolute extent": (a_vmdk(extents=(f'RW 2048 SPARSE "{SECRET}"',)), "by a path"),
    "relative extent": (a_vmdk(extents=('RW 2048 SPARSE "folder/disk.vmdk"',)), "by a path"),
    "extent above": (a_vmdk(extents=('RW 2048 SPARSE "../../_base/disk.vmdk"',)), "by a path"),
    "extent above, the other slash": (a_vmdk(extents=('RW 2048 SPARSE "..\\secret"',)), "by a path"),
    "parent": (a_vmdk(parent="12345678"), "parent image"),
    "parent by name": (a_vmdk(more=_HINT), "names a parent file"),
    "parent in a comment": (a_vmdk(more=f"# {_HINT}"), "names a parent file"),
    "parent within a value": (a_vmdk(more=f'x="{_HINT}'), "names a parent file"),
    "parent behind the descriptor's end": (
        a_vmdk(more=f"# {'x' * 600}\n{_HINT}", descriptor_sectors=1),
        "names a parent file",
    ),
    "descriptor elsewhere": (a_vmdk(descriptor_at=2), "does not stand behind its header"),
    "descriptor far away": (a_vmdk(descriptor_at=1 << 50), "does not stand behind its header"),
    "endless descriptor": (a_vmdk(descriptor_sectors=1 << 50), "does not stand behind its header"),
    "no descriptor": (a_vmdk(descriptor_at=0), "no descriptor inside"),
    "no size": (a_vmdk(capacity=0), "no possible size"),
    "no possible size": (a_vmdk(capacity=1 << 60), "no possible size"),
    "version 9": (a_vmdk(version=9), "version 9"),
    "cut in its header": (a_vmdk()[:300], "ends within its header"),
    "stream without its footer": (
        a_vmdk(create_type="streamOptimized", footer=a_vmdk_header())[:-1024],
        "footer is missing",
    ),
    "stream cut in a sector": (a_vmdk(create_type="streamOptimized", footer=a_vmdk_header())[:-3], "footer is missing"),
    "stream that turns out larger": (
        a_vmdk(create_type="streamOptimized", footer=a_vmdk_header(capacity=1 << 40)),
        "footer contradicts",
    ),
    "stream with another descriptor": (
        a_vmdk(create_type="streamOptimized", footer=a_vmdk_header(descriptor_at=30)),
        "footer contradicts",
    ),
    "stream with a footer's footer": (
        a_vmdk(create_type="streamOptimized", footer=a_vmdk_header(tables_at=(1 << 64) - 1)),
        "footer contradicts",
    ),
    "descriptor alone": (
        f'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\n{_FLAT}\n'.encode(),
        "only a descriptor",
    ),
    "split descriptor alone": (
        b'# Disk DescriptorFile\ncreateType="twoGbMaxExtentSparse"\nRW 4192256 SPARSE "disk-s001.vmdk"\n',
        "only a descriptor",
    ),
    "descriptor behind comments": (f"\n\n# hello\n \t# disk descriptorFILE\n{_FLAT}\n".encode(), "only a descriptor"),
    "COWD": (b"COWD" + bytes(1000), "its content is cowd:"),
}
_OTHERS = {
    "vdi": {
        "differencing": (a_vdi(kind=4), "depends on a parent"),
        "parent": (a_vdi(parent=b"\x01"), "depends on a parent"),
        "no size": (a_vdi(size=0), "no possible size"),
        "cut in its header": (a_vdi()[:100], "ends within its header"),
    },
    "vhd": {
        "differencing": (a_vhd(kind=4), "depends on a parent"),
        "no size": (a_vhd(size=0), "no possible size"),
        "without its footer": (a_vhd(kind=3)[:-512], "cut off"),
        "less than it holds": (bytes(512) + a_vhd(size=MiB)[-512:], "cut off"),
        "wrong checksum": (a_vhd()[:-300] + b"\x01" + a_vhd()[-299:], "checksum"),
        "larger by its geometry": (a_vhd(creator=b"vpc ", geometry=(65535, 16, 63)), "contradict"),
    },
    "vhdx": {
        "parent": (a_vhdx(parent=True), "depends on a parent"),
        "no size": (a_vhdx(size=0), "no possible size"),
        "metadata far away": (a_vhdx(metadata_at=_FAR), "not near its beginning"),
        "cut in its metadata": (a_vhdx(metadata_at=MiB)[: MiB + 100], "not near its beginning"),
        "cut in its header": (a_vhdx()[:1000], "not near its beginning"),
    },
    "raw": {
        "qcow2": (a_qcow2(), "its content is qcow2"),
        "qcow2 with a backing file": (a_qcow2(backing=_SECRET), "its content is qcow2"),
        "vmdk": (a_vmdk(), "its content is vmdk"),
        "descriptor": (f"# Disk DescriptorFile\n{_FLAT}\n".encode(), "its content is vmdk"),
        "vdi": (a_vdi(), "its content is vdi"),
        "vhd at its end": (a_vhd(), "its content is vhd"),
        "vhdx": (a_vhdx(), "its content is vhdx"),
        "qed": (b"QED\0" + bytes(1000), "its content is qed"),
        "ploop": (b"WithouFreSpacExt" + bytes(1000), "its content is ploop"),
    },
    "iso": {
        "qcow2 before a CD": (an_iso(a_qcow2(backing=_SECRET)[:512]), "its content is qcow2"),
        "vmdk before a CD": (an_iso(f"# Disk DescriptorFile\n{_FLAT}\n".encode()), "its content is vmdk"),
        "raw": (bytes(64 << 10), "no known format, or raw"),
    },
    "aki": {"qcow2": (a_qcow2(backing=_SECRET), "its content is qcow2")},
    "ami": {"vmdk": (a_vmdk(), "its content is vmdk")},
}

HOSTILE = [
    Hostile(f"{declared}: {name}", declared, content, why)
    for declared, images in {"qcow2": _QCOW2, "vmdk": _VMDK, **_OTHERS}.items()
    for name, (content, why) in images.items()
]
