"""Memory of the process that a cloud lives in: no search for garbage while it starts, and big blocks go back when they are free."""

import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_BIG = 4 << 20
"""Bytes of a block that has pages of its own."""
_MANY = 200_000
"""Objects of a start (thousands of hosts) that are worth a search before they count as permanent."""
_YOUNG = 20_000
"""Objects that are made before the young ones are looked through: a page of a thousand servers is not searched while it is
made, which took a fifth of the time. What garbage may lie about meanwhile is a few MiB."""


def starting() -> None:
    """Python's collector rests until the cloud is up: nearly all that is made until then stays, and looking it through time
    and again is a tenth of the start.
    """
    gc.disable()


def up() -> None:
    """From now on there is garbage to find, but not in what the cloud is made of: no search goes through that again."""
    if gc.get_count()[0] > _MANY:
        gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
    gc.enable()


def give_big_blocks_back() -> None:
    """Tell glibc to return the memory of every big block at once.

    By itself it learns from the first one that is freed to keep the next, and as a password is hashed in 19 MiB, each thread
    that ever did that would hold 19 MiB for good.
    """
    # Other systems, and musl, do not have it; what they keep is not much.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _BIG)
        # Saying one ends the learning of both, and this one's default of 128 KiB would have it trim all the time.
        mallopt(_M_TRIM_THRESHOLD, 2 * _BIG)
