"""Disks as they were: internal snapshots of qcow2 files, from which a machine's disks can be had again after they changed or grew.

A snapshot costs nothing until the guest writes, needs no second file, and brings the file's old size back with it. A mark in
the folder says whether they count: one that is of no use any more can only be removed while no QEMU has the file open, so it
may stay until then.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from minicloud.base.errors import ToolFailed
from minicloud.drivers.storage.qemuimg import qemu_img

_TAG = "kept"
_MARK = ".disk.kept.part"
_ASIDE_END = ".aside.part"
_ASIDE = f".{{}}{_ASIDE_END}"
_COUNT_AT = 60


async def keep(folder: Path, disks: Iterable[Path]) -> None:
    """Keep the disks, unless they are kept. Raises ToolMissing, ToolFailed."""
    if _marked(folder):
        return
    _forget_aside(folder)
    for disk in disks:
        await _drop(disk)
        await qemu_img("snapshot", "-q", "-c", _TAG, str(disk))
    _mark(folder)


async def restore(folder: Path, disks: Iterable[Path]) -> None:
    """Make the disks as they were kept; content when they were not. Raises ToolMissing, ToolFailed."""
    if not _marked(folder):
        return
    _take_back(folder)
    for disk in disks:
        if _has_snapshots(disk):
            await qemu_img("snapshot", "-q", "-a", _TAG, str(disk))
    await forget(folder, disks)


async def forget(folder: Path, disks: Iterable[Path]) -> None:
    """What was kept counts no more, and is removed unless a running machine has the disk open. Raises ToolMissing."""
    _unmark(folder)
    _forget_aside(folder)
    for disk in disks:
        with contextlib.suppress(ToolFailed):
            await _drop(disk)


def put_aside(folder: Path, disk: Path) -> None:
    """The disk makes way for another one of its name, and can be had again if it is kept."""
    aside = folder / _ASIDE.format(disk.name)
    if _marked(folder) and not aside.exists():
        os.replace(disk, aside)


def _take_back(folder: Path) -> None:
    for aside in folder.glob(_ASIDE.format("*")):
        os.replace(aside, folder / aside.name.removeprefix(".").removesuffix(_ASIDE_END))


def _forget_aside(folder: Path) -> None:
    for aside in folder.glob(_ASIDE.format("*")):
        aside.unlink(missing_ok=True)


async def tidy(folder: Path, disk: Path) -> None:
    """Remove what was left by ``forget`` while the machine ran, now that it may be off. Raises ToolMissing."""
    if not _marked(folder):
        with contextlib.suppress(ToolFailed):
            await _drop(disk)


def _marked(folder: Path) -> bool:
    return (folder / _MARK).exists()


def _mark(folder: Path) -> None:
    if folder.is_dir():
        (folder / _MARK).touch(mode=0o600)


def _unmark(folder: Path) -> None:
    (folder / _MARK).unlink(missing_ok=True)


async def _drop(disk: Path) -> None:
    if _has_snapshots(disk):
        await qemu_img("snapshot", "-q", "-d", _TAG, str(disk))


def _has_snapshots(disk: Path) -> bool:
    """From the header of the file: a disk in use can be asked, too."""
    with disk.open("rb") as file:
        file.seek(_COUNT_AT)
        return file.read(4) not in (b"", b"\0\0\0\0")
