"""IPv6 on real taps: cards make addresses out of what their router advertises, or get them by DHCPv6, and nobody lies; root and rootless."""

import ipaddress
import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from minicloud.drivers.fabric import Advert, Lease, Network, Router, RouterPort, Subnet
from minicloud.drivers.fabric.linux.guard import link_local
from tests.support import dhcp6
from tests.support.fabrics import Lab, a_lab, a_mac, a_port, an_id, blocking, eventually
from tests.support.tapguests import TapGuest

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.linux,
    pytest.mark.skipif(os.geteuid() != 0, reason="the stand-in guests of these tests need root"),
]


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@pytest.fixture(params=["root", "rootless"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    async with a_lab(tmp_path, rootless=request.param == "rootless") as lab:
        yield lab


def made_of(prefix: str, mac: str) -> str:
    """The address that a card makes out of its MAC under a prefix of 64 bits."""
    own = int(ipaddress.IPv6Address(link_local(mac))) & (2**64 - 1)
    return str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | own))


def a_network(number: int, prefix: str, mode: str | None, leases: dict[int, str] | None = None) -> Network:
    """A network ``prefix``/64 with its first address for the gateway, as Neutron gives it, and DHCPv6 on ::2."""
    subnet = Subnet(
        id=f"s{number}",
        cidr=f"{prefix}/64",
        gateway=prefix,
        dhcp_address=f"{prefix}2",
        dns_servers=[f"{prefix}53"],
        ipv6_mode=mode,
    )
    made = [Lease(mac=a_mac(n), address=a, hostname=f"six-{n}") for n, a in (leases or {}).items()]
    return Network(id=an_id(number), subnets=[subnet], leases=made)


def a_router(number: int, networks: dict[int, tuple[Network, str]], **more: Any) -> Router:
    """A router with the gateway's address on each network, which advertises the prefix as the mode says."""
    interfaces = []
    for n, (network, mode) in networks.items():
        [subnet] = network.subnets
        advert = Advert(cidr=subnet.cidr, mode=mode, dns_servers=subnet.dns_servers)
        address = f"{subnet.gateway}/64"
        interfaces.append(
            RouterPort(id=an_id(n), network_id=network.id, mac=a_mac(n), addresses=[address], adverts=[advert])
        )
    return Router(id=an_id(number), interfaces=interfaces, **more)


async def has(guest: TapGuest, address: str) -> None:
    """Wait until the guest's card may use an address."""

    def look() -> bool:
        lines = Path("/proc/thread-self/net/if_inet6").read_text().splitlines()
        packed = ipaddress.IPv6Address(address).packed.hex()
        return any(words[0] == packed and int(words[4], 16) & 0x40 == 0 for words in map(str.split, lines))

    async def there() -> bool:
        return await blocking(guest.inside, look)

    await eventually(there)


async def serves(guest: TapGuest) -> None:
    """Serve port 80 over IPv6 until the guest ends."""
    server = await blocking(guest.inside, lambda: socket.create_server(("::", 80), family=socket.AF_INET6))
    guest.serve_on(server, b"here")


async def test_cards_make_their_addresses_and_find_their_router(lab: Lab) -> None:
    one, two = a_network(1, "fd00:1::", "slaac"), a_network(2, "fd00:2::", "slaac")
    for network in (one, two):
        await lab.fabric.ensure_network(network)
    router = a_router(3, {31: (one, "slaac"), 32: (two, "slaac")})
    await lab.fabric.ensure_router(router)
    mine, other = made_of("fd00:1::", a_mac(11)), made_of("fd00:2::", a_mac(12))
    a = await lab.guest(a_port(11, one, mine), dhcp=False)
    b = await lab.guest(a_port(12, two, other), dhcp=False)
    await has(a, mine)
    await has(b, other)
    await serves(b)
    assert await blocking(a.hear, other, 80) == f"{mine} here".encode()
    pid = lab.recording.facts("advertiser")[-1]["pid"]
    await lab.fabric.ensure_router(router)
    assert lab.recording.facts("advertiser")[-1]["pid"] == pid, "what is told already is not told anew"
    await lab.fabric.ensure_router(msgspec.structs.replace(router, interfaces=router.interfaces[:1]))
    assert lab.recording.facts("advertiser")[-1]["did"] == "re-read told.json"
    assert await blocking(a.hear, other, 80, 1.0) is None


