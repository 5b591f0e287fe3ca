"""Building the guest image step by step, once: under a lock, in a temporary folder, moved into place when it is whole."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from minicloud.base import trace
from minicloud.base.errors import Unavailable
from minicloud.guest import cpio, disk, packages, rootfs
from minicloud.guest.image import (
    Current,
    GuestImage,
    complete,
    image_of,
    read_current,
    recipe_of,
    version_of,
    write_current,
)

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done, and how many there are."""

STEPS = 8


def cached(cache: Path) -> GuestImage | None:
    """The image if it was built before by this recipe and is whole; runs no program and reads a few small files."""
    current = read_current(cache)
    if current is None or current.recipe != recipe_of(Path(__file__).parent):
        return None
    image = image_of(cache, current.version)
    return image if complete(image) else None


async def build(cache: Path, *, progress: Progress, force: bool = False) -> GuestImage:
    """The guest image, built if it has to be. ``force`` asks the archive for newer packages first; the image is then
    built again only if something changed.

    Raises:
        ToolMissing: programs are missing; the message lists all, with the one command that installs them.
        Unavailable: the packages cannot be had, or ``cache`` cannot be written.
        ToolFailed: a program failed.
    """
    if not force and (image := cached(cache)) is not None:
        return image
    packages.need_tools(packages.missing_tools())
    cache = _prepared(cache)
    async with _locked(cache, progress):
        if not force and (image := cached(cache)) is not None:
            return image
        with trace.span("guest_image") as facts:
            image = await _build(cache, progress, force)
            facts["version"] = image.version
            return image


def _prepared(cache: Path) -> Path:
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the guest image's cache {cache} cannot be made: {error.strerror}; give another folder"
        ) from error
    return cache.absolute()


@asynccontextmanager
async def _locked(cache: Path, progress: Progress) -> AsyncIterator[None]:
    """Hold the cache's lock; waits while another process (or task) builds."""
    descriptor = os.open(cache / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress("waiting for another build", 0, STEPS)
                await anyio.sleep(0.2)
        yield
    finally:
        os.close(descriptor)


async def _build(cache: Path, progress: Progress, force: bool) -> GuestImage:
    recipe = recipe_of(Path(__file__).parent)
    files = await _packages(cache, progress, force)
    image = image_of(cache, version_of(recipe, files))
    if not complete(image):
        await anyio.to_thread.run_sync(_sweep, cache)
        scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=cache))
        try:
            made = await _make(scratch, cache / "debs", files, progress)
            # A folder of that name is what an interrupted hand left: it was not complete.
            shutil.rmtree(image.disk.parent, ignore_errors=True)
            made.rename(image.disk.parent)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(lambda: shutil.rmtree(scratch, ignore_errors=True))
    write_current(cache, Current(image.version, recipe, files))
    await packages.forget_others(cache / "debs", files)
    progress("ready", STEPS, STEPS)
    return image


def kept(cache: Path) -> dict[str, str] | None:
    """The file names of the last build's packages, by package; None unless all are still there and all that is needed by now."""
    current = read_current(cache)
    if current is None or not current.packages.keys() >= {*packages.INSIDE, *packages.OUTSIDE}:
        return None
    return current.packages if all((cache / "debs" / file).is_file() for file in current.packages.values()) else None


async def _packages(cache: Path, progress: Progress, force: bool) -> dict[str, str]:
    """The packages' file names: those of the last build, or the newest from the archive."""
    if not force and (files := kept(cache)) is not None:
        return files
    apt = packages.Apt(cache)
    progress("asking the package archive", 0, STEPS)
    await apt.ready()
    try:
        return await _fetched(apt, progress)
    except Unavailable as error:
        # Old lists name packages that the archive has replaced since.
        trace.note("package_lists_refreshed", why=error.message)
        progress("fetching newer package lists", 0, STEPS)
        try:
            await apt.use_own_lists()
            return await _fetched(apt, progress)
        except Unavailable as second:
            raise Unavailable(f"{error.message}; and with fresh package lists: {second.message}") from second


async def _fetched(apt: packages.Apt, progress: Progress) -> dict[str, str]:
    names = await apt.names()
    progress("downloading packages", 1, STEPS)
    return await apt.fetch(names)


async def _make(scratch: Path, debs: Path, files: dict[str, str], progress: Progress) -> Path:
    """Make all files of the image in ``scratch/made``."""
    unpacked, root, boot, made = (scratch / name for name in ("unpacked", "root", "boot", "made"))
    for folder in (unpacked, root, boot, made):
        folder.mkdir()
    progress("unpacking packages", 2, STEPS)
    await packages.unpack(
        debs, files, unpacked, lambda done, total: progress(f"unpacking packages ({done}/{total})", 2, STEPS)
    )
    progress("assembling the root file system", 3, STEPS)
    await rootfs.stage_root(unpacked, root)
    await rootfs.stage_boot_ramdisk(unpacked, boot)
    kernel = made / "vmlinuz"
    shutil.copyfile(unpacked / "boot" / f"vmlinuz-{rootfs.kernel_release(unpacked)}", kernel)
    kit = disk.Tools(unpacked, scratch)
    progress("writing the root file system", 4, STEPS)
    await disk.make_root(kit, root, made / "root.raw", scratch)
    progress("writing the ramdisks", 5, STEPS)
    await anyio.to_thread.run_sync(cpio.write_ramdisk, boot, made / "boot-ramdisk.gz")
    rootfs.make_ram_guest(root)
    await anyio.to_thread.run_sync(cpio.write_ramdisk, root, made / "ramdisk.gz")
    progress("writing the disk", 6, STEPS)
    raw = scratch / "disk.raw"
    await disk.make_disk(
        kit,
        unpacked,
        kernel=kernel,
        ramdisk=made / "boot-ramdisk.gz",
        root=made / "root.raw",
        target=raw,
        scratch=scratch,
    )
    progress("compressing the disk", 7, STEPS)
    await disk.compress(raw, made / "disk.qcow2")
    for path in made.iterdir():
        path.chmod(0o600)
    made.chmod(0o700)
    return made


def _sweep(cache: Path) -> None:
    """Remove what a killed build left; the lock is held, so nobody is at work there."""
    for path in cache.glob(".build-*"):
        shutil.rmtree(path, ignore_errors=True)
