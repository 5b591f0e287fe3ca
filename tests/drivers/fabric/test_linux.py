"""Real networks: what guests on taps get, reach and may not do; each story as root and in a user namespace."""

import os
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from minicloud.base.errors import Unavailable
from minicloud.drivers.fabric import Subnet
from tests.support.fabrics import (
    Lab,
    a_gateway,
    a_lab,
    a_mac,
    a_network,
    a_port,
    a_router,
    an_external_network,
    blocking,
    eventually,
)
from tests.support.tapguests import TapGuest, hear

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


async def test_dhcp_tells_all_that_a_guest_needs(lab: Lab) -> None:
    network = a_network(
        1, leases={11: "10.0.0.11"}, subnet={"dns_servers": ["9.9.9.9"], "host_routes": [("10.9.0.0/16", "10.0.0.7")]}
    )
    network = msgspec.structs.replace(network, mtu=1400)
    await lab.fabric.ensure_network(network)
    guest = await lab.guest(a_port(11, network, "10.0.0.11"), dhcp=False)
    offer = await blocking(guest.dhcp)
    assert offer is not None
    assert (offer.address, offer.prefix(), offer.server) == ("10.0.0.11", 24, "10.0.0.2")
    assert offer.addresses(3) == ["10.0.0.1"]
    assert offer.addresses(6) == ["9.9.9.9"]
    assert offer.options[26] == struct.pack("!H", 1400)
    assert offer.options[12] == b"host-10-0-0-11"
    assert offer.routes() == [
        ("10.9.0.0/16", "10.0.0.7"),
        ("169.254.169.254/32", "10.0.0.2"),
        ("0.0.0.0/0", "10.0.0.1"),
    ]


