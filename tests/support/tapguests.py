"""Stand-ins for guests on real taps: the kernel's own network stack in a namespace, carried to the tap frame by frame as QEMU would.

Everything here blocks: call it by ``anyio.to_thread.run_sync`` where the metadata service runs in the same loop.
"""

import contextlib
import ctypes
import fcntl
import http.client
import itertools
import json
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

Result = TypeVar("Result")

PATIENCE_S = 20.0
_numbers = itertools.count(1)


class Offer(msgspec.Struct, frozen=True):
    """What DHCP gave: ``options`` by number, raw."""

    address: str
    server: str
    options: dict[int, bytes]

    def addresses(self, option: int) -> list[str]:
        raw = self.options.get(option, b"")
        return [socket.inet_ntoa(raw[i : i + 4]) for i in range(0, len(raw), 4)]

    def prefix(self) -> int:
        return int.from_bytes(self.options[1], "big").bit_count()

    def routes(self) -> list[tuple[str, str]]:
        """Option 121: (destination with prefix length, next hop)."""
        raw, found = self.options.get(121, b""), []
        while raw:
            length = raw[0]
            octets = (length + 7) // 8
            destination = socket.inet_ntoa(raw[1 : 1 + octets].ljust(4, b"\0"))
            found.append((f"{destination}/{length}", socket.inet_ntoa(raw[1 + octets : 5 + octets])))
            raw = raw[5 + octets :]
        return found


class TapGuest:
    """A guest with one card ``eth0`` behind a tap of one queue, whose descriptor it is given (and closes)."""

    def __init__(self, tap: list[int], mac: str, mtu: int = 1450) -> None:
        self.mac = mac
        self.namespace = f"mct-{os.getpid()}-{next(_numbers)}"
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        [self._outer] = tap
        self._inner = self.inside(lambda: _new_tap("eth0"))
        self.ip(f"link set dev eth0 address {mac} mtu {mtu} up", "link set dev lo up")
        self._stop_read, self._stop_write = os.pipe()
        self._pump = threading.Thread(target=_carry, args=(self._outer, self._inner, self._stop_read), daemon=True)
        self._pump.start()

    def close(self) -> None:
        os.write(self._stop_write, b"x")
        self._pump.join()
        for fd in (self._outer, self._inner, self._stop_read, self._stop_write):
            os.close(fd)
        subprocess.run(["ip", "netns", "delete", self.namespace], check=True)

    def ip(self, *lines: str) -> None:
        text = "".join(f"{line}\n" for line in lines)
        subprocess.run(["ip", "-n", self.namespace, "-batch", "-"], input=text.encode(), check=True)

    def inside(self, work: Callable[[], Result]) -> Result:
        """The result of a function that runs in the guest's namespace, in a thread of its own."""
        return in_namespace(f"/run/netns/{self.namespace}", work)

    def dhcp(self, patience_s: float = PATIENCE_S) -> Offer | None:
        """Ask for an address the whole way; None when nobody answers."""
        return self.inside(lambda: _Dhcp(self.mac, patience_s).lease())

    def use(self, offer: Offer) -> None:
        """Configure the card as DHCP said, with option 121's routes."""
        self.ip("address flush dev eth0", f"address add {offer.address}/{offer.prefix()} dev eth0")
        self.ip(*(f"route replace {destination} via {via} onlink dev eth0" for destination, via in offer.routes()))

    def http(self, path: str, *, address: str = "169.254.169.254", **headers: str) -> tuple[int, bytes]:
        """Status and body of one GET."""

        def work() -> tuple[int, bytes]:
            line = http.client.HTTPConnection(address, 80, timeout=PATIENCE_S)
            with contextlib.closing(line):
                line.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
                reply = line.getresponse()
                return reply.status, reply.read()

        return self.inside(work)

    def serve(self, port: int, words: bytes) -> None:
        """Answer each connection to this TCP port with the peer's address, a space and these words, until the guest ends."""
        self.serve_on(self.inside(lambda: socket.create_server(("0.0.0.0", port))), words)

    def serve_on(self, server: socket.socket, words: bytes) -> None:
        """As ``serve``, on a socket that listens already."""
        threading.Thread(target=_answer, args=(server, words), daemon=True).start()

    def hear(self, address: str, port: int, timeout_s: float = PATIENCE_S, source: str = "") -> bytes | None:
        """What a TCP port says before it closes; None when nobody answers in time."""
        return self.inside(lambda: hear(address, port, timeout_s, source))


def _answer(server: socket.socket, words: bytes) -> None:
    while True:
        try:
            line, peer = server.accept()
        except OSError:
            return
        with line:
            line.sendall(f"{peer[0]} ".encode() + words)


