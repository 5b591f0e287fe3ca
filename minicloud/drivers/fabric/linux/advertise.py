"""A program that tells the neighbours of a router about it and its IPv6 prefixes: router advertisements, as RFC 4861 has them.

    python -I -S advertise.py CONFIGURATION

It sends one to all now and then, and one to whoever solicits it; SIGHUP reads the configuration again, SIGTERM ends it. The
configuration is JSON: by device ``{"mtu", "managed", "other", "prefixes": [[cidr, autonomous]], "dns": [address]}``. Only the
standard library is used. It is a program of its own because guests need their router for longer than the cloud runs.
"""

import fcntl
import ipaddress
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from typing import TypedDict

ALL_NODES, ALL_ROUTERS = "ff02::1", "ff02::2"
SOLICITATION, ADVERTISEMENT = 133, 134
ICMP6_FILTER = 1
SIOCGIFHWADDR = 0x8927

FIRST_S, FEWEST_S, MOST_S = 3.0, 30.0, 100.0
"""Pauses: after each of the first three advertisements, then a random time between the other two; radvd's are the same."""
ROUTER_LIFETIME_S, VALID_S, PREFERRED_S = 1800, 86400, 14400
DNS_LIFETIME_S = 1200


class Told(TypedDict):
    """What is told on one device."""

    mtu: int
    managed: bool
    other: bool
    prefixes: list[tuple[str, bool]]
    dns: list[str]


def advertisement(told: Told, mac: bytes, lifetime: int = ROUTER_LIFETIME_S) -> bytes:
    """The ICMPv6 message; the kernel adds its checksum."""
    flags = (0x80 if told["managed"] else 0) | (0x40 if told["other"] else 0)
    words = [struct.pack("!BBHBBHII", ADVERTISEMENT, 0, 0, 64, flags, lifetime, 0, 0)]
    words.append(struct.pack("!BB", 1, 1) + mac)
    words.append(struct.pack("!BBHI", 5, 1, 0, told["mtu"]))
    for cidr, autonomous in told["prefixes"]:
        net = ipaddress.IPv6Network(cidr)
        marks = 0x80 | (0x40 if autonomous else 0)
        words.append(struct.pack("!BBBBIII", 3, 4, net.prefixlen, marks, VALID_S, PREFERRED_S, 0))
        words.append(net.network_address.packed)
    if told["dns"]:
        servers = [ipaddress.IPv6Address(server).packed for server in told["dns"]]
        words.append(struct.pack("!BBHI", 25, 1 + 2 * len(servers), 0, DNS_LIFETIME_S) + b"".join(servers))
    return b"".join(words)


class Voice:
    """One device's socket and when it speaks next."""

    def __init__(self, device: str, told: Told) -> None:
        self.device = device
        self.told = told
        self.index = socket.if_nametoindex(device)
        self.said = 0
        self.next = time.monotonic()
        self.wire = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        self.wire.setblocking(False)
        try:
            self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            for option in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS):
                self.wire.setsockopt(socket.IPPROTO_IPV6, option, 255)
            self.wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index)
            self.wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
            group = socket.inet_pton(socket.AF_INET6, ALL_ROUTERS) + struct.pack("@I", self.index)
            self.wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
            blocked = bytearray(b"\xff" * 32)
            blocked[SOLICITATION // 8] &= ~(1 << SOLICITATION % 8) & 0xFF
            self.wire.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, bytes(blocked))
        except OSError:
            self.wire.close()
            raise

    def speak(self, to: str = ALL_NODES, lifetime: int = ROUTER_LIFETIME_S) -> None:
        """Advertise, to one neighbour or to all. Raises OSError."""
        mac = fcntl.ioctl(self.wire, SIOCGIFHWADDR, struct.pack("16s24x", self.device.encode()))[18:24]
        self.wire.sendto(advertisement(self.told, mac, lifetime), (to, 0, 0, self.index))

    def answer(self) -> None:
        """Answer a solicitation. Raises OSError."""
        message, (source, *_) = self.wire.recvfrom(1500)
        if message[:1] == bytes([SOLICITATION]):
            self.speak(ALL_NODES if source == "::" else source.partition("%")[0])

    def due(self) -> None:
        """Speak to all if it is time to. Raises OSError."""
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + (FIRST_S if self.said < 2 else random.uniform(FEWEST_S, MOST_S))
            self.said += 1
            self.speak()


def configured(file: str) -> dict[str, Told]:
    """What the configuration says; nothing while it cannot be read."""
    try:
        with open(file, encoding="utf-8") as text:
            found: dict[str, Told] = json.load(text)
            return found
    except (OSError, ValueError) as error:
        print(f"cannot read {file}: {error}", flush=True)
        return {}


def heard(voices: dict[str, Voice], wanted: dict[str, Told]) -> None:
    """Bring the voices in line with the configuration and with the devices that are there."""
    for device in list(voices):
        try:
            same = device in wanted and socket.if_nametoindex(device) == voices[device].index
        except OSError:
            same = False
        if not same:
            voices.pop(device).wire.close()
    for device, told in wanted.items():
        if device in voices:
            if voices[device].told != told:
                voices[device].told, voices[device].said, voices[device].next = told, 0, time.monotonic()
            continue
        try:
            voices[device] = Voice(device, told)
        except OSError as error:
            print(f"{device}: {error}", flush=True)


def main(words: list[str]) -> int:
    """The command line in this file's first lines."""
    if len(words) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    inbox, outbox = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(outbox)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)
    wanted, voices = configured(words[0]), dict[str, Voice]()
    heard(voices, wanted)
    print("advertising", flush=True)
    while True:
        for voice in list(voices.values()):
            try:
                voice.due()
            except OSError as error:
                print(f"{voice.device}: {error}", flush=True)
        # A device that is not there yet, or was made anew, is looked for every other second.
        pause = min([voice.next - time.monotonic() for voice in voices.values()], default=MOST_S)
        lost = len(voices) != len(wanted)
        ears = [inbox, *(voice.wire.fileno() for voice in voices.values())]
        ready, _, _ = select.select(ears, [], [], max(0.0, min(pause, 2.0 if lost else 10.0)))
        if inbox in ready:
            told = os.read(inbox, 512)
            if signal.SIGTERM in told:
                return 0
            wanted = configured(words[0])
        for voice in voices.values():
            if voice.wire.fileno() in ready:
                try:
                    voice.answer()
                except OSError as error:
                    print(f"{voice.device}: {error}", flush=True)
        heard(voices, wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
