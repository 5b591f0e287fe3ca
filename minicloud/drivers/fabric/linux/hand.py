"""A program that loads nftables' rule sets and makes taps in one namespace after another, without a program for each.

    python -I -S hand.py USER-OF

By the library that ``nft`` is made of a rule set takes a third of a millisecond, where ``nft`` inside of the namespace takes
seven; a tap likewise. It is a process of its own because a library that trips over a rule set must not take the cloud along,
and because a user namespace takes no threads. USER-OF is the process whose user and network namespaces are entered first, or
``-``. Only the standard library is used.

It reads a line of JSON for each request, ``[path of the namespace or null, a rule set's text or a ``Tap``]``, and answers with one:
null or what is wrong.
"""

import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import sys
from typing import TypedDict

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
LIBRARY = "libnftables.so.1"


TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
TAP_FLAGS = 0x0002 | 0x1000 | 0x4000
"""A tap, without packet information, with virtio's header: as ``ip tuntap add mode tap vnet_hdr`` makes them."""
MULTI_QUEUE = 0x0100
SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 0x0040

RTM_NEWLINK, NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 16, 1, 4, 2
IFLA_MTU, IFLA_MASTER, IFLA_IFALIAS, IFLA_AF_SPEC, IFLA_INET6_ADDR_GEN_MODE = 4, 10, 20, 26, 8
IFF_UP = 1


class Tap(TypedDict):
    """A tap on a bridge, which can be opened once, or once for each of its queues."""

    name: str
    bridge: str
    mtu: int
    alias: str
    up: bool
    queues: int


def ensure_tap(tap: Tap) -> None:
    """The tap stands in this namespace, whether or not it did; one that a machine has keeps the queues that it has. Raises OSError."""
    if not _is_held(tap["name"]):
        flags = TAP_FLAGS | (MULTI_QUEUE if tap["queues"] > 1 else 0)
        try:
            _persist(tap["name"], flags, 1)
        except OSError as error:
            # A machine has it, and it is down.
            if error.errno not in (errno.EBUSY, errno.EINVAL):
                raise
            if error.errno == errno.EINVAL:
                _persist(tap["name"], flags ^ MULTI_QUEUE, 0)
                _persist(tap["name"], flags, 1)
    index, bridge = socket.if_nametoindex(tap["name"]), socket.if_nametoindex(tap["bridge"])
    silent = _attribute(socket.AF_INET6, _attribute(IFLA_INET6_ADDR_GEN_MODE, b"\1"))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        _set_link(kernel, index, 0, 0, _attribute(IFLA_AF_SPEC, silent))
        words = _attribute(IFLA_MTU, struct.pack("=I", tap["mtu"])) + _attribute(IFLA_MASTER, struct.pack("=I", bridge))
        words += _attribute(IFLA_IFALIAS, tap["alias"].encode())
        _set_link(kernel, index, IFF_UP if tap["up"] else 0, IFF_UP, words)


def _is_held(name: str) -> bool:
    """Whether a machine has a tap. One with several queues would take one more, and give frames to nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kernel:
        try:
            said = fcntl.ioctl(kernel, SIOCGIFFLAGS, struct.pack("16sH22x", name.encode(), 0))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return False
            raise
    (flags,) = struct.unpack("16xH22x", said)
    return bool(flags & IFF_RUNNING)


def _persist(name: str, flags: int, wanted: int) -> None:
    """Make a tap of this kind that stays when nobody has it, or let it go."""
    with open("/dev/net/tun", "r+b", buffering=0) as device:
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        fcntl.ioctl(device, TUNSETPERSIST, wanted)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _set_link(kernel: socket.socket, index: int, flags: int, change: int, attributes: bytes) -> None:
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change) + attributes
    kernel.send(struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
    answer = kernel.recv(65536)
    (kind,), (code,) = struct.unpack("=H", answer[4:6]), struct.unpack("=i", answer[16:20])
    if kind == NLMSG_ERROR and code:
        raise OSError(-code, os.strerror(-code))


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
        path, what = json.loads(line)
        wrong = None
        try:
            if path is not None:
                there = os.open(path, os.O_RDONLY)
                try:
                    setns(there, CLONE_NEWNET)
                finally:
                    os.close(there)
            if isinstance(what, str):
                wrong = nftables.load(what)
            else:
                ensure_tap(what)
        except OSError as error:
            wrong = f"in the network at {path}: {error}"
        finally:
            # A namespace that somebody stands in does not end when its name does.
            setns(home, CLONE_NEWNET)
        print(json.dumps(wrong), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
