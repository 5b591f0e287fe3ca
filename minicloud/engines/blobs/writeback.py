"""Asks the kernel to bring a file's new bytes to the disk already now, so that a later fsync finds little left to wait for."""

import ctypes
from collections.abc import Callable

_BEGIN = 2
"""SYNC_FILE_RANGE_WRITE: begin, and do not wait."""


def begin(file: int, offset: int, length: int) -> None:
    """A wish that promises nothing, and fails silently: what goes wrong is told by the fsync that must follow."""
    if _sync_file_range is not None:
        _sync_file_range(file, offset, length, _BEGIN)


def _found() -> Callable[[int, int, int, int], int] | None:
    # Linux alone has it, and Python does not offer it.
    call = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if call is not None:
        call.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return call


_sync_file_range = _found()
