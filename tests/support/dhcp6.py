"""A DHCPv6 client of two packets, on ``eth0`` of the current namespace."""

import random
import socket
import struct
import time
from pathlib import Path

import msgspec

SOLICIT, REPLY, INFORMATION_REQUEST = 1, 7, 11
CLIENT_ID, IA_NA, ADDRESS, ASKED, RAPID, DNS_SERVERS = 1, 3, 5, 6, 14, 23
SERVERS = "ff02::1:2"


class Reply(msgspec.Struct, frozen=True):
    """What DHCPv6 gave: an address, if it was asked for one, and options by number, raw."""

    address: str | None
    options: dict[int, bytes]


def ask(mac: str, *, for_address: bool, patience_s: float = 20) -> Reply | None:
    """Ask for an address, or for the rest alone; None when nobody answers."""
    index = socket.if_nametoindex("eth0")
    number = random.randbytes(3)
    duid = struct.pack("!HH", 3, 1) + bytes.fromhex(mac.replace(":", ""))
    message = bytes([SOLICIT if for_address else INFORMATION_REQUEST]) + number + _option(CLIENT_ID, duid)
    message += _option(ASKED, struct.pack("!HHH", DNS_SERVERS, 59, 21)) + _option(8, b"\0\0")
    if for_address:
        message += _option(RAPID, b"") + _option(IA_NA, struct.pack("!III", 1, 0, 0))
    deadline = time.monotonic() + patience_s
    _settled(deadline)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        line.bind(("::", 546))
        line.settimeout(0.5)
        while time.monotonic() < deadline:
            line.sendto(message, (SERVERS, 547, 0, index))
            try:
                answer = line.recv(4096)
            except TimeoutError:
                continue
            if answer[0] == REPLY and answer[1:4] == number:
                options = _options(answer[4:])
                inner = _options(options.get(IA_NA, b"")[12:])
                address = inner.get(ADDRESS)
                return Reply(socket.inet_ntop(socket.AF_INET6, address[:16]) if address else None, options)
    return None


def addresses_in(raw: bytes) -> list[str]:
    """The addresses that an option's value is."""
    return [socket.inet_ntop(socket.AF_INET6, raw[i : i + 16]) for i in range(0, len(raw), 16)]


def _settled(deadline: float) -> None:
    """Wait until the card's link-local address is nobody else's: before that the kernel sends from none."""
    while time.monotonic() < deadline:
        lines = Path("/proc/thread-self/net/if_inet6").read_text().splitlines()
        if any(
            words[3] == "20" and int(words[4], 16) & 0x40 == 0 for words in map(str.split, lines) if words[5] == "eth0"
        ):
            return
        time.sleep(0.02)


def _option(number: int, value: bytes) -> bytes:
    return struct.pack("!HH", number, len(value)) + value


def _options(raw: bytes) -> dict[int, bytes]:
    found = {}
    while len(raw) >= 4:
        number, size = struct.unpack("!HH", raw[:4])
        found[number] = raw[4 : 4 + size]
        raw = raw[4 + size :]
    return found
