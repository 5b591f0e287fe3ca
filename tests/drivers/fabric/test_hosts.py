"""Several hosts of one process: bridges of their own, one network; filtered where the guests are, and free to move; root and rootless."""

import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from minicloud.drivers.fabric import Group, Port, Rule, TapPlug
from minicloud.drivers.fabric.linux import LinuxFabric, LinuxHostFabric
from minicloud.drivers.fabric.linux.names import bridge_mac
from minicloud.drivers.hypervisor.qemu.plugs import open_tap
from tests.support.fabrics import (
    a_cloud_id,
    a_network,
    a_port,
    a_router,
    blocking,
    eventually,
    tell_caller,
)
from tests.support.tapguests import TapGuest, leftovers

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.linux,
    pytest.mark.skipif(os.geteuid() != 0, reason="the stand-in guests of these tests need root"),
]

OUT = Rule(ingress=False, version=4)
WEB = Rule(ingress=True, version=4, protocol=6, first=80, last=80)
GROUPS = [Group(id="open", rules=[OUT]), Group(id="web", rules=[OUT, WEB])]
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
NETWORK = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"}, groups=GROUPS)
ONE, TWO = a_port(11, NETWORK, "10.0.0.11", groups=["open"]), a_port(12, NETWORK, "10.0.0.12", groups=["web"])


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


class Hosts:
    """Two hosts, and the guests on them."""

    def __init__(self, folder: Path, rootless: bool) -> None:
        self.folder = folder
        self.centre = LinuxFabric(a_cloud_id(), folder, rootless=rootless)
        self.hosts = [LinuxHostFabric(name, self.centre, folder / "hosts" / name) for name in ("east", "west")]
        self.guests: list[TapGuest] = []

    async def guest(self, host: LinuxHostFabric, port: Port, mtu: int = 1450) -> TapGuest:
        plug = await host.ensure_port(port)
        assert isinstance(plug, TapPlug)
        guest = await blocking(TapGuest, await open_tap(plug), port.mac, mtu)
        self.guests.append(guest)
        offer = await blocking(guest.dhcp)
        assert offer is not None
        assert offer.address == port.addresses[0]
        await blocking(guest.use, offer)
        return guest


@pytest.fixture(params=["root", "rootless"])
async def hosts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hosts]:
    hosts = Hosts(tmp_path, request.param == "rootless")
    for host in hosts.hosts:
        await host.open(tell_caller)
        await host.ensure_network(NETWORK)
    yield hosts
    with anyio.CancelScope(shield=True):
        for guest in hosts.guests:
            await blocking(guest.close)
        await hosts.hosts[0].purge()
        for host in hosts.hosts:
            await host.close()
    assert leftovers(a_cloud_id(), tmp_path) == []


async def test_guests_of_two_hosts_are_neighbours_and_filtered_where_they_are(hosts: Hosts) -> None:
    east, west = hosts.hosts
    one, two = await hosts.guest(east, ONE), await hosts.guest(west, TWO)
    for port in (80, 81):
        await blocking(two.serve, port, b"here")
    await blocking(one.serve, 80, b"there")
    assert await blocking(one.hear, "10.0.0.12", 80) == b"10.0.0.11 here"
    assert await blocking(one.hear, "10.0.0.12", 81, 1.0) is None
    assert await blocking(two.hear, "10.0.0.11", 80, 1.0) is None
    assert await blocking(two.http, "/") == (200, f"{NETWORK.id} None 10.0.0.12".encode())
    assert [(await host.facts()).ports for host in hosts.hosts] == [[ONE.id], [TWO.id]]

    other = a_network(2, "10.0.2", leases={13: "10.0.2.13"})
    await east.ensure_network(other)
    await east.ensure_router(a_router(3, {31: (NETWORK, "10.0.0.1/24"), 32: (other, "10.0.2.1/24")}))
    three = await hosts.guest(east, a_port(13, other, "10.0.2.13"))
    assert await blocking(three.hear, "10.0.0.12", 80) == b"10.0.2.13 here"
    assert [(await host.facts()).networks for host in hosts.hosts] == [[NETWORK.id, other.id], [NETWORK.id]]

    for host in hosts.hosts:
        await host.ensure_network(NETWORK)
    assert await blocking(one.hear, "10.0.0.12", 80) == b"10.0.0.11 here"
    await west.ensure_no_port(TWO.id)
    assert [(await host.facts()).ports for host in hosts.hosts] == [[ONE.id, a_port(13, other).id], []]


async def test_the_network_itself_reaches_guests_whatever_their_groups_say_and_nobody_poses_as_it(hosts: Hosts) -> None:
    east, west = hosts.hosts
    port = msgspec.structs.replace(TWO, groups=["open"])
    two = await hosts.guest(west, port)
    await blocking(two.serve, 80, b"here")
    liar = await hosts.guest(east, msgspec.structs.replace(ONE, port_security=False, groups=None))
    assert await blocking(liar.hear, "10.0.0.12", 80, 1.0) is None
    argv = await west.reach(port, 80)
    assert (await anyio.run_process(argv)).stdout == b"10.0.0.2 here"
    posing = f"link set dev eth0 address {bridge_mac(NETWORK.id)}"
    await blocking(liar.ip, posing, f"neighbour replace 10.0.0.12 dev eth0 lladdr {TWO.mac}")
    assert await blocking(liar.hear, "10.0.0.12", 80, 1.0) is None


