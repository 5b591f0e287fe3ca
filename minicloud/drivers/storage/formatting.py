"""Disks with an empty file system or swap area on them: made on a sparse raw file, kept as qcow2."""

import os
from pathlib import Path

from minicloud.base import tools, trace
from minicloud.base.errors import ToolMissing
from minicloud.drivers.storage.qemuimg import qemu_img

_PROGRAMS = {
    **{
        name: ("mke2fs", "-q", "-F", "-t", name, "-E", "lazy_itable_init=1,nodiscard", "-L")
        for name in ("ext2", "ext3", "ext4")
    },
    "xfs": ("mkfs.xfs", "-q", "-f", "-K", "-L"),
    "swap": ("mkswap", "-L"),
}
_LIMIT_S = 120.0
_CPU_S = 120


async def make(path: Path, size_bytes: int, filesystem: str, label: str) -> None:
    """The disk stands at ``path``, whole or not at all. Raises OSError, ToolFailed."""
    raw, part = path.with_name(f".{path.name}.raw.part"), path.with_name(f".{path.name}.part")
    try:
        _sparse(raw, size_bytes)
        program, *words = _PROGRAMS[filesystem]
        try:
            await tools.run(program, *words, label, str(raw), timeout_s=_LIMIT_S)
        except ToolMissing as error:
            trace.note("disk_unformatted", disk=path.name, why=error.message)
        part.unlink(missing_ok=True)
        await qemu_img("convert", "-q", "-f", "raw", "-O", "qcow2", str(raw), str(part), cpu_s=_CPU_S)
        os.chmod(part, 0o600)
        os.replace(part, path)
    finally:
        raw.unlink(missing_ok=True)
        part.unlink(missing_ok=True)


def _sparse(path: Path, size_bytes: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size_bytes)
    finally:
        os.close(descriptor)