def serve(namespace: str, port: int, words: bytes) -> socket.socket:
    """As a guest's ``serve``, in the namespace at this path, until the socket is closed."""
    server = in_namespace(namespace, lambda: socket.create_server(("0.0.0.0", port)))
    threading.Thread(target=_answer, args=(server, words), daemon=True).start()
    return server


def _carry(one: int, other: int, stop: int) -> None:
    while True:
        ready, _, _ = select.select([one, other, stop], [], [])
        if stop in ready:
            return
        for fd in ready:
            with contextlib.suppress(BlockingIOError):
                _write(other if fd == one else one, os.read(fd, 70000))


def in_namespace(path: str, work: Callable[[], Result]) -> Result:
    """The result of a function that runs in a network namespace, in a thread of its own."""

    def run() -> Result:
        with open(path) as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        return work()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(run).result()


def hear(address: str, port: int, timeout_s: float, source: str = "") -> bytes | None:
    """What a TCP port says before it closes; None when nobody answers in time."""
    try:
        with socket.create_connection((address, port), timeout_s, (source, 0) if source else None) as line:
            said = b""
            while data := line.recv(4096):
                said += data
            return said
    except (TimeoutError, ConnectionError, OSError):
        return None


def leftovers(cloud_id: str, folder: Path) -> list[str]:
    """What a cloud's fabric left on the machine: namespaces, devices and processes, in words; empty when it left nothing."""
    names = os.listdir("/run/netns") if os.path.exists("/run/netns") else []
    found = [f"namespace {name}" for name in names if name.startswith(f"mc-{cloud_id}-")]
    raw = subprocess.run(["ip", "-details", "-json", "link"], capture_output=True, check=True).stdout
    for link in json.loads(raw):
        if str(link.get("ifalias", "")).startswith(f"minicloud/{cloud_id}/"):
            found.append(f"device {link['ifname']}")
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError):
                line = Path("/proc", entry, "cmdline").read_bytes().decode(errors="replace").split("\0")
                if ("hold" in line and cloud_id in line) or any(f"--conf-file={folder}/" in word for word in line):
                    found.append(f"process {entry} {' '.join(line)}")
    return found


def _new_tap(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x0002 | 0x1000 | 0x4000))
    return fd


def _write(fd: int, frame: bytes) -> None:
    # A full queue or a card that is down loses frames, as wires do.
    with contextlib.suppress(BlockingIOError, OSError):
        os.write(fd, frame)


class _Dhcp:
    """A client of four packets on ``eth0`` of the current namespace."""

    def __init__(self, mac: str, patience_s: float) -> None:
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._deadline = time.monotonic() + patience_s
        self._id = random.randbytes(4)

    def lease(self) -> Offer | None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
            wire.bind(("eth0", 0x0800))
            offer = self._exchange(wire, 1, 2, b"")
            if offer is None:
                return None
            asked = bytes([50, 4]) + socket.inet_aton(offer.address) + bytes([54, 4]) + socket.inet_aton(offer.server)
            return self._exchange(wire, 3, 5, asked)

    def _exchange(self, wire: socket.socket, kind: int, wanted: int, more: bytes) -> Offer | None:
        wire.settimeout(0.5)
        while time.monotonic() < self._deadline:
            wire.send(self._frame(kind, more))
            again = time.monotonic() + 1
            while time.monotonic() < again:
                try:
                    offer = self._parse(wire.recv(4096), wanted)
                except TimeoutError:
                    break
                if offer is not None:
                    return offer
        return None

    def _frame(self, kind: int, more: bytes) -> bytes:
        options = b"\x63\x82\x53\x63" + bytes([53, 1, kind]) + more + bytes([55, 7, 1, 3, 6, 26, 51, 121, 12, 255])
        bootp = (
            struct.pack("!BBBB4sHH16x16s192x", 1, 1, 6, 0, self._id, 0, 0x8000, self._mac.ljust(16, b"\0")) + options
        )
        udp = struct.pack("!HHHH", 68, 67, 8 + len(bootp), 0) + bootp
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
        head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
        return b"\xff" * 6 + self._mac + b"\x08\x00" + head + udp

    def _parse(self, frame: bytes, wanted: int) -> Offer | None:
        ip = frame[14:]
        size = (ip[0] & 15) * 4
        if ip[9] != 17 or struct.unpack("!HH", ip[size : size + 4]) != (67, 68):
            return None
        bootp = ip[size + 8 :]
        if bootp[4:8] != self._id:
            return None
        options: dict[int, bytes] = {}
        rest = bootp[240:]
        while rest and rest[0] != 255:
            if rest[0]:
                options[rest[0]] = rest[2 : 2 + rest[1]]
            rest = rest[2 + rest[1] :] if rest[0] else rest[1:]
        if options.get(53) != bytes([wanted]):
            return None
        return Offer(socket.inet_ntoa(bootp[16:20]), socket.inet_ntoa(options[54]), options)


def _checksum(head: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(head) // 2}H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
