"""qemu-img at its limits: each of them ends it, and is named in what it leaves behind."""

import os
import shutil
from pathlib import Path

import pytest

from minicloud.base.errors import ToolFailed
from minicloud.drivers.storage.qemuimg import qemu_img

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.qemu,
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed"),
]
MiB = 1 << 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def an_image(folder: Path, size: int) -> Path:
    """A raw file of bytes that cannot be packed."""
    path = folder / "image.raw"
    path.write_bytes(os.urandom(size))
    return path


async def test_processor_time_is_bounded(tmp_path: Path) -> None:
    source = an_image(tmp_path, 128 * MiB)
    arguments = ("convert", "-c", "-f", "raw", "-O", "qcow2", str(source), str(tmp_path / "out"))
    with pytest.raises(ToolFailed, match="qemu-img convert took more than 1 s of processor time") as caught:
        await qemu_img(*arguments, cpu_s=1)
    assert caught.value.detail["code"] in (-24, -9)


async def test_time_is_bounded(tmp_path: Path) -> None:
    source = an_image(tmp_path, 64 * MiB)
    arguments = ("convert", "-r", "1M", "-f", "raw", "-O", "qcow2", str(source), str(tmp_path / "out"))
    with pytest.raises(ToolFailed, match=r"qemu-img convert did not end within 0.2 s"):
        await qemu_img(*arguments, timeout_s=0.2)


async def test_memory_is_bounded(tmp_path: Path) -> None:
    """Tiny clusters with large counts in a long file full of holes: a check counts each of them, in 3 GiB."""
    path = tmp_path / "image.qcow2"
    await qemu_img("create", "-q", "-f", "qcow2", "-o", "cluster_size=512,refcount_bits=64", str(path), "1M")
    os.truncate(path, 200 << 30)
    with pytest.raises(ToolFailed, match="qemu-img check wanted more than the 2048 MiB of memory that it may have"):
        await qemu_img("check", "-q", "-f", "qcow2", str(path))


async def test_what_is_written_is_bounded(tmp_path: Path) -> None:
    source, out = an_image(tmp_path, 8 * MiB), tmp_path / "out"
    with pytest.raises(ToolFailed, match="qemu-img convert wrote more than 2 MiB, for which there is no room"):
        await qemu_img("convert", "-q", "-f", "raw", "-O", "qcow2", str(source), str(out), file_bytes=2 * MiB)
    assert out.stat().st_size <= 2 * MiB


async def test_other_failures_are_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"qemu-img resize failed: .*No such file"):
        await qemu_img("resize", "-q", "-f", "qcow2", str(tmp_path / "nothing"), "1M")