def solicit(guest: TapGuest) -> tuple[str, bytes]:
    """Ask who routes here, as a card does that has just come up: to whom the answer is addressed, and the answer."""

    def work() -> tuple[str, bytes]:
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as wire:
            wire.settimeout(5)
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            mac = bytes.fromhex(guest.mac.replace(":", ""))
            wire.sendto(bytes([133]) + bytes(7) + b"\1\1" + mac, ("ff02::2", 0, 0, socket.if_nametoindex("eth0")))
            while True:
                message, more, _, _ = wire.recvmsg(1500, 256)
                [to] = [data[:16] for _, kind, data in more if kind == socket.IPV6_PKTINFO]
                if message[0] == 134 and to[0] != 0xFF:
                    return socket.inet_ntop(socket.AF_INET6, to), message

    return guest.inside(work)


async def test_whoever_asks_for_a_router_is_answered_alone_and_at_once(lab: Lab) -> None:
    one, two = a_network(1, "fd00:1::", "slaac"), a_network(2, "fd00:2::", "slaac")
    for network in (one, two):
        await lab.fabric.ensure_network(network)
    await lab.fabric.ensure_router(a_router(3, {31: (one, "slaac"), 32: (two, "slaac")}))
    for number, network, prefix in ((11, one, "fd00:1::"), (12, two, "fd00:2::")):
        guest = await lab.guest(a_port(number, network, made_of(prefix, a_mac(number))), dhcp=False)
        own = link_local(guest.mac)
        await has(guest, own)
        for _ in range(2):
            to, told = await blocking(solicit, guest)
            assert to == own
            assert socket.inet_pton(socket.AF_INET6, prefix) in told, "the prefix of its own network"
            assert bytes.fromhex(a_mac(30 + number - 10).replace(":", "")) in told, "the router's card there"


async def test_addresses_come_by_dhcpv6_and_options_alone_too(lab: Lab) -> None:
    stateful = a_network(1, "fd00:1::", "dhcpv6-stateful", {11: "fd00:1::11", 12: "fd00:1::12"})
    stateless = a_network(2, "fd00:2::", "dhcpv6-stateless")
    for network in (stateful, stateless):
        await lab.fabric.ensure_network(network)
    managed = {31: (stateful, "dhcpv6-stateful"), 32: (stateless, "dhcpv6-stateless")}
    await lab.fabric.ensure_router(a_router(3, managed))
    a = await lab.guest(a_port(11, stateful, "fd00:1::11"), dhcp=False)
    got = await blocking(a.inside, lambda: dhcp6.ask(a_mac(11), for_address=True))
    assert got is not None
    assert got.address == "fd00:1::11"
    assert dhcp6.addresses_in(got.options[dhcp6.DNS_SERVERS]) == ["fd00:1::53"]
    own = made_of("fd00:2::", a_mac(12))
    b = await lab.guest(a_port(12, stateless, own), dhcp=False)
    await has(b, own)
    got = await blocking(b.inside, lambda: dhcp6.ask(a_mac(12), for_address=False))
    assert got is not None
    assert got.address is None
    assert dhcp6.addresses_in(got.options[dhcp6.DNS_SERVERS]) == ["fd00:2::53"]
    await blocking(a.ip, "address add fd00:1::11/64 dev eth0 nodad")
    await serves(b)
    assert await blocking(a.hear, own, 80) == b"fd00:1::11 here", "the router told a stateful card of itself as well"
    pids = {note["pid"] for note in lab.recording.facts("dnsmasq")}
    await lab.fabric.ensure_network(stateful)
    assert {note["pid"] for note in lab.recording.facts("dnsmasq")} == pids, "a lease in use is no stranger's"


