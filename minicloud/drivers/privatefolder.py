"""Folders that only their owner may enter, with all the folders above them that have to be made."""

from pathlib import Path


def make_private(folder: Path) -> None:
    """The folder is there; every one that was missing is made with mode 0700. Raises OSError."""
    if folder.is_dir():
        return
    # mkdir(parents=True) would give the mode to the last folder alone.
    make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