async def test_a_port_is_wired_on_two_hosts_while_its_machine_moves(hosts: Hosts) -> None:
    east, west = hosts.hosts
    one, two = await hosts.guest(east, ONE), await hosts.guest(west, TWO)
    await blocking(two.serve, 80, b"before")
    assert await blocking(one.hear, "10.0.0.12", 80) == b"10.0.0.11 before"
    plug = await east.ensure_port(TWO)
    assert isinstance(plug, TapPlug)
    assert await blocking(one.hear, "10.0.0.12", 80) == b"10.0.0.11 before", "the new place waits in silence"
    moved = await blocking(TapGuest, await open_tap(plug), TWO.mac)
    hosts.guests.append(moved)
    await blocking(moved.ip, "address add 10.0.0.12/24 dev eth0")
    await blocking(moved.serve, 80, b"after")
    await west.ensure_no_port(TWO.id)
    await blocking(moved.inside, lambda: _tell_of(TWO.mac))
    assert await blocking(one.hear, "10.0.0.12", 80) == b"10.0.0.11 after"


def _tell_of(mac: str) -> None:
    """What QEMU sends when a machine goes on at its new place: a reverse ARP request."""
    own = bytes.fromhex(mac.replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("eth0", 0))
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 3) + own + bytes(4) + own + bytes(4)
        wire.send(b"\xff" * 6 + own + b"\x80\x35" + body)


async def hears_again(guest: TapGuest) -> None:
    """The neighbour answers once the guest has asked anew where it is, which it does not do while an older question is open."""

    async def heard() -> bool:
        return await blocking(guest.hear, "10.0.0.12", 80) == b"10.0.0.11 here"

    await eventually(heard, 40)


async def test_a_hosts_part_is_mended_and_found_again(hosts: Hosts) -> None:
    east, west = hosts.hosts
    one, two = await hosts.guest(east, ONE), await hosts.guest(west, TWO)
    await blocking(two.serve, 80, b"here")
    room = hosts.centre.room
    [namespace] = [n for n in room.namespaces() if n.endswith("@west")]
    await room.ip(namespace, ["link delete dev up0"])
    assert await blocking(one.hear, "10.0.0.12", 80, 1.0) is None
    await west.ensure_network(NETWORK)
    await hears_again(one)
    await room.ip(namespace, ["link delete dev br0"])
    await west.ensure_network(NETWORK)
    await hears_again(one)
    for host in hosts.hosts:
        await host.close()
    hosts.centre = LinuxFabric(a_cloud_id(), hosts.folder, rootless=room.rootless)
    hosts.hosts = [LinuxHostFabric(n, hosts.centre, hosts.folder / "hosts" / n) for n in ("east", "west")]
    for host in hosts.hosts:
        await host.open(tell_caller)
    assert [(await host.facts()).ports for host in hosts.hosts] == [[ONE.id], [TWO.id]]
    changed = msgspec.structs.replace(NETWORK, groups=[GROUPS[0], Group(id="web", rules=[OUT])])
    for host in hosts.hosts:
        await host.ensure_network(changed)
    assert await blocking(one.hear, "10.0.0.12", 80, 1.0) is None


def ping(guest: TapGuest, address: str, size: int) -> bool:
    """Whether an IP packet of so many bytes comes back whole, and was not cut on the way."""

    def work() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as wire:
            wire.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
            wire.settimeout(5)
            message = bytes([8, 0, 0, 0]) + struct.pack("!HH", os.getpid() & 0xFFFF, size) + b"x" * (size - 28)
            sums = sum(struct.unpack(f"!{len(message) // 2}H", message[: len(message) // 2 * 2]))
            sums += (message[-1] << 8) * (len(message) % 2)
            sums = (sums & 0xFFFF) + (sums >> 16)
            message = message[:2] + struct.pack("!H", ~(sums + (sums >> 16)) & 0xFFFF) + message[4:]
            try:
                wire.sendto(message, (address, 0))
                while True:
                    answer, (source, _) = wire.recvfrom(65535)
                    if source == address and answer[20:21] == b"\0" and answer[24:] == message[4:]:
                        return True
            except OSError:
                return False

    return guest.inside(work)


@pytest.mark.parametrize("mtu", [1500, 1450])
async def test_packets_as_long_as_the_network_says_pass_from_host_to_host_and_through_routers(
    hosts: Hosts, mtu: int
) -> None:
    east, west = hosts.hosts
    network = msgspec.structs.replace(NETWORK, mtu=mtu)
    other = a_network(2, "10.0.2", leases={13: "10.0.2.13"}, mtu=mtu)
    for host in hosts.hosts:
        await host.ensure_network(network)
    await east.ensure_network(other)
    await east.ensure_router(a_router(3, {31: (network, "10.0.0.1/24"), 32: (other, "10.0.2.1/24")}))
    one, two, three = [
        await hosts.guest(host, msgspec.structs.replace(port, mtu=mtu, groups=None), mtu=mtu)
        for host, port in ((east, ONE), (west, TWO), (east, a_port(13, other, "10.0.2.13")))
    ]
    assert await blocking(ping, one, "10.0.0.12", mtu), "to the neighbour on the other host"
    assert await blocking(ping, two, "10.0.0.11", mtu)
    assert await blocking(ping, two, "10.0.0.2", mtu), "to the network's own address"
    assert await blocking(ping, two, "10.0.2.13", mtu), "through the router to another network"
    assert await blocking(ping, three, "10.0.0.12", mtu)
    # A card that its guest made wider than its network loses what is longer.
    await blocking(one.ip, "link set dev eth0 mtu 1600")
    assert not await blocking(ping, one, "10.0.0.12", mtu + 1)
