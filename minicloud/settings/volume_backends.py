"""The setting ``volume_backends``: further storage backends, each with a folder and a size of its own."""

import re
from pathlib import Path

import msgspec

from minicloud.base.errors import Invalid

_ONE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,62})(:(?P<size>[0-9]{1,9}))?(=(?P<folder>.+))?", re.DOTALL)
USUAL = ("files", "fake")
"""Names of the backend that every cloud has."""


class VolumeBackend(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that was asked for. ``size_gb`` None: as large as its disk; ``folder`` None: one in the data folder."""

    name: str
    size_gb: int | None = None
    folder: Path | None = None


def read(text: str, data: str) -> list[VolumeBackend]:
    """What ``fast,slow:100=/mnt/slow`` says; folders that are not absolute lie below ``data``. Raises Invalid."""
    found: dict[str, VolumeBackend] = {}
    for word in (word.strip() for word in text.split(",")):
        if not word:
            continue
        told = _ONE.fullmatch(word)
        if told is None:
            raise Invalid(
                f"The setting volume_backends has {word!r}, which is not NAME, NAME:GIB, NAME=FOLDER or NAME:GIB=FOLDER"
            )
        name, size, folder = told["name"], told["size"], told["folder"]
        if name in USUAL or name in found:
            raise Invalid(f"The setting volume_backends has {name!r}, but there is a backend of that name already")
        if size is not None and int(size) < 1:
            raise Invalid(f"The setting volume_backends has {word!r}: a backend holds at least 1 GiB")
        where = None if folder is None else Path(data) / Path(folder.strip()).expanduser()
        found[name] = VolumeBackend(name=name, size_gb=None if size is None else int(size), folder=where)
    folders = [backend.folder for backend in found.values() if backend.folder is not None]
    if len(set(folders)) < len(folders):
        raise Invalid("The setting volume_backends gives two backends the same folder")
    return list(found.values())
