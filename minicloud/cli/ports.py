"""The TCP port of the APIs: taking it, and naming the process that has it already."""

import errno
import os
import socket
from pathlib import Path

from minicloud.base.errors import Conflict, Invalid, Unavailable

_LISTENING = "0A"


def take(listen: str, port: int) -> socket.socket:
    """A socket bound to the address, not listening yet; port 0 takes a free one.

    Raises:
        Invalid: no such address.
        Conflict: the port is taken; the message names the process that has it.
        Unavailable: this user may not have it.
    """
    if not 0 <= port <= 65535:
        raise Invalid(f"the port must lie between 0 and 65535, not {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listen, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise Invalid(f"--listen {listen}: {error.strerror}; give an address of this machine") from error
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise _refusal(error, listen, port) from error
    return bound


def listening(bound: socket.socket) -> socket.socket:
    """The same, listening. Raises Conflict when somebody else was first."""
    try:
        bound.listen(2048)
    except OSError as error:
        listen, port = bound.getsockname()[:2]
        bound.close()
        raise _refusal(error, listen, port) from error
    return bound


def url(listen: str, port: int) -> str:
    """The address under which this machine reaches a listening server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def holder(port: int) -> str | None:
    """Who listens on a port: ``python3 (process 4242)``; None when nobody does or it cannot be seen."""
    inodes = {
        fields[9]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for fields in map(str.split, _lines(table)[1:])
        if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port
    }
    targets = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process / "fd", targets):
            return f"{_name(process)} (process {process.name})"
    return None


def _refusal(error: OSError, listen: str, port: int) -> Conflict | Unavailable:
    if error.errno == errno.EADDRINUSE:
        who = holder(port) or "a process of another user"
        return Conflict(
            f"port {port} is taken by {who}: stop that, or take a free port with `minicloud up --port 0`", kind="port"
        )
    if error.errno == errno.EACCES:
        return Unavailable(f"port {port} is for root alone: take one above 1023, or a free one with --port 0")
    return Unavailable(f"cannot listen on {listen} port {port}: {error.strerror}; give another address with --listen")


def _holds(folder: Path, targets: set[str]) -> bool:
    try:
        return any(os.readlink(entry) in targets for entry in os.scandir(folder))
    except OSError:
        return False  # it ended meanwhile, or belongs to somebody else


def _name(process: Path) -> str:
    words = (process / "cmdline").read_bytes().split(b"\0")
    if any(os.path.basename(word).split(b".")[0] == b"minicloud" for word in words[:4]):
        return "another minicloud"
    return os.path.basename(words[0].decode(errors="replace")) or (process / "comm").read_text().strip()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return [""]
