"""What an image really is: sound ones of every format, hostile headers, wrong declarations, and bytes at random."""

import random
import shutil
import struct
import subprocess
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicloud.base.errors import Invalid
from minicloud.base.imageformat import DECLARABLE, ImageFacts, Inspector, detect, qcow2
from tests.support.bootsector import boot_disk
from tests.support.images import CLUSTER, a_qcow2

MiB = 1 << 20
GiB = 1 << 30


def inspect(content: bytes, declared: str | None = None, *, piece: int = 65536, limit: int | None = None) -> ImageFacts:
    inspector = Inspector(declared, max_virtual_size=limit)
    for at in range(0, len(content), piece):
        inspector.feed(content[at : at + piece])
    return inspector.finish()


def a_vmdk(
    *,
    capacity: int = 2048,
    create_type: str = "monolithicSparse",
    extents: tuple[str, ...] = ('RW 2048 SPARSE "disk.vmdk"',),
    parent: str = "ffffffff",
    more: str = "",
    descriptor_at: int = 1,
    version: int = 1,
) -> bytes:
    lines = ["# Disk DescriptorFile", "version=1", "CID=fffffffe", f"parentCID={parent}", f'createType="{create_type}"']
    text = "\n".join([*lines, *([more] if more else []), *extents, ""]).encode()
    header = struct.pack("<4sIIQQQQIQQQ", b"KDMV", version, 3, capacity, 128, descriptor_at, 20, 512, 0, 26, 128)
    return header.ljust(512, b"\0") + text.ljust(20 * 512, b"\0") + bytes(64 * 1024)


def a_vhd(*, size: int = MiB, kind: int = 2) -> bytes:
    footer = bytearray(512)
    struct.pack_into(">8sIIQ", footer, 0, b"conectix", 2, 0x10000, 0xFFFFFFFFFFFFFFFF if kind == 2 else 512)
    struct.pack_into(">QQ", footer, 40, size, size)
    struct.pack_into(">I", footer, 60, kind)
    struct.pack_into(">I", footer, 64, 0xFFFFFFFF ^ sum(footer))
    if kind == 2:
        return bytes(size) + bytes(footer)
    return bytes(footer) + b"cxsparse".ljust(1024, b"\0") + bytes(512) + bytes(footer)


def a_vdi(*, size: int = MiB, kind: int = 1, parent: bytes = b"") -> bytes:
    head = bytearray(MiB)
    struct.pack_into("<IIII", head, 64, 0xBEDA107F, 0x00010001, 400, kind)
    struct.pack_into("<Q", head, 368, size)
    head[440 : 440 + len(parent)] = parent
    return bytes(head)


def a_vhdx(*, size: int = GiB, parent: bool = False, metadata_at: int = 2 * MiB) -> bytes:
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


def an_iso() -> bytes:
    return bytes(32768) + b"\x01CD001\x01" + bytes(4096)


SOUND = {
    "qcow2": (a_qcow2(size=3 * GiB), 3 * GiB),
    "vmdk": (a_vmdk(), MiB),
    "vdi": (a_vdi(), MiB),
    "vhd": (a_vhd(), MiB),
    "vhdx": (a_vhdx(), GiB),
    "iso": (an_iso(), 37376),
    "raw": (boot_disk(), 2 * MiB),
}


@pytest.mark.parametrize("form", SOUND)
@pytest.mark.parametrize("piece", [65536, 8 * MiB, 1000])
def test_a_sound_image_is_known_with_its_size(form: str, piece: int) -> None:
    content, size = SOUND[form]
    for declared in (form, None):
        facts = inspect(content, declared, piece=piece)
        assert (facts.format, facts.virtual_size, facts.file_size) == (form, size, len(content))


