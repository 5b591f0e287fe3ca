"""The guest's file trees: the root file system and the small ramdisk that finds it on a disk."""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from minicloud.base import tools
from minicloud.base.errors import Failed
from minicloud.guest import elf

INIT = Path(__file__).parent / "init"

DISK_MODULES = ("virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi", "sd_mod", "ata_piix", "nvme", "qemu_fw_cfg")
"""What a root may lie on, and what tells of the firmware's choice where there are several."""
MODULES = (
    *DISK_MODULES,
    *("virtio_net", "virtio_rng", "virtio_balloon", "virtio_console", "sr_mod", "sg"),
    *("button", "evdev", "softdog", "pvpanic_pci", "pvpanic_mmio"),
    *("isofs", "vfat", "nls_ascii", "nls_cp437", "loop", "overlay", "squashfs", "virtiofs"),
    *("8021q", "dummy", "veth", "tun"),
)
"""Kernel modules by name (``_`` for ``-``); one that this kernel has built in is skipped, one that it lacks is an error."""

BINARIES = (
    *("usr/sbin/dropbear", "usr/bin/dropbearkey", "usr/bin/dbclient", "usr/lib/openssh/sftp-server"),
    "usr/sbin/qemu-ga",
    *("sbin/mke2fs", "sbin/resize2fs", "sbin/e2fsck", "sbin/tune2fs"),
)
LINKS = {
    "sbin/init": "../bin/busybox",
    "sbin/reboot": "poweroff",
    "sbin/halt": "poweroff",
    "sbin/shutdown": "poweroff",
    "sbin/mkfs.ext4": "mke2fs",
    "sbin/fsck.ext4": "e2fsck",
    "sbin/modprobe": "../bin/busybox",
    "usr/bin/ssh": "dbclient",
    "usr/lib/sftp-server": "openssh/sftp-server",
    "etc/mtab": "../proc/self/mounts",
    "var/run": "../run",
    "var/lock": "../run",
}
FOLDERS = (
    "dev",
    "proc",
    "sys",
    "run",
    "mnt",
    "tmp",
    "root",
    "srv",
    "etc/dropbear",
    "var/log",
    "var/lib/minilinux",
    "var/tmp",
    "var/www",
)
MODES = {
    "root": 0o700,
    "tmp": 0o1777,
    "var/tmp": 0o1777,
    "etc/shadow": 0o600,
    "etc/dropbear": 0o700,
    "var/lib/minilinux": 0o700,
}

NOT_LINKED = frozenset(
    {"busybox", "dpkg", "dpkg-deb", "rpm", "rpm2cpio", "mke2fs", "poweroff", "reboot", "halt", "init", "linuxrc"}
)
"""Applets without a link: ``busybox`` would overwrite the program with a link to itself, others have better or own versions."""

_LIBRARY_FOLDERS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64")


def kernel_release(unpacked: Path) -> str:
    """The release of the unpacked kernel, as ``uname -r`` will say."""
    found = sorted(path.name.removeprefix("vmlinuz-") for path in (unpacked / "boot").glob("vmlinuz-*"))
    if len(found) != 1:
        raise Failed(f"expected one kernel in the unpacked packages, found {found or 'none'}")
    return found[0]


async def stage_root(unpacked: Path, stage: Path) -> None:
    """Build the root file system's tree in ``stage``."""
    listed = await tools.run(str(unpacked / "bin" / "busybox"), "--list")
    _skeleton(unpacked, stage, listed.stdout.decode().split())
    for binary in BINARIES:
        _copy(unpacked / binary, stage / binary)
    for library in needed_libraries(unpacked, BINARIES):
        _copy(library, stage / _place_of(unpacked, library))
    shutil.copyfile(unpacked / "etc" / "mke2fs.conf", stage / "etc" / "mke2fs.conf")
    _overlay(INIT / "root", stage)
    for link, target in LINKS.items():
        (stage / link).parent.mkdir(parents=True, exist_ok=True)
        (stage / link).symlink_to(target)
    await _modules(unpacked, stage, MODULES)
    _settle(stage)


