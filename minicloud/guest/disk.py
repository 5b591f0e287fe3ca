"""The guest's disks: an ext4 root without partitions, and an MBR disk that boots by itself from BIOS and UEFI."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from minicloud.base import tools
from minicloud.guest.epoch import ENVIRONMENT, EPOCH, FAT_SERIAL, HASH_SEED, ROOT_UUID

SECTOR = 512
LABEL = "mcroot"
BOOT_START = 2048
BOOT_SECTORS = 40 * 2048
ROOT_START = BOOT_START + BOOT_SECTORS
ROOT_MIB = 40
GROWS_TO_BLOCKS = 1 << 28
"""Up to this many 4 KiB blocks (1 TiB) room is kept for the tables of a grown file system."""

COMMAND_LINE = "console=tty0 console=ttyS0 no_timer_check"
"""The kernel does not try its timer: an emulated one that waits for a busy machine fails, and the kernel panics."""
KERNEL_COMMAND_LINE = f"{COMMAND_LINE} root=LABEL={LABEL} rw"

SYSLINUX = f"""\
SERIAL 0 115200
DEFAULT mc
PROMPT 0
TIMEOUT 0
LABEL mc
  LINUX /vmlinuz
  INITRD /initrd.gz
  APPEND {KERNEL_COMMAND_LINE}