@pytest.mark.parametrize("declared", sorted(DECLARABLE))
@pytest.mark.parametrize("real", SOUND)
def test_what_was_declared_must_be_what_it_is(declared: str, real: str) -> None:
    fits = declared == real or (declared in ("raw", "ami", "ari", "aki") and real in ("raw", "iso"))
    if fits:
        inspect(SOUND[real][0], declared)
        return
    with pytest.raises(Invalid, match=f"declared as {declared}, but its content is"):
        inspect(SOUND[real][0], declared)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (a_qcow2(backing=b"/etc/passwd"), "backing file"),
        (a_qcow2(version=2, backing=b"json:{}"), "backing file"),
        (a_qcow2(incompatible=4), "keeps its data in another file"),
        (a_qcow2(extensions=struct.pack(">II", 0x44415441, 11) + b"/etc/passwd\0\0\0\0\0"), "external data file"),
        (a_qcow2(extensions=struct.pack(">II", 0x0537BE77, 16) + bytes(16)), "encrypted"),
        (a_qcow2(extensions=struct.pack(">II", 0x12345678, 0xFFFFFFFF)), "longer than the header"),
        (a_qcow2(crypt=1), "encrypted"),
        (a_qcow2(crypt=2), "encrypted"),
        (a_qcow2(incompatible=1 << 40), "features that are not known"),
        (a_qcow2(incompatible=2), "corrupt"),
        (a_qcow2(incompatible=1), "not closed properly"),
        (a_qcow2(incompatible=8), "compressed by a method"),
        (a_qcow2(version=4), "version 4"),
        (a_qcow2(cluster_bits=31), r"2\^31"),
        (a_qcow2(cluster_bits=0), r"2\^0"),
        (a_qcow2(size=1 << 63, l1_entries=1), "size is impossible"),
        (a_qcow2(size=GiB, l1_entries=1), "does not cover"),
        (a_qcow2(l1_entries=0xFFFFFFFF), "does not cover"),
        (a_qcow2(l1_at=3 * CLUSTER + 8), "do not begin where clusters do"),
        (a_qcow2(l1_at=1 << 40), "cut off"),
        (a_qcow2(header_length=0xFFFFFFF8), "impossible length"),
        (a_qcow2(header_length=96), "impossible length"),
        (a_qcow2()[: 3 * CLUSTER - 1], "cut off"),
        (a_qcow2()[:71], "ends within its header"),
        (a_qcow2()[:90], "ends within its header"),
        (a_qcow2()[:4], "ends within its header"),
        (a_vmdk(create_type="monolithicFlat"), "createType is monolithicFlat"),
        (a_vmdk(create_type=""), "createType is "),
        (a_vmdk(extents=('RW 2048 FLAT "/etc/passwd" 0',)), "extents other than itself"),
        (a_vmdk(extents=('RW 2048 SPARSE "a.vmdk"', 'RW 2048 SPARSE "b.vmdk"')), "extents other than itself"),
        (a_vmdk(extents=()), "extents other than itself"),
        (a_vmdk(extents=('RW 2048 SPARSE "/etc/passwd"',)), "by a path"),
        (a_vmdk(extents=('RW 2048 SPARSE "..\\\\secret"',)), "by a path"),
        (a_vmdk(parent="12345678"), "parent image"),
        (a_vmdk(more='parentFileNameHint="/etc/passwd"'), "names a parent file"),
        (a_vmdk(more='createType="monolithicSparse"'), "createType"),
        (a_vmdk(capacity=0), "no possible size"),
        (a_vmdk(capacity=1 << 60), "no possible size"),
        (a_vmdk(descriptor_at=0), "no descriptor inside"),
        (a_vmdk(descriptor_at=1 << 50), "not near its beginning"),
        (a_vmdk(version=9), "version 9"),
        (a_vmdk()[:300], "ends within its header"),
        (
            b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 2048 FLAT "/etc/passwd" 0\n',
            "only a desc",
        ),
        (b'\n\n# hello\n \t# disk descriptorFILE\nRW 1 FLAT "/etc/passwd" 0\n', "only a descriptor"),
        (a_vdi(kind=4), "depends on a parent"),
        (a_vdi(parent=b"\x01"), "depends on a parent"),
        (a_vdi(size=0), "no possible size"),
        (a_vdi()[:100], "ends within its header"),
        (a_vhd(kind=4), "depends on a parent"),
        (a_vhd(size=0), "no possible size"),
        (a_vhd(kind=3)[:-512], "cut off"),
        (a_vhd()[:-300] + b"\x01" + a_vhd()[-299:], "checksum"),
        (a_vhdx(parent=True), "depends on a parent"),
        (a_vhdx(size=0), "no possible size"),
        (a_vhdx(metadata_at=1 << 40), "not near its beginning"),
        (a_vhdx(metadata_at=MiB)[: MiB + 100], "not near its beginning"),
        (a_vhdx()[:1000], "not near its beginning"),
        (b"QED\0" + bytes(1000), "qed format"),
        (b"QFI\xfb\0\0\0\x01" + bytes(1000), "qcow format"),
        (b"COWD" + bytes(1000), "cowd format"),
        (b"WithouFreSpacExt" + bytes(1000), "ploop format"),
        (b"", "empty"),
    ],
)
def test_hostile_and_broken_images_are_refused_with_the_reason(content: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        inspect(content)


@pytest.mark.parametrize("content", [a_qcow2(backing=b"/etc/passwd"), a_vmdk(), a_vdi(), a_vhdx(), a_vhd(kind=3)])
def test_nothing_that_another_program_would_follow_passes_as_raw(content: bytes) -> None:
    with pytest.raises(Invalid, match="declared as raw"):
        inspect(content, "raw")


def test_a_hostile_upload_is_cut_short() -> None:
    inspector = Inspector("qcow2")
    hostile = a_qcow2(backing=b"/etc/passwd")
    with pytest.raises(Invalid, match="backing file"):
        inspector.feed(hostile[:65536])
    wrong = Inspector("qcow2")
    with pytest.raises(Invalid, match="no known format, or raw"):
        wrong.feed(bytes(65536))


def test_partition_tables_are_told() -> None:
    mbr = bytearray(4096)
    mbr[446:462] = struct.pack("<B3sB3sII", 0x80, b"", 0x83, b"", 2048, 4096)
    mbr[510:512] = b"\x55\xaa"
    assert inspect(bytes(mbr), "raw").partitions == "mbr"
    assert inspect(bytes(mbr[:512]) + b"EFI PART" + bytes(1000), "raw").partitions == "gpt"
    assert inspect(boot_disk(), "raw").partitions == ""


def test_raw_sizes_are_whole_sectors() -> None:
    assert inspect(b"x" * 513, "raw").virtual_size == 1024
    assert inspect(b"x", "raw").virtual_size == 512


def test_disks_over_the_limit_are_refused() -> None:
    assert inspect(a_qcow2(size=GiB), "qcow2", limit=GiB).virtual_size == GiB
    with pytest.raises(Invalid, match="at most"):
        inspect(a_qcow2(size=GiB + 512), "qcow2", limit=GiB)


def test_an_unknown_declaration_is_refused_at_once() -> None:
    with pytest.raises(Invalid, match="'docker' cannot be used"):
        Inspector("docker")


def test_an_overlays_backing_file_can_be_read() -> None:
    assert qcow2.backing_file(a_qcow2(backing=b"/base")[:65536]) == "/base"
    assert qcow2.backing_file(a_qcow2()) is None
    assert qcow2.backing_file(b"short") is None


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_headers_are_refused_or_sound_but_never_an_accident(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(sorted(SOUND)))
    content = bytearray(SOUND[form][0])
    for _ in range(data.draw(st.integers(1, 6))):
        area = data.draw(
            st.sampled_from([(0, 520), (512, 2048), (192 << 10, (192 << 10) + 64), (2 * MiB, 2 * MiB + 128)])
        )
        at = data.draw(st.integers(area[0], area[1])) % len(content)
        content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 3))
    text = bytes(content if cut else content[: data.draw(st.integers(0, len(content)))])
    declared = data.draw(st.sampled_from([None, *sorted(DECLARABLE)]))
    try:
        facts = inspect(text, declared)
    except Invalid as error:
        assert len(error.message) > 10  # noqa: PT017
    else:
        assert 0 <= facts.virtual_size < 1 << 63
        if facts.format in ("qcow2", "vmdk"):
            assert declared in (None, facts.format)