async def stage_boot_ramdisk(unpacked: Path, stage: Path) -> None:
    """Build the tree of the ramdisk that finds the root file system: busybox, the disk drivers and one script."""
    listed = await tools.run(str(unpacked / "bin" / "busybox"), "--list")
    _skeleton(unpacked, stage, listed.stdout.decode().split(), folders=("dev", "proc", "sys", "new"))
    _copy(INIT / "ramdisk.sh", stage / "init")
    _copy(INIT / "root" / "lib" / "minilinux" / "disks", stage / "lib" / "minilinux" / "disks")
    await _modules(unpacked, stage, DISK_MODULES)
    _settle(stage)


def make_ram_guest(stage: Path) -> None:
    """Turn a root tree into one that the kernel can start from memory."""
    _copy(INIT / "ram.sh", stage / "init")
    (stage / "init").chmod(0o755)


def _skeleton(unpacked: Path, stage: Path, applets: Sequence[str], folders: Iterable[str] = FOLDERS) -> None:
    for folder in (*folders, "bin", "lib"):
        (stage / folder).mkdir(parents=True, exist_ok=True)
    _copy(unpacked / "bin" / "busybox", stage / "bin" / "busybox")
    for applet in applets:
        if applet not in NOT_LINKED:
            (stage / "bin" / applet).symlink_to("busybox")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _overlay(source: Path, stage: Path) -> None:
    for path in sorted(source.rglob("*")):
        target = stage / path.relative_to(source)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.unlink(missing_ok=True)
            _copy(path, target)


def _settle(stage: Path) -> None:
    """Give every file its mode by what it is (a wheel keeps no modes): programs and scripts may be run, the rest only read."""
    stage.chmod(0o755)
    for folder, folders, files in os.walk(stage):
        for name in folders:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(MODES.get(str(path.relative_to(stage)), 0o755))
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                with path.open("rb") as file:
                    runs = file.read(4).startswith((b"#!", b"\x7fELF")) and path.suffix != ".ko"
                path.chmod(MODES.get(str(path.relative_to(stage)), 0o755 if runs else 0o644))


def needed_libraries(unpacked: Path, binaries: Iterable[str]) -> list[Path]:
    """The libraries and the loader that these programs need, and what those need in turn, sorted."""
    found: dict[str, Path] = {}
    waiting = [unpacked / binary for binary in binaries]
    while waiting:
        for name in elf.libraries(waiting.pop()):
            if name in found:
                continue
            path = next((unpacked / f / name for f in _LIBRARY_FOLDERS if (unpacked / f / name).exists()), None)
            if path is None:
                raise Failed(f"library {name} is in none of the packages fetched for the guest")
            found[name] = path
            waiting.append(path)
    return sorted(found.values())


def _place_of(unpacked: Path, library: Path) -> str:
    """Where a library goes in the guest: the loader has its fixed place, the others lie together."""
    return f"lib64/{library.name}" if library.name.startswith("ld-linux") else f"lib/x86_64-linux-gnu/{library.name}"


async def _modules(unpacked: Path, stage: Path, names: Iterable[str]) -> None:
    release = kernel_release(unpacked)
    source, target = unpacked / "lib" / "modules" / release, stage / "lib" / "modules" / release
    target.mkdir(parents=True)
    for path in module_closure(source, names):
        _copy(path, target / path.name)
    await tools.run(str(unpacked / "bin" / "busybox"), "depmod", "-b", str(stage), release)
    for leftover in ("modules.symbols", "modules.symbols.bin"):
        (target / leftover).unlink(missing_ok=True)
    for listing in target.glob("modules.*"):
        # depmod writes in the order in which the folder happens to be read.
        listing.write_text("".join(sorted(listing.read_text().splitlines(keepends=True))))


def module_closure(source: Path, names: Iterable[str]) -> list[Path]:
    """The files of these kernel modules and of all that they need, sorted.

    Raises:
        Failed: the kernel neither has such a module nor has it built in.
    """
    files = {path.stem.replace("-", "_"): path for path in source.rglob("*.ko")}
    built_in = {Path(line).stem.replace("-", "_") for line in (source / "modules.builtin").read_text().split()}
    found: dict[str, Path] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name in built_in:
            continue
        if name not in files:
            raise Failed(f"this kernel has no module {name}; the guest image needs it")
        found[name] = files[name]
        waiting += elf.module_dependencies(files[name])
    return sorted(found.values())
