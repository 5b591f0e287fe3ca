"""What a finished guest image is, and the manifest that lets the next call find it without running anything."""

import hashlib
import os
from pathlib import Path

import msgspec

NAME = "minilinux"
LOGIN_USER = "root"
CURRENT = "current.json"

PROPERTIES = {
    "architecture": "x86_64",
    "hw_rng_model": "virtio",
    "os_admin_user": LOGIN_USER,
    "os_distro": NAME,
    "os_type": "linux",
}
"""The image properties that the image is registered with; ``hw_rng_model`` saves a second per first boot."""


class GuestImage(msgspec.Struct, frozen=True):
    """The files of one version of the guest. Paths are absolute.

    ``disk`` (qcow2, compressed) boots by itself from BIOS and UEFI. ``kernel`` with ``ramdisk`` is a whole guest in memory;
    ``kernel`` with ``boot_ramdisk`` boots ``root`` (raw ext4 without a partition table, kernel command line
    ``KERNEL_COMMAND_LINE``). Both kinds of root grow to the size of the disk they are put on.
    """

    name: str
    version: str
    disk: Path
    kernel: Path
    ramdisk: Path
    boot_ramdisk: Path
    root: Path
    min_disk_gb: int
    min_ram_mb: int
    properties: dict[str, str]
    login_user: str


class Current(msgspec.Struct, frozen=True):
    """What ``current.json`` says: the newest version, of which recipe and which packages (name to file name) it was made."""

    version: str
    recipe: str
    packages: dict[str, str]


def image_of(cache: Path, version: str) -> GuestImage:
    """The image of a version by its file names, whether or not the files are there."""
    folder = cache.absolute() / version
    return GuestImage(
        name=NAME,
        version=version,
        disk=folder / "disk.qcow2",
        kernel=folder / "vmlinuz",
        ramdisk=folder / "ramdisk.gz",
        boot_ramdisk=folder / "boot-ramdisk.gz",
        root=folder / "root.raw",
        min_disk_gb=1,
        min_ram_mb=128,
        properties=dict(PROPERTIES),
        login_user=LOGIN_USER,
    )


def recipe_of(source: Path) -> str:
    """A hash over our own part of the recipe: every file of this folder, scripts and Python alike."""
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(source)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def version_of(recipe: str, packages: dict[str, str]) -> str:
    """The version: twelve hexadecimal digits over our recipe and the file names (with versions) of all packages."""
    text = "\n".join([recipe, *(f"{name} {packages[name]}" for name in sorted(packages))])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_current(cache: Path) -> Current | None:
    """The manifest; None when there is none or it cannot be understood (then the image is simply built again)."""
    try:
        return msgspec.json.decode((cache / CURRENT).read_bytes(), type=Current)
    except (OSError, msgspec.DecodeError):
        return None


def write_current(cache: Path, current: Current) -> None:
    """Replace the manifest in one step."""
    part = cache / f".{CURRENT}.{os.getpid()}"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(current), indent=1) + b"\n")
    part.chmod(0o600)
    part.replace(cache / CURRENT)


def complete(image: GuestImage) -> bool:
    """Whether every file of the image is there."""
    return all(path.is_file() for path in (image.disk, image.kernel, image.ramdisk, image.boot_ramdisk, image.root))
