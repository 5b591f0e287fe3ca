"""A program that loads nftables' rule sets into one namespace after another, by the library that ``nft`` itself is made of.

    python -I -S hand.py USER-OF

That takes a third of a millisecond, where ``nft`` by a program that enters the namespace takes seven. It is a process of its
own because a library that trips over a rule set must not take the cloud along, and because a user namespace takes no threads.
USER-OF is the process whose user and network namespaces are entered first, or ``-``. Only the standard library is used.

It reads a line of JSON for each rule set, ``[path of the namespace or null, text]``, and answers with one: null or what is wrong.
"""

import ctypes
import json
import os
import sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
LIBRARY = "libnftables.so.1"


def setns(fd: int, kind: int) -> None:
    """Move this process into a namespace. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, kind) != 0:
        raise OSError(ctypes.get_errno(), f"setns: {os.strerror(ctypes.get_errno())}")


class Nftables:
    """The library."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(LIBRARY)
        self._lib.nft_ctx_new.restype = ctypes.c_void_p
        self._lib.nft_ctx_new.argtypes = [ctypes.c_uint32]
        self._lib.nft_ctx_free.argtypes = [ctypes.c_void_p]
        self._lib.nft_ctx_buffer_error.argtypes = [ctypes.c_void_p]
        self._lib.nft_ctx_get_error_buffer.argtypes = [ctypes.c_void_p]
        self._lib.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        self._lib.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]

    def load(self, text: str) -> str | None:
        """Load a rule set, all or nothing; what is wrong with it."""
        # A context remembers the namespace that it was made in: each rule set gets a fresh one.
        context = self._lib.nft_ctx_new(0)
        try:
            self._lib.nft_ctx_buffer_error(context)
            if self._lib.nft_run_cmd_from_buffer(context, text.encode()) == 0:
                return None
            return self._lib.nft_ctx_get_error_buffer(context).decode(errors="replace") or "nftables refused it"
        finally:
            self._lib.nft_ctx_free(context)


def main(words: list[str]) -> int:
    """The command line in this file's first lines."""
    if len(words) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    if words[0] != "-":
        user, net = (os.open(f"/proc/{words[0]}/ns/{kind}", os.O_RDONLY) for kind in ("user", "net"))
        setns(user, CLONE_NEWUSER)
        setns(net, CLONE_NEWNET)
        os.close(user)
        os.close(net)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    nftables = Nftables()
    print(json.dumps(None), flush=True)
    for line in sys.stdin:
        path, text = json.loads(line)
        wrong = None
        try:
            if path is not None:
                there = os.open(path, os.O_RDONLY)
                try:
                    setns(there, CLONE_NEWNET)
                finally:
                    os.close(there)
            wrong = nftables.load(text)
        except OSError as error:
            wrong = f"cannot enter the network at {path}: {error}"
        finally:
            # A namespace that somebody stands in does not end when its name does.
            setns(home, CLONE_NEWNET)
        print(json.dumps(wrong), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
