"""What storage's files are called, and the checks that keep a name from leaving its folder."""

import re

from minicloud.base.errors import Invalid

_MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_DISK = re.compile(r"disk(\.[A-Za-z0-9_-]{1,64})?")
_CHECKSUM = re.compile(r"[0-9a-f]{128}")

STORED_AS = {
    "qcow2": "qcow2",
    "raw": "raw",
    "iso": "raw",
    "ami": "raw",
    "ari": "raw",
    "aki": "raw",
    "vmdk": "qcow2",
    "vdi": "qcow2",
    "vhd": "qcow2",
    "vhdx": "qcow2",
}
"""How an image of each disk format lies in the cache; those that are neither raw nor qcow2 are converted."""


def check_machine(machine_id: str) -> None:
    """Raises Invalid when the id could not be a folder's name."""
    if not _MACHINE.fullmatch(machine_id):
        raise Invalid(f"{machine_id!r} cannot be a machine's id here: letters, digits, dots and dashes")


def check_disk(name: str) -> None:
    """Raises Invalid unless the name is ``disk`` or ``disk.something``, which is how storage knows its own files."""
    if not is_disk(name):
        raise Invalid(f"{name!r} cannot be a disk's name: use disk, or disk. and a word")


def is_disk(name: str) -> bool:
    """Whether a file of this name belongs to storage."""
    return _DISK.fullmatch(name) is not None


def check_base(checksum: str, format: str) -> None:
    """Raises Invalid unless this is a sha512 in hexadecimal and a format that can be cached."""
    if not _CHECKSUM.fullmatch(checksum):
        raise Invalid(f"{checksum!r} is not a sha512 checksum: 128 hexadecimal digits")
    if format not in STORED_AS:
        raise Invalid(f"disk format {format!r} cannot be used for machines here: {', '.join(STORED_AS)}")


def check_size(size_bytes: int, base_bytes: int | None) -> int:
    """The size that a new disk gets. Raises Invalid: smaller than its base, or without any size."""
    if size_bytes < 0 or (size_bytes == 0 and base_bytes is None):
        raise Invalid(f"a disk cannot have {size_bytes} bytes")
    if base_bytes is not None and size_bytes and base_bytes > size_bytes:
        raise Invalid(
            f"the image is a disk of {base_bytes} bytes, which does not fit on one of {size_bytes}: "
            "use a flavor with a larger disk",
            base_bytes=base_bytes,
            size_bytes=size_bytes,
        )
    return size_bytes or base_bytes or 0