async def test_neighbours_cannot_be_lied_to(lab: Lab) -> None:
    network = a_network(1, "fd00:1::", None)
    await lab.fabric.ensure_network(network)
    liar = await lab.guest(a_port(11, network, "fd00:1::11"), dhcp=False)
    victim = await lab.guest(a_port(12, network, "fd00:1::12"), dhcp=False)
    for guest, address in ((liar, "fd00:1::11"), (victim, "fd00:1::12")):
        await blocking(guest.ip, f"address add {address}/64 dev eth0 nodad")
    source = link_local(liar.mac)
    await has(liar, source)

    def advertise(what: int, body: bytes) -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as wire:
            index = socket.if_nametoindex("eth0")
            wire.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            wire.sendto(bytes([what, 0, 0, 0]) + body, ("ff02::1", 0, 0, index))

    def lie() -> None:
        mac = bytes.fromhex(liar.mac.replace(":", ""))
        advertise(134, struct.pack("!BBHII", 64, 0, 1800, 0, 0) + b"\1\1" + mac)
        for address in ("fd00:1::1", "fd00:1::11"):
            advertise(136, struct.pack("!I", 0x20000000) + socket.inet_pton(socket.AF_INET6, address) + b"\2\1" + mac)

    def open_ear() -> socket.socket:
        wire = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        wire.settimeout(20)
        return wire

    with await blocking(victim.inside, open_ear) as ear:
        await blocking(liar.inside, lie)
        told = []
        while not told or told[-1] != "fd00:1::11":
            message = await blocking(ear.recv, 1500)
            assert message[0] != 134, "a guest's router advertisement arrived"
            if message[0] == 136:
                told.append(socket.inet_ntop(socket.AF_INET6, message[8:24]))
    assert "fd00:1::1" not in told


async def test_guests_cannot_serve_dhcpv6(lab: Lab) -> None:
    network = a_network(1, "fd00:1::", None)
    await lab.fabric.ensure_network(network)
    rogue = await lab.guest(a_port(11, network, "fd00:1::11"), dhcp=False)
    victim = await lab.guest(a_port(12, network, "fd00:1::12"), dhcp=False)
    for guest, address in ((rogue, "fd00:1::11"), (victim, "fd00:1::12")):
        await blocking(guest.ip, f"address add {address}/64 dev eth0 nodad")

    def ear() -> socket.socket:
        line = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        line.bind(("::", 546))
        line.settimeout(20)
        return line

    def offer() -> None:
        for source in (547, 1547):
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out:
                out.bind(("fd00:1::11", source))
                out.sendto(str(source).encode(), ("fd00:1::12", 546))

    with await blocking(victim.inside, ear) as line:
        await blocking(rogue.inside, offer)
        assert await blocking(line.recv, 100) == b"1547"


async def test_the_way_out_and_extra_routes_lead_over_ipv6(lab: Lab) -> None:
    inner, outer = a_network(1, "fd00:1::", "slaac"), a_network(2, "fd00:ff::", None)
    for network in (inner, outer):
        await lab.fabric.ensure_network(network)
    gateway = RouterPort(id=an_id(39), network_id=outer.id, mac=a_mac(39), addresses=["fd00:ff::10/64"])
    router = a_router(3, {31: (inner, "slaac")}, gateway=gateway, next_hops=["fd00:ff::1"])
    await lab.fabric.ensure_router(router)
    mine = made_of("fd00:1::", a_mac(11))
    a = await lab.guest(a_port(11, inner, mine), dhcp=False)
    world = await lab.guest(a_port(12, outer, "fd00:ff::1", port_security=False), dhcp=False)
    await blocking(
        world.ip,
        *("address add fd00:ff::1/64 dev eth0 nodad", "address add fd00:99::1/128 dev lo nodad"),
        *("address add fd00:98::1/128 dev lo nodad", "route add fd00:1::/64 via fd00:ff::10"),
    )
    await has(a, mine)
    await serves(world)
    assert await blocking(a.hear, "fd00:99::1", 80) == f"{mine} here".encode(), "IPv6 is routed, not translated"
    router = msgspec.structs.replace(router, next_hops=[], routes=[("fd00:98::/64", "fd00:ff::1")])
    await lab.fabric.ensure_router(router)
    assert await blocking(a.hear, "fd00:98::1", 80) == f"{mine} here".encode()
    assert await blocking(a.hear, "fd00:99::1", 80, 1.0) is None
