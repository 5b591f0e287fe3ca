"""A disk with Debian 12 and its own cloud-init, made by mmdebstrap once and kept in the user's cache."""

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec

from minicloud.settings import cache_folder

SUITE = "bookworm"
PACKAGES = (
    "systemd-sysv,udev,dbus,cloud-init,openssh-server,linux-image-cloud-amd64,initramfs-tools,netplan.io,iproute2,"
    "e2fsprogs,cloud-guest-utils,procps,locales,systemd-resolved,sudo"
)
SIZE = "1200M"
COMMAND_LINE = "root=/dev/vda rw console=ttyS0 net.ifnames=0"
"""As Debian's own cloud images are booted: cards are called eth0, eth1."""


class DebianGuest(msgspec.Struct, frozen=True):
    """The files of a guest: a root file system without partitions, and the kernel and ramdisk that boot it."""

    disk: Path
    kernel: Path
    ramdisk: Path


def build() -> DebianGuest:
    """Find the guest or make it, which takes some minutes. Raises RuntimeError where a program is missing or fails."""
    folder = cache_folder() / "conformance" / f"debian-{SUITE}-cloud-init"
    found = DebianGuest(folder / "disk.qcow2", folder / "vmlinuz", folder / "initrd")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            missing = [name for name in ("mmdebstrap", "mke2fs", "qemu-img") if shutil.which(name) is None]
            if missing:
                raise RuntimeError(
                    f"the guest is made with programs that are missing: apt install mmdebstrap e2fsprogs qemu-utils ({', '.join(missing)})"
                )
            print(f"making a Debian guest with cloud-init in {folder}", flush=True)
            with tempfile.TemporaryDirectory(prefix="minicloud-debian-", dir=folder.parent) as temporary:
                made = Path(temporary) / "made"
                made.mkdir()
                _make(Path(temporary) / "root", made)
                made.rename(folder)
    return found


def _make(root: Path, made: Path) -> None:
    _run(
        "mmdebstrap",
        "--variant=apt",
        f"--include={PACKAGES}",
        '--aptopt=Apt::Install-Recommends "false"',
        SUITE,
        str(root),
    )
    for name, pattern in (("vmlinuz", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        (found,) = (root / "boot").glob(pattern)
        shutil.move(found, made / name)
    raw = made / "disk.raw"
    _run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(root), str(raw), SIZE)
    _run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(made / "disk.qcow2"))
    raw.unlink()


def _run(*words: str) -> None:
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    if told.returncode:
        raise RuntimeError(f"{words[0]} failed:\n{told.stderr[-2000:]}")