@given(st.binary(max_size=2000), st.sampled_from([None, *sorted(DECLARABLE)]))
def test_any_bytes_are_judged(content: bytes, declared: str | None) -> None:
    try:
        inspect(content, declared, piece=random.Random(0).randint(1, 3000))
    except Invalid:
        pass


@pytest.mark.qemu
@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
@pytest.mark.parametrize(
    ("declared", "arguments"),
    [
        ("qcow2", ("-f", "qcow2")),
        ("qcow2", ("-f", "qcow2", "-o", "compat=0.10")),
        ("qcow2", ("-f", "qcow2", "-o", "cluster_size=2M")),
        ("qcow2", ("-f", "qcow2", "-o", "compression_type=zstd")),
        ("qcow2", ("-f", "qcow2", "-o", "extended_l2=on")),
        ("qcow2", ("-f", "qcow2", "-o", "lazy_refcounts=on")),
        ("vmdk", ("-f", "vmdk")),
        ("vmdk", ("-f", "vmdk", "-o", "subformat=streamOptimized")),
        ("vdi", ("-f", "vdi")),
        ("vhd", ("-f", "vpc", "-o", "force_size=on")),
        ("vhd", ("-f", "vpc", "-o", "subformat=fixed,force_size=on")),
        ("vhdx", ("-f", "vhdx")),
        ("raw", ("-f", "raw")),
    ],
)
def test_what_qemu_img_makes_is_sound(tmp_path: Path, declared: str, arguments: tuple[str, ...]) -> None:
    image = tmp_path / "image"
    subprocess.run(["qemu-img", "create", "-q", *arguments, str(image), "64M"], check=True)
    facts = inspect(image.read_bytes(), declared)
    assert (facts.format, facts.virtual_size) == (declared, 64 * MiB)


@pytest.mark.qemu
@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ("-f", "vmdk", "-o", "subformat=monolithicFlat"),
        ("-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse"),
        ("-f", "qcow2", "-o", "data_file={folder}/outside"),
        ("-f", "qed"),
        ("-f", "qcow"),
        ("-f", "parallels"),
    ],
)
def test_what_qemu_img_spreads_over_files_or_nobody_knows_is_refused(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    image = tmp_path / "image.vmdk"
    words = [word.format(folder=tmp_path) for word in arguments]
    subprocess.run(["qemu-img", "create", "-q", *words, str(image), "64M"], check=True)
    with pytest.raises(Invalid):
        inspect(image.read_bytes())
    with pytest.raises(Invalid):
        inspect(image.read_bytes(), "raw")


def test_formats_are_known_by_their_first_bytes() -> None:
    for form, (content, _) in SOUND.items():
        assert detect(content[:65536], content[-512:]) == form
