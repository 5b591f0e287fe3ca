"""The mark of cached images, by which a change is noticed that nobody should have made: a time that no clock shows any more.

A file keeps it as long as nobody writes to it, also in a copy of the folder that keeps times. To hash an image before
each use would cost more than to boot from it; to look at a time costs nothing. A disk that forgets bits leaves the mark
alone: against that, images are hashed now and then, and marked again.
"""

import hashlib
import os
from pathlib import Path

_MARK_NS = 1_000_000_000 * 1_000_000_000
_PIECE = 4 << 20


def mark(path: Path) -> None:
    """From now on a change is noticed. Raises OSError."""
    os.utime(path, ns=(_MARK_NS, _MARK_NS))


def unmark(path: Path) -> None:
    """The file is known to have changed. Raises OSError."""
    os.utime(path)


def is_marked(path: Path) -> bool:
    """Whether nobody has written to the file since it was marked. Raises OSError."""
    return path.stat().st_mtime_ns == _MARK_NS


def marked_at(path: Path) -> float:
    """When the file was marked last, in seconds since 1970: that is a change of what the disk knows of it. Raises OSError."""
    return path.stat().st_ctime


def sha512_of(path: Path) -> str:
    """The checksum of a file. Blocks: belongs in a thread. Raises OSError."""
    digest = hashlib.sha512()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
