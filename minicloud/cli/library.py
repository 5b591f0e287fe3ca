"""The SQLite library of this process: it takes no lock of its own at every call, as no connection has two users at a time."""

import _sqlite3
import ctypes

_MULTITHREAD = 2
_OK = 0


def lock_less() -> bool:
    """Have connections that are opened from now on rely on us for one user at a time; False where the library cannot be told.

    Each value that a row is read for is three calls and as many locks otherwise, a seventh of what a listing costs. Every
    connection here belongs to one thread, or to whoever holds the lock beside it. To be called while none is open.

    Source: https://www.sqlite.org/threadsafe.html
    """
    try:
        # Found by way of Python's module, which may bring a library of its own.
        library = ctypes.CDLL(_sqlite3.__file__)
        stop, tell, begin = library.sqlite3_shutdown, library.sqlite3_config, library.sqlite3_initialize
    except (AttributeError, OSError):
        return False
    stop()
    told: int = tell(_MULTITHREAD)
    begin()
    return told == _OK
