"""What an image really is: sound ones of every format, hostile headers, wrong declarations, and bytes at random."""

import bz2
import gzip
import io
import json
import lzma
import random
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicloud.base.errors import Invalid
from minicloud.base.imageformat import DECLARABLE, ImageFacts, Inspector, detect, qcow2
from tests.support.bootsector import boot_disk
from tests.support.hostile_images import HOSTILE, Hostile
from tests.support.images import GiB, MiB, a_gpt, a_qcow2, a_vdi, a_vhd, a_vhdx, a_vmdk, a_vmdk_header, an_iso, an_mbr


def inspect(content: bytes, declared: str | None = None, *, piece: int = 65536, limit: int | None = None) -> ImageFacts:
    inspector = Inspector(declared, max_virtual_size=limit)
    for at in range(0, len(content), piece):
        inspector.feed(content[at : at + piece])
    return inspector.finish()


def a_tar(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


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


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda one: one.name)
def test_hostile_and_broken_images_are_refused_with_the_reason(hostile: Hostile) -> None:
    for piece in (65536, 8 * MiB, 1000):
        with pytest.raises(Invalid, match=hostile.why):
            inspect(hostile.content, hostile.declared, piece=piece)
        if detect(hostile.content[:65536], hostile.content[-512:]) == hostile.declared != "raw":
            with pytest.raises(Invalid):
                inspect(hostile.content, None, piece=piece)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda one: one.name)