async def test_an_isolated_network_has_metadata_and_no_router(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11"}, subnet={"gateway": None})
    await lab.fabric.ensure_network(network)
    guest = await lab.guest(a_port(11, network, "10.0.0.11"), dhcp=False)
    offer = await blocking(guest.dhcp)
    assert offer is not None
    assert 3 not in offer.options
    assert offer.routes() == [("169.254.169.254/32", "10.0.0.2")]
    await blocking(guest.use, offer)
    assert await blocking(guest.http, "/") == (200, f"{network.id} None 10.0.0.11".encode())


async def test_names_are_refused_at_once(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11"})
    await lab.fabric.ensure_network(network)
    guest = await lab.guest(a_port(11, network, "10.0.0.11"), dhcp=False)
    offer = await blocking(guest.dhcp)
    assert offer is not None
    assert offer.addresses(6) == ["10.0.0.2"]
    await blocking(guest.use, offer)

    def ask() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(10)
            line.sendto(bytes.fromhex("123401000001000000000000076578616d706c6503636f6d0000010001"), ("10.0.0.2", 53))
            return line.recv(512)

    answer = await blocking(guest.inside, ask)
    assert answer[3] & 15 == 5  # REFUSED


async def test_a_lease_added_later_is_served(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11"})
    await lab.fabric.ensure_network(network)
    first = await lab.guest(a_port(11, network, "10.0.0.11"))
    second = await lab.guest(a_port(12, network, "10.0.0.12"), dhcp=False)
    assert await blocking(second.dhcp, 1.0) is None
    pids = {note["pid"] for note in lab.recording.facts("dnsmasq")}
    await lab.fabric.ensure_network(a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"}))
    offer = await blocking(second.dhcp)
    assert offer is not None
    assert offer.address == "10.0.0.12"
    assert {note["pid"] for note in lab.recording.facts("dnsmasq")} == pids
    assert lab.recording.facts("dnsmasq")[-1]["did"] == "re-read hosts"
    await blocking(first.serve, 80, b"here")
    await blocking(second.use, offer)
    assert await blocking(second.hear, "10.0.0.11", 80) == b"10.0.0.12 here"


async def test_an_address_that_changes_hands_is_served_to_its_new_owner(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11"})
    await lab.fabric.ensure_network(network)
    await lab.guest(a_port(11, network, "10.0.0.11"))
    await lab.close_guests()
    await lab.fabric.ensure_no_port(a_port(11, network).id)
    await lab.fabric.ensure_network(a_network(1, leases={12: "10.0.0.11"}))
    await lab.guest(a_port(12, network, "10.0.0.11"))


async def test_two_subnets_of_a_network_are_both_served(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.7.12"})
    network = msgspec.structs.replace(
        network,
        subnets=[*network.subnets, Subnet(id="s7", cidr="10.0.7.0/24", gateway="10.0.7.1", dhcp_address="10.0.7.2")],
    )
    await lab.fabric.ensure_network(network)
    first = await lab.guest(a_port(11, network, "10.0.0.11"))
    second = await lab.guest(a_port(12, network, "10.0.7.12"))
    assert await blocking(first.http, "/") == (200, f"{network.id} None 10.0.0.11".encode())
    assert await blocking(second.http, "/") == (200, f"{network.id} None 10.0.7.12".encode())


async def test_a_subnet_without_an_address_to_serve_from_is_left_out_and_said_so(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11"})
    bare = Subnet(id="s2", cidr="10.9.0.0/24", gateway="10.9.0.1")
    await lab.fabric.ensure_network(msgspec.structs.replace(network, subnets=[bare, *network.subnets]))
    await lab.guest(a_port(11, network, "10.0.0.11"))
    assert any("10.9.0.0/24" in note["what"] for note in lab.recording.facts("fabric_skipped"))


async def test_networks_of_the_same_addresses_do_not_meet(lab: Lab) -> None:
    one, other = a_network(1, leases={11: "10.0.0.11"}), a_network(2, leases={12: "10.0.0.12", 13: "10.0.0.13"})
    await lab.fabric.ensure_network(one)
    await lab.fabric.ensure_network(other)
    alone = await lab.guest(a_port(11, one, "10.0.0.11"))
    server = await lab.guest(a_port(12, other, "10.0.0.12"))
    neighbour = await lab.guest(a_port(13, other, "10.0.0.13"))
    await blocking(server.serve, 80, b"here")
    assert await blocking(neighbour.hear, "10.0.0.12", 80) == b"10.0.0.13 here"
    assert await blocking(alone.hear, "10.0.0.12", 80, 1.0) is None


async def _watch(guest: TapGuest, port: int) -> Any:
    """A datagram socket in the guest."""

    def work() -> socket.socket:
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line.bind(("0.0.0.0", port))
        line.settimeout(20)
        return line

    return await blocking(guest.inside, work)


async def test_spoofed_frames_do_not_arrive(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"})
    await lab.fabric.ensure_network(network)
    liar = await lab.guest(a_port(11, network, "10.0.0.11"))
    victim = await lab.guest(a_port(12, network, "10.0.0.12"))
    line = await _watch(victim, 5000)
    await blocking(
        liar.ip, "address add 10.0.0.99/24 dev eth0", "neighbour replace 10.0.0.12 dev eth0 lladdr " + victim.mac
    )

    def lie() -> None:
        for source in ("10.0.0.99", "10.0.0.11"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                out.bind((source, 0))
                out.sendto(source.encode(), ("10.0.0.12", 5000))

    def arp(sender_mac: bytes, frame_mac: bytes, sender: str) -> bytes:
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + sender_mac + socket.inet_aton(sender)
        return b"\xff" * 6 + frame_mac + b"\x08\x06" + body + b"\xff" * 6 + socket.inet_aton("10.0.0.12")

    def lie_by_arp() -> None:
        mine, other = bytes.fromhex(liar.mac.replace(":", "")), bytes.fromhex("fa163effffff")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("eth0", 0))
            wire.send(arp(mine, mine, "10.0.0.1"))  # another's address
            wire.send(arp(other, mine, "10.0.0.11"))  # another's card, inside
            wire.send(arp(other, other, "10.0.0.11"))  # another's card, outside
            wire.send(arp(mine, mine, "10.0.0.11"))  # the truth

    def datagram(frame_mac: bytes, words: bytes) -> bytes:
        udp = struct.pack("!HHHH", 4000, 5000, 8 + len(words), 0) + words
        ends = socket.inet_aton("10.0.0.11") + socket.inet_aton("10.0.0.12")
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + ends
        total = sum(struct.unpack("!10H", head))
        total = (total & 0xFFFF) + (total >> 16)
        head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
        return bytes.fromhex(victim.mac.replace(":", "")) + frame_mac + b"\x08\x00" + head + udp

    def lie_by_card() -> None:
        mine, other = bytes.fromhex(liar.mac.replace(":", "")), bytes.fromhex("fa163effffff")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("eth0", 0))
            wire.send(datagram(other, b"another's card"))
            wire.send(datagram(mine, b"its own card"))

    def open_ear() -> socket.socket:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        wire.bind(("eth0", 0x0806))
        wire.settimeout(20)
        return wire

    with line, await blocking(victim.inside, open_ear) as ear:
        await blocking(liar.inside, lie)
        assert await blocking(line.recv, 100) == b"10.0.0.11"
        await blocking(liar.inside, lie_by_card)
        assert await blocking(line.recv, 100) == b"its own card"
        await blocking(liar.inside, lie_by_arp)
        seen = b""
        while seen[20:22] != b"\0\2" or seen[6:12].hex() == victim.mac.replace(":", ""):
            seen = await blocking(ear.recv, 100)
        assert seen[28:32] == socket.inet_aton("10.0.0.11")
        assert seen[22:28].hex() == liar.mac.replace(":", "")


async def test_guests_cannot_serve_dhcp(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"})
    await lab.fabric.ensure_network(network)
    rogue = await lab.guest(a_port(11, network, "10.0.0.11"))
    victim = await lab.guest(a_port(12, network, "10.0.0.12"))
    line = await _watch(victim, 68)

    def offer() -> None:
        for source in (67, 1067):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                out.bind(("10.0.0.11", source))
                out.sendto(str(source).encode(), ("10.0.0.12", 68))

    with line:
        await blocking(rogue.inside, offer)
        assert await blocking(line.recv, 100) == b"1067"


async def test_allowed_pairs_and_open_ports_may_send_more(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12", 13: "10.0.0.13"})
    await lab.fabric.ensure_network(network)
    paired = await lab.guest(a_port(11, network, "10.0.0.11", allowed_pairs=[("10.0.0.96/28", a_mac(11))]))
    opened = await lab.guest(a_port(12, network, "10.0.0.12", port_security=False))
    server = await lab.guest(a_port(13, network, "10.0.0.13"))
    await blocking(server.serve, 80, b"here")
    for guest, address in ((paired, "10.0.0.99"), (opened, "10.0.0.200")):
        await blocking(guest.ip, f"address add {address}/24 dev eth0")
        said = await blocking(guest.hear, "10.0.0.13", 80, 20.0, address)
        assert said == f"{address} here".encode()


async def test_a_port_that_is_down_carries_nothing_until_it_is_up_again(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"})
    await lab.fabric.ensure_network(network)
    port = a_port(11, network, "10.0.0.11")
    server, client = await lab.guest(port), await lab.guest(a_port(12, network, "10.0.0.12"))
    await blocking(server.serve, 80, b"here")
    await lab.fabric.ensure_port(msgspec.structs.replace(port, up=False))
    await lab.fabric.ensure_network(network)
    assert await blocking(client.hear, "10.0.0.11", 80, 1.0) is None
    await lab.fabric.ensure_port(port)
    assert await blocking(client.hear, "10.0.0.11", 80) == b"10.0.0.12 here"


async def test_a_router_joins_networks_and_answers_metadata(lab: Lab) -> None:
    one, two = a_network(1, leases={11: "10.0.0.11"}), a_network(2, "10.0.2", leases={12: "10.0.2.12"})
    await lab.fabric.ensure_network(one)
    await lab.fabric.ensure_network(two)
    router = a_router(3, {31: (one, "10.0.0.1/24"), 32: (two, "10.0.2.1/24")})
    await lab.fabric.ensure_router(router)
    client = await lab.guest(a_port(11, one, "10.0.0.11"))
    server = await lab.guest(a_port(12, two, "10.0.2.12"))
    await blocking(server.serve, 80, b"here")
    assert await blocking(client.hear, "10.0.2.12", 80) == b"10.0.0.11 here"
    await blocking(client.ip, "route delete 169.254.169.254/32")
    assert await blocking(client.http, "/") == (200, f"None {router.id} 10.0.0.11".encode())
    await lab.fabric.ensure_router(a_router(3, {31: (one, "10.0.0.1/24")}))
    assert await blocking(client.hear, "10.0.2.12", 80, 1.0) is None
    await lab.fabric.ensure_no_router(router.id)
    assert (await lab.fabric.facts()).routers == []


async def test_extra_routes_come_and_go(lab: Lab) -> None:
    one, two = a_network(1, leases={11: "10.0.0.11"}), a_network(2, "10.0.2", leases={12: "10.0.2.12"})
    await lab.fabric.ensure_network(one)
    await lab.fabric.ensure_network(two)
    bare = a_router(3, {31: (one, "10.0.0.1/24"), 32: (two, "10.0.2.1/24")})
    client = await lab.guest(a_port(11, one, "10.0.0.11"))
    behind = await lab.guest(a_port(12, two, "10.0.2.12", allowed_pairs=[("172.20.0.0/24", a_mac(12))]))
    await blocking(behind.ip, "address add 172.20.0.9/32 dev eth0")
    await blocking(behind.serve, 80, b"here")
    await lab.fabric.ensure_router(bare)
    assert await blocking(client.hear, "172.20.0.9", 80, 1.0) is None
    routes = [("172.20.0.0/24", "10.0.2.12"), ("172.21.0.5/32", "10.0.2.12"), ("172.22.0.0/24", "192.0.2.1")]
    for _ in range(2):
        await lab.fabric.ensure_router(msgspec.structs.replace(bare, routes=routes))
        assert await blocking(client.hear, "172.20.0.9", 80) == b"10.0.0.11 here"
    found = await lab.fabric._room.routes(lab.router_namespace(bare))
    assert sorted(found) == ["10.0.0.0/24", "10.0.2.0/24", "172.20.0.0/24", "172.21.0.5"]
    await lab.fabric.ensure_router(bare)
    assert sorted(await lab.fabric._room.routes(lab.router_namespace(bare))) == ["10.0.0.0/24", "10.0.2.0/24"]
    assert await blocking(client.hear, "172.20.0.9", 80, 1.0) is None


async def test_floating_addresses_come_and_go(lab: Lab) -> None:
    inner, outer = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"}), an_external_network(2)
    await lab.fabric.ensure_network(inner)
    await lab.fabric.ensure_network(outer)
    gateway = a_gateway(41, outer, "203.0.113.10/24")
    bare = a_router(4, {31: (inner, "10.0.0.1/24")}, gateway=gateway, next_hops=["203.0.113.1"])
    await lab.fabric.ensure_router(bare)
    server = await lab.guest(a_port(11, inner, "10.0.0.11"))
    client = await lab.guest(a_port(12, inner, "10.0.0.12"))
    outside = await lab.guest(a_port(21, outer, "203.0.113.21"), dhcp=False)
    await blocking(outside.ip, "address add 203.0.113.21/24 dev eth0")
    for guest in (server, outside):
        await blocking(guest.serve, 80, b"here")
    assert await blocking(server.hear, "203.0.113.21", 80) == b"203.0.113.10 here"

    floating = msgspec.structs.replace(bare, floating={"203.0.113.50": "10.0.0.11"})
    await lab.fabric.ensure_router(floating)
    assert await blocking(outside.hear, "203.0.113.50", 80) == b"203.0.113.21 here"
    assert await blocking(server.hear, "203.0.113.21", 80) == b"203.0.113.50 here"
    assert await blocking(client.hear, "203.0.113.21", 80) == b"203.0.113.10 here"
    # A neighbour by the floating address: there and back by the router.
    assert await blocking(client.hear, "203.0.113.50", 80) == b"10.0.0.1 here"

    listener = await blocking(server.inside, lambda: socket.create_server(("0.0.0.0", 81)))
    with listener, await blocking(outside.inside, lambda: socket.create_connection(("203.0.113.50", 81), 20)) as there:
        here, _ = await blocking(listener.accept)
        with here:
            here.settimeout(2)
            await blocking(there.sendall, b"one")
            assert await blocking(here.recv, 10) == b"one"
            await lab.fabric.ensure_router(bare)
            await blocking(there.sendall, b"two")
            with pytest.raises(TimeoutError):
                await blocking(here.recv, 10)
    assert await blocking(outside.hear, "203.0.113.50", 80, 1.0) is None
    assert await blocking(server.hear, "203.0.113.21", 80) == b"203.0.113.10 here"
    await lab.fabric.ensure_router(msgspec.structs.replace(bare, snat=False))
    assert await blocking(client.hear, "203.0.113.21", 80, 1.0) is None
    await lab.fabric.ensure_router(msgspec.structs.replace(bare, gateway=None, next_hops=[]))
    assert await blocking(client.hear, "203.0.113.21", 80, 1.0) is None


async def test_metadata_does_not_answer_the_outside(lab: Lab) -> None:
    inner, outer = a_network(1), an_external_network(2)
    await lab.fabric.ensure_network(inner)
    await lab.fabric.ensure_network(outer)
    gateway = a_gateway(41, outer, "203.0.113.10/24")
    await lab.fabric.ensure_router(a_router(4, {31: (inner, "10.0.0.1/24")}, gateway=gateway))
    outside = await lab.guest(a_port(21, outer, "203.0.113.21"), dhcp=False)
    await blocking(
        outside.ip, "address add 203.0.113.21/24 dev eth0", "route add 169.254.169.254/32 via 203.0.113.10 dev eth0"
    )
    assert await blocking(outside.hear, "169.254.169.254", 80, 1.0) is None


async def test_reach_joins_stdio_to_a_guest(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11"})
    await lab.fabric.ensure_network(network)
    port = a_port(11, network, "10.0.0.11")
    guest = await lab.guest(port)
    await blocking(guest.serve, 22, b"SSH-2.0-here")
    done = await anyio.run_process(await lab.fabric.reach(port, 22), input=b"")
    assert done.stdout == b"10.0.0.2 SSH-2.0-here"
    done = await anyio.run_process(await lab.fabric.reach(port, 23), input=b"", check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"cannot reach 10.0.0.11 23" in done.stderr


async def test_reach_goes_by_the_router_where_dhcp_is_off(lab: Lab) -> None:
    network = a_network(1, subnet={"dhcp": False, "dhcp_address": None})
    await lab.fabric.ensure_network(network)
    port = a_port(11, network, "10.0.0.11")
    guest = await lab.guest(port, dhcp=False)
    await blocking(guest.ip, "address add 10.0.0.11/24 dev eth0", "route add 169.254.0.0/16 dev eth0")
    assert await blocking(guest.http, "/") == (200, f"{network.id} None 10.0.0.11".encode())
    with pytest.raises(Unavailable):
        await lab.fabric.reach(port, 22)
    await lab.fabric.ensure_router(a_router(3, {31: (network, "10.0.0.1/24")}))
    await blocking(guest.serve, 22, b"SSH-2.0-here")
    done = await anyio.run_process(await lab.fabric.reach(port, 22), input=b"")
    assert done.stdout == b"10.0.0.1 SSH-2.0-here"


async def test_the_host_reaches_floating_addresses_unless_its_range_is_taken(tmp_path: Path) -> None:
    async with a_lab(tmp_path) as lab:
        inner, outer = a_network(1, leases={11: "10.0.0.11"}), an_external_network(2, "198.51.100")
        await lab.fabric.ensure_network(inner)
        await lab.fabric.ensure_network(outer)
        router = a_router(
            3,
            {31: (inner, "10.0.0.1/24")},
            gateway=a_gateway(41, outer, "198.51.100.10/24"),
            next_hops=["198.51.100.1"],
            floating={"198.51.100.50": "10.0.0.11"},
        )
        await lab.fabric.ensure_router(router)
        server = await lab.guest(a_port(11, inner, "10.0.0.11"))
        await blocking(server.serve, 80, b"here")
        assert await blocking(hear, "198.51.100.50", 80, 20.0) == b"198.51.100.1 here"
        # The same range again, as a second cloud would have it.
        second = an_external_network(5, "198.51.100")
        await lab.fabric.ensure_network(second)
        assert lab.recording.facts("host_leg")[-1]["did"] == "left out"
        await lab.fabric.ensure_network(outer)
        assert await blocking(hear, "198.51.100.50", 80, 20.0) == b"198.51.100.1 here"
        await lab.fabric.ensure_network(msgspec.structs.replace(outer, external=False))
        assert await blocking(hear, "198.51.100.50", 80, 1.0) is None
        await lab.fabric.ensure_network(second)
        assert lab.recording.facts("host_leg")[-1]["did"] == "built"


async def test_a_deleted_bridge_is_rebuilt_with_all_its_taps(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"})
    await lab.fabric.ensure_network(network)
    other = a_network(2, "10.0.2", leases={13: "10.0.2.13"})
    await lab.fabric.ensure_network(other)
    await lab.fabric.ensure_router(a_router(3, {31: (network, "10.0.0.1/24"), 32: (other, "10.0.2.1/24")}))
    one = await lab.guest(a_port(11, network, "10.0.0.11"))
    two = await lab.guest(a_port(12, network, "10.0.0.12"))
    far = await lab.guest(a_port(13, other, "10.0.2.13"))
    for guest in (two, far):
        await blocking(guest.serve, 80, b"here")
    room = lab.fabric._room
    await room.ip(lab.namespace(network), ["link delete dev br0"])
    assert await blocking(one.hear, "10.0.0.12", 80, 1.0) is None
    await lab.fabric.ensure_network(network)
    assert await blocking(one.hear, "10.0.0.12", 80) == b"10.0.0.11 here"
    assert await blocking(one.hear, "10.0.2.13", 80) == b"10.0.0.11 here"
    assert await blocking(one.http, "/") == (200, f"{network.id} None 10.0.0.11".encode())
    assert await blocking(one.dhcp) is not None


async def test_a_dead_dnsmasq_is_revived(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11"})
    await lab.fabric.ensure_network(network)
    guest = await lab.guest(a_port(11, network, "10.0.0.11"))
    first = lab.recording.facts("dnsmasq")[-1]["pid"]
    os.kill(first, 9)
    await lab.fabric.ensure_network(network)
    second = lab.recording.facts("dnsmasq")[-1]["pid"]
    assert second != first
    assert await blocking(guest.dhcp) is not None
    os.kill(second, 9)

    async def revived() -> bool:
        last = lab.recording.facts("dnsmasq")[-1]
        return bool(last["did"] == "started" and last["pid"] != second)

    await eventually(revived)
    assert await blocking(guest.dhcp) is not None


async def test_wishing_again_does_not_disturb_a_connection(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"})
    await lab.fabric.ensure_network(network)
    ports = [a_port(11, network, "10.0.0.11"), a_port(12, network, "10.0.0.12")]
    one, two = await lab.guest(ports[0]), await lab.guest(ports[1])
    listener = await blocking(two.inside, lambda: socket.create_server(("0.0.0.0", 81)))
    with listener, await blocking(one.inside, lambda: socket.create_connection(("10.0.0.12", 81), 20)) as there:
        here, _ = await blocking(listener.accept)
        with here:
            here.settimeout(20)
            for word in (b"one", b"two"):
                await blocking(there.sendall, word)
                assert await blocking(here.recv, 10) == word
                await lab.fabric.ensure_network(
                    a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12", 13: "10.0.0.13"})
                )
                for port in ports:
                    await lab.fabric.ensure_port(port)


async def test_a_half_made_namespace_is_made_anew(tmp_path: Path) -> None:
    async with a_lab(tmp_path) as lab:
        network = a_network(1, leases={11: "10.0.0.11"})
        namespace = lab.namespace(network)
        await anyio.run_process(["ip", "netns", "add", namespace])
        await anyio.run_process(["umount", f"/run/netns/{namespace}"])
        assert (await lab.fabric.facts()).networks == []
        await lab.fabric.ensure_network(network)
        await lab.guest(a_port(11, network, "10.0.0.11"))
