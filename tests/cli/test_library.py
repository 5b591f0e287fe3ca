"""SQLite's own locks: connections have none, from the moment on at which the library was told."""

import subprocess
import sys

LOCKS = """
import ctypes, sqlite3, _sqlite3
from minicloud.cli import library

def locked():
    names, found = ctypes.CDLL(_sqlite3.__file__), ctypes.c_void_p()
    names.sqlite3_db_mutex.restype = ctypes.c_void_p
    assert names.sqlite3_open(b":memory:", ctypes.byref(found)) == 0
    lock = names.sqlite3_db_mutex(found)
    assert names.sqlite3_close(found) == 0
    return lock is not None

before = locked()
print(before, library.lock_less(), locked(), sqlite3.connect(":memory:").execute("SELECT 1").fetchone())
"""


def test_connections_have_no_lock_of_their_own_any_more() -> None:
    """In a Python of its own, as it lasts as long as the process."""
    told = subprocess.run([sys.executable, "-c", LOCKS], capture_output=True, text=True, check=True).stdout.strip()
    assert told in ("True True False (1,)", "False True False (1,)")