def test_nothing_that_another_program_would_follow_passes_as_something_else(hostile: Hostile) -> None:
    for declared in DECLARABLE - {hostile.declared}:
        try:
            facts = inspect(hostile.content, declared)
        except Invalid:
            continue
        # A sound image in disguise is sound under its own name.
        assert facts.format in ("raw", "iso") or hostile.declared in ("raw", "iso", "ami", "aki")
        assert detect(hostile.content[:65536], hostile.content[-512:]) == facts.format


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"QED\0" + bytes(1000), "qed"),
        (b"QFI\xfb\0\0\0\x01" + bytes(1000), "qcow"),
        (b"COWD" + bytes(1000), "cowd"),
        (b"WithouFreSpacExt" + bytes(1000), "ploop"),
    ],
)
def test_formats_that_nobody_uses_here_are_called_by_their_names(content: bytes, form: str) -> None:
    with pytest.raises(Invalid, match=f"in {form} format, which cannot be used here"):
        inspect(content)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(bytes(MiB)),
        lzma.compress(bytes(MiB)),
        bz2.compress(bytes(MiB)),
        b"PK\x03\x04" + bytes(1000),
        a_tar({"disk.vmdk": a_vmdk(), "machine.ovf": b"<Envelope/>"}),
    ],
    ids=["gzip", "xz", "bzip2", "zip", "ova"],
)
def test_what_is_packed_is_bytes_and_is_never_unpacked(content: bytes) -> None:
    """No program here opens packed files: a bomb is as large as it was sent, and a disk of a format it is not."""
    assert inspect(content, "raw") == ImageFacts(
        format="raw", virtual_size=-(-len(content) // 512) * 512, file_size=len(content)
    )
    for declared in ("qcow2", "vmdk", "vdi", "vhd", "vhdx", "iso"):
        with pytest.raises(Invalid, match="no known format, or raw"):
            inspect(content, declared)


def test_an_encrypted_disk_is_bytes() -> None:
    luks = b"LUKS\xba\xbe\0\x01" + bytes(4096)
    assert inspect(luks, "raw").format == "luks"
    with pytest.raises(Invalid, match="its content is luks"):
        inspect(luks, "qcow2")


def test_a_cd_that_is_a_disk_too_is_a_cd() -> None:
    hybrid = an_iso(an_mbr(0x17))
    facts = inspect(hybrid, "iso")
    assert (facts.format, facts.partitions) == ("iso", "mbr")
    assert inspect(an_iso(a_gpt(0xEE)[:4096]), "iso").partitions == "gpt"
    assert inspect(hybrid, "raw").format == "iso"


def test_a_stream_with_its_footer_is_sound() -> None:
    content = a_vmdk(create_type="streamOptimized", footer=a_vmdk_header())
    for piece in (1000, 8 * MiB):
        assert inspect(content, "vmdk", piece=piece).virtual_size == MiB


@pytest.mark.parametrize("form", ["qcow2", "vmdk", "vhdx"])
def test_a_small_file_of_a_huge_disk_is_told_by_the_size_of_the_disk(form: str) -> None:
    """A bomb: harmless as long as nobody writes it out whole."""
    content = {"qcow2": a_qcow2(size=1 << 41), "vmdk": a_vmdk(capacity=1 << 32), "vhdx": a_vhdx(size=1 << 41)}[form]
    assert inspect(content, form).virtual_size == 1 << 41
    with pytest.raises(Invalid, match="at most"):
        inspect(content, form, limit=1 << 40)


def test_a_hostile_upload_is_cut_short() -> None:
    inspector = Inspector("qcow2")
    hostile = a_qcow2(backing=b"/etc/passwd")
    with pytest.raises(Invalid, match="backing file"):
        inspector.feed(hostile[:65536])
    wrong = Inspector("qcow2")
    with pytest.raises(Invalid, match="no known format, or raw"):
        wrong.feed(bytes(65536))


def test_partition_tables_are_told() -> None:
    assert inspect(an_mbr(0x83) + bytes(4096), "raw").partitions == "mbr"
    assert inspect(a_gpt(0xEE), "raw").partitions == "gpt"
    assert inspect(a_gpt(), "raw").partitions == "gpt"
    assert inspect(a_gpt(0xEE, 0x83), "raw").partitions == "gpt"
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


OUTSIDE = "/nowhere/secret"
LINES = (
    f'parentFileNameHint="{OUTSIDE}"',
    f'RW 2048 FLAT "{OUTSIDE}" 0',
    f'RW 2048 SPARSE "{OUTSIDE}"',
    'createType="monolithicFlat"',
    'createType="streamOptimized"',
    "parentCID=12345678",
    'ddb.x="1"',
    "# x",
    "\0",
    "\r",
)


def a_suspicious_vmdk(dice: random.Random) -> bytes:
    return a_vmdk(
        create_type=dice.choice(("monolithicSparse", "streamOptimized")),
        more="\n".join(dice.choices(LINES, k=dice.randint(0, 2))),
        descriptor_at=dice.choice((1, 1, 1, 2, 3)),
        descriptor_sectors=dice.choice((20, 20, 1, 40)),
        footer=dice.choice((None, None, a_vmdk_header(), a_vmdk_header(capacity=1 << 30))),
    )


def a_suspicious_qcow2(dice: random.Random) -> bytes:
    kind = dice.choice((0x44415441, 0xE2792ACA, 0x6803F857, 0x12345678))
    return a_qcow2(
        version=dice.choice((2, 3)),
        size=dice.choice((MiB, GiB)),
        backing=dice.choice((b"", b"", OUTSIDE.encode())),
        incompatible=dice.choice((0, 0, 1, 4, 16)),
        extensions=struct.pack(">II", kind, 16) + OUTSIDE.encode().ljust(16),
    )


@pytest.mark.qemu
@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
@pytest.mark.parametrize(("declared", "make"), [("vmdk", a_suspicious_vmdk), ("qcow2", a_suspicious_qcow2)])
def test_what_is_accepted_qemu_reads_as_a_disk_of_that_size_and_asks_for_no_other_file(
    tmp_path: Path, declared: str, make: Callable[[random.Random], bytes]
) -> None:
    dice, image, accepted = random.Random(20261128), tmp_path / "image", 0
    for _ in range(400):
        content = bytearray(make(dice))
        for _ in range(dice.randint(0, 2)):
            content[dice.randrange(140)] = dice.choice((0, 1, 2, 255, dice.randrange(256)))
        try:
            facts = inspect(bytes(content), declared)
        except Invalid:
            continue
        accepted += 1
        image.write_bytes(content)
        argv = ["qemu-img", "info", "--output=json", "--backing-chain", "-f", declared, str(image)]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert OUTSIDE not in done.stdout + done.stderr, bytes(content[:4096])
        if done.returncode == 0:
            [seen] = json.loads(done.stdout)
            assert seen["virtual-size"] == facts.virtual_size
        if accepted == 25:
            return
    assert accepted > 10
