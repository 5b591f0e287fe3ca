"""What a file in a machine's folder is, read from its first bytes."""

from pathlib import Path

from minicloud.base.errors import Failed, Invalid
from minicloud.base.imageformat import qcow2
from minicloud.drivers.storage import DiskFile

_HEAD = 4096


def is_qcow2(path: Path) -> bool:
    """Files are made here: a raw one is a config drive or the like, and none of those begins so."""
    with path.open("rb") as file:
        return file.read(4) == b"QFI\xfb"


def virtual_size(path: Path) -> int:
    """The size of a qcow2 file in bytes, as a guest sees it. Raises Failed (damaged)."""
    with path.open("rb") as file:
        head = file.read(104)
    try:
        return qcow2.size(head)
    except Invalid as error:
        raise Failed(f"{path} is damaged: {error.message}") from error


def backing(path: Path) -> Path | None:
    """The file that a disk stands on."""
    with path.open("rb") as file:
        name = qcow2.backing_file(file.read(_HEAD))
    return None if name is None else Path(name)


def disk_of(machine_id: str, path: Path, format: str) -> DiskFile:
    """A file of this format as a machine's disk. Raises Failed (damaged)."""
    if format == "raw":
        size = path.stat().st_size
        return DiskFile(machine_id=machine_id, name=path.name, path=str(path), format="raw", virtual_size=size)
    size, below = virtual_size(path), backing(path)
    base = None if below is None else below.name.partition(".")[0]
    return DiskFile(machine_id=machine_id, name=path.name, path=str(path), format="qcow2", virtual_size=size, base=base)
