"""What has to be done from inside a network namespace; a program of its own as well, since a user namespace takes no threads.

As root a fresh thread enters (``perform_in_thread``); without root a child runs this file, enters the holder's user namespace
and passes what it opened back through its stdin, a unix socket. Only the standard library is used, so that it starts in
some milliseconds as ``python -I -S enter.py``:

    enter.py perform NETWORK-NAMESPACE USER-OF JSON      carries out a ``Request``
    enter.py connect NETWORK-NAMESPACE USER-OF RELAY ADDRESS PORT      becomes the program relay.py inside
    enter.py hold CLOUD FOLDER      keeps a user namespace alive (see holder.py)

USER-OF is the process whose user namespace is entered first, or ``-``.
"""

import array
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import threading
from typing import TypedDict

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
MS_BIND = 4096

ETH_P_ARP = 0x0806
IP_FREEBIND = 15
SIOCGIFHWADDR = 0x8927


class Request(TypedDict, total=False):
    """What to do, in this order; each ``listen`` yields one descriptor."""

    write: dict[str, str]
    """Kernel settings below /proc/sys/net: ``{"ipv4/ip_forward": "1"}``."""
    announce: list[tuple[str, str]]
    """Gratuitous ARP: (device, IPv4 address)."""
    listen: list[tuple[str, int]]
    """TCP addresses to listen on."""


def setns(fd: int, kind: int) -> None:
    """Move the calling thread into a namespace. Raises OSError."""
    if hasattr(os, "setns"):
        os.setns(fd, kind)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, kind) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def enter(namespace: str, user_of: int | None = None) -> None:
    """Move the calling thread (with ``user_of``: the whole, single-threaded process) to the namespace at this path."""
    fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if user_of is not None:
            user = os.open(f"/proc/{user_of}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
            try:
                setns(user, CLONE_NEWUSER)
            finally:
                os.close(user)
        setns(fd, CLONE_NEWNET)
    finally:
        os.close(fd)


def listen(address: str, port: int) -> int:
    """A listening TCP socket's descriptor."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The address may come later, or come back: a bridge that is rebuilt must not cost its network the listener.
        server.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        server.bind((address, port))
        server.listen(128)
        server.setblocking(False)
        return server.detach()


def announce(news: list[tuple[str, str]]) -> None:
    """Tell the neighbours on each (device, address) that this address lives here now (a gratuitous ARP request)."""
    # One socket for all, and without a protocol: closing one that listens waits for every processor.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        for device, address in news:
            mac = fcntl.ioctl(wire, SIOCGIFHWADDR, struct.pack("16s24x", device.encode()))[18:24]
            ip = socket.inet_aton(address)
            arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + ip + bytes(6) + ip
            wire.sendto(b"\xff" * 6 + mac + struct.pack("!H", ETH_P_ARP) + arp, (device, ETH_P_ARP))


def perform(request: Request) -> list[int]:
    """Carry out a request in the current namespace; the descriptors it yields. Raises OSError and leaves nothing open."""
    fds: list[int] = []
    try:
        for setting, value in request.get("write", {}).items():
            with open(f"/proc/sys/net/{setting}", "w") as file:
                file.write(value)
        if request.get("announce"):
            announce(request["announce"])
        for address, port in request.get("listen", []):
            fds.append(listen(address, port))
    except OSError:
        for fd in fds:
            os.close(fd)
        raise
    return fds


def perform_in_thread(namespace: str, request: Request) -> list[int]:
    """Carry out a request inside the namespace at this path, by a thread that ends with it. Raises OSError."""
    fds: list[int] = []
    failures: list[OSError] = []

    def work() -> None:
        try:
            enter(namespace)
            fds.extend(perform(request))
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=work, name="enter-namespace", daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return fds


def receive(channel: socket.socket) -> list[int]:
    """The descriptors that a ``perform`` child sends over a unix socket; its failure is raised as OSError."""
    words, fds, _, _ = socket.recv_fds(channel, 4096, 64)
    if words != b"ok":
        for fd in fds:
            os.close(fd)
        raise OSError(words.decode(errors="replace") or "the child that enters the namespace said nothing")
    return fds


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount on {target}: {os.strerror(number)}")


def _hold(folder: str) -> int:
    kept = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    _mount("tmpfs", "/run", "tmpfs", 0)
    os.makedirs("/run/netns", mode=0o755)
    if os.path.realpath(folder) == folder and folder.startswith("/run/"):
        # The fresh /run hides a cloud's folder that lies below it (XDG_RUNTIME_DIR): show it again.
        os.makedirs(folder, mode=0o700)
        _mount(f"/proc/self/fd/{kept}", folder, None, MS_BIND)
    os.close(kept)
    print("ready", flush=True)
    while True:
        signal.pause()


def main(words: list[str]) -> int:
    """The command line in this file's first lines."""
    if len(words) == 3 and words[0] == "hold":
        return _hold(words[2])
    if len(words) < 4 or words[0] not in ("perform", "connect"):
        print(__doc__, file=sys.stderr)
        return 2
    verb, namespace, user_of, *more = words
    failure = None
    try:
        enter(namespace, None if user_of == "-" else int(user_of))
    except OSError as error:
        failure = f"cannot enter the network at {namespace}: {error}"
    if verb == "connect":
        if failure:
            print(failure, file=sys.stderr)
            return 1
        os.execv(sys.executable, [sys.executable, "-I", "-S", more[0], "tcp", *more[1:]])
    with socket.socket(fileno=os.dup(0)) as channel:
        try:
            fds = [] if failure else perform(json.loads(more[0]))
        except OSError as error:
            failure = str(error)
        if failure:
            channel.sendall(failure.encode())
            return 1
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        channel.sendmsg([b"ok"], rights)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