"""
LOADER = "timeout 0\ndefault mc\n"
LOADER_ENTRY = f"title minilinux\nlinux /vmlinuz\ninitrd /initrd.gz\noptions {KERNEL_COMMAND_LINE}\n"


def partition_entry(kind: int, start: int, sectors: int, *, active: bool = False) -> bytes:
    """One of the four 16-byte entries of an MBR; the old cylinder fields say "look at the sectors instead"."""
    return struct.pack("<B3sB3sII", 0x80 if active else 0, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start, sectors)


def master_boot_record(code: bytes, root_sectors: int) -> bytes:
    """The first sector: boot code (at most 440 bytes), a disk signature, the boot partition and the root, which is last."""
    table = partition_entry(0xEF, BOOT_START, BOOT_SECTORS, active=True) + partition_entry(
        0x83, ROOT_START, root_sectors
    )
    return code[:440].ljust(440, b"\0") + b"MINI\0\0" + table.ljust(64, b"\0") + b"\x55\xaa"


class Tools:
    """The file system programs out of the unpacked packages, run in an environment of fixed dates."""

    def __init__(self, unpacked: Path, scratch: Path) -> None:
        self._unpacked = unpacked
        # Only the libraries of e2fsprogs: with the packages' libc as well, a program would have one that its loader does not fit.
        libraries = scratch / "tool-libraries"
        libraries.mkdir()
        for stem in ("libext2fs", "libcom_err", "libe2p", "libss", "libblkid", "libuuid"):
            for folder in ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"):
                for library in (unpacked / folder).glob(f"{stem}.so.*"):
                    (libraries / library.name).symlink_to(library)
        path = f"{unpacked}/usr/bin:{unpacked}/usr/sbin:{unpacked}/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        self._env = {
            **ENVIRONMENT,
            "PATH": path,
            "LD_LIBRARY_PATH": str(libraries),
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
        }

    async def run(self, program: str, *arguments: str, input: bytes | None = None) -> None:
        """Run ``program`` (a path inside of the packages)."""
        await tools.run(str(self._unpacked / program), *arguments, input=input, env=self._env, timeout_s=300)


async def make_root(kit: Tools, stage: Path, target: Path, scratch: Path) -> None:
    """Write ``stage`` as an ext4 file system; everything belongs to root and bears one date."""
    _date(stage)
    options = f"root_owner=0:0,hash_seed={HASH_SEED},resize={GROWS_TO_BLOCKS},lazy_itable_init=1,lazy_journal_init=1"
    await kit.run(
        "sbin/mke2fs",
        *(
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-i",
            "8192",
            "-m",
            "1",
            "-J",
            "size=4",
            "-L",
            LABEL,
            "-U",
            ROOT_UUID,
        ),
        *("-E", options, "-d", str(stage), str(target), f"{ROOT_MIB}m"),
    )
    # mke2fs takes owners and change times from the folder: an ordinary user's files would stay theirs, and no two builds would be alike.
    commands = scratch / "owners"
    commands.write_text("".join(f"sif {path} {field}\n" for path in _inodes(stage) for field in _FIELDS))
    await kit.run("sbin/debugfs", "-w", "-f", str(commands), str(target))


def _date(stage: Path) -> None:
    for path in [stage, *stage.rglob("*")]:
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


_FIELDS = ("uid 0", "gid 0", *(f"{field} @{EPOCH}" for field in ("atime", "ctime", "mtime", "crtime")))


def _inodes(stage: Path) -> list[str]:
    return ["/", "/lost+found", *sorted(f"/{path.relative_to(stage)}" for path in stage.rglob("*"))]


async def make_disk(
    kit: Tools, unpacked: Path, *, kernel: Path, ramdisk: Path, root: Path, target: Path, scratch: Path
) -> None:
    """Write the raw disk: MBR, FAT32 with kernel, ramdisk and both boot loaders, then the root file system."""
    _write_empty(target, (unpacked / "usr/lib/syslinux/mbr/mbr.bin").read_bytes(), root)
    at = BOOT_START * SECTOR
    await kit.run(
        "sbin/mkfs.vfat",
        *("-F", "32", "-n", "MCBOOT", "-i", FAT_SERIAL, "--invariant"),
        *("--offset", str(BOOT_START), "-h", str(BOOT_START), str(target), str(BOOT_SECTORS // 2)),
    )
    image = f"{target}@@{at}"
    texts = {"syslinux.cfg": SYSLINUX, "loader.conf": LOADER, "mc.conf": LOADER_ENTRY}
    for name, text in texts.items():
        (scratch / name).write_text(text)
    folders = ("::/syslinux", "::/EFI", "::/EFI/BOOT", "::/loader", "::/loader/entries")
    await kit.run("usr/bin/mmd", "-i", image, *folders)
    for sources, place in _boot_files(unpacked, kernel, ramdisk, scratch):
        for source in sources:
            os.utime(source, (EPOCH, EPOCH))
        await kit.run("usr/bin/mcopy", "-m", "-i", image, *map(str, sources), place)
    await kit.run("usr/bin/syslinux", "--install", "--directory", "/syslinux", "--offset", str(at), str(target))
    await anyio.to_thread.run_sync(_put_root, root, target)


def _write_empty(target: Path, code: bytes, root: Path) -> None:
    root_sectors = root.stat().st_size // SECTOR
    with target.open("wb") as disk:
        disk.write(master_boot_record(code, root_sectors))
        disk.truncate((ROOT_START + root_sectors) * SECTOR)


def _put_root(root: Path, target: Path) -> None:
    with root.open("rb") as source, target.open("r+b") as disk:
        disk.seek(ROOT_START * SECTOR)
        while block := source.read(1 << 20):
            if block.strip(b"\0"):
                disk.write(block)
            else:
                disk.seek(len(block), os.SEEK_CUR)


def _boot_files(unpacked: Path, kernel: Path, ramdisk: Path, scratch: Path) -> list[tuple[Sequence[Path], str]]:
    efi = unpacked / "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
    return [
        ((kernel,), "::/vmlinuz"),
        ((ramdisk,), "::/initrd.gz"),
        ((scratch / "syslinux.cfg", unpacked / "usr/lib/syslinux/modules/bios/ldlinux.c32"), "::/syslinux/"),
        ((efi,), "::/EFI/BOOT/BOOTX64.EFI"),
        ((scratch / "loader.conf",), "::/loader/"),
        ((scratch / "mc.conf",), "::/loader/entries/"),
    ]


async def compress(raw: Path, target: Path) -> None:
    """The raw disk as a compressed qcow2 (zlib, which every QEMU reads)."""
    await tools.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", str(raw), str(target), timeout_s=300)
