"""Reading a cloud from another process: from its files where it has any, else by asking it."""

from typing import Any

import msgspec

from minicloud.base.trace import Note
from minicloud.cli import control
from minicloud.cli.folder import CONTROL, Folder


def read(folder: Folder, name: str, kind: type[Any], **given: Any) -> Any:
    """One of ``operations.reads.READS`` by name, as ``kind``. Raises what it raises, and NotFound where there is no cloud."""
    from minicloud.operations import offline
    from minicloud.operations.reads import READS

    if not offline.has_records(folder.path) and folder.running() is not None:
        return msgspec.convert(control.ask(folder.file(CONTROL), name, **given), kind)
    return offline.read(folder.path, lambda tx: READS[name](tx, **given))


def notes(folder: Folder, **which: Any) -> list[Note]:
    """Notes of the trace, up to this moment if the cloud is up."""
    from minicloud.base.errors import Unavailable
    from minicloud.operations import offline

    if folder.running() is not None:
        try:
            return msgspec.convert(control.ask(folder.file(CONTROL), "notes", **which), list[Note])
        except Unavailable:
            pass  # it is busy or going down: what it wrote until now is in the file
    return offline.notes(folder.path, **which)
