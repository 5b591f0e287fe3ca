"""What ``minicloud net trace`` says of a way, and what packets do on it, agree: the same wishes, judged and built."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from minicloud.core.network import paths, wished
from minicloud.core.network.verdicts import Packet, Picture
from minicloud.drivers.fabric import Network, Port, Router
from tests.support.fabrics import Lab, a_lab, a_mac, an_id, blocking

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.linux,
    pytest.mark.skipif(os.geteuid() != 0, reason="the stand-in guests of these tests need root"),
]


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with a_lab(tmp_path) as lab:
        yield lab


def a_rule(ingress: bool, protocol: int | None = None, port: int | None = None, **more: Any) -> wished.RuleWish:
    remote, members_of = more.get("remote"), more.get("members_of")
    return wished.RuleWish(
        ingress=ingress, version=4, protocol=protocol, first=port, last=port, remote=remote, members_of=members_of
    )


OPEN = wished.GroupWish(id="open", stateful=True, rules=[a_rule(False)])
WEB = wished.GroupWish(
    id="web", stateful=True, rules=[a_rule(False), a_rule(True, 6, 80), a_rule(True, 6, 81, members_of="friends")]
)
SHY = wished.GroupWish(id="shy", stateful=True, rules=[a_rule(False, 6, 80, remote="10.0.1.0/24"), a_rule(True)])
CARDS = {11: "10.0.0.11", 12: "10.0.0.12", 21: "10.0.1.21", 51: "203.0.113.51"}


def a_network(number: int, cidr: str, *, external: bool = False, dhcp: bool = True) -> wished.NetworkWish:
    subnet = wished.SubnetWish(
        id=f"s{number}",
        cidr=f"{cidr}.0/24",
        gateway=f"{cidr}.1",
        dhcp=dhcp,
        dhcp_address=f"{cidr}.2" if dhcp else None,
        dns_servers=[],
        host_routes=[],
        ipv6_mode=None,
    )
    leases = [
        wished.LeaseWish(mac=a_mac(n), address=address, hostname=f"host-{n}")
        for n, address in CARDS.items()
        if address.startswith(f"{cidr}.")
    ]
    return wished.NetworkWish(
        id=an_id(number),
        mtu=1450,
        external=external,
        subnets=[subnet],
        leases=leases if dhcp else [],
        groups=[OPEN, WEB, SHY],
        members={"friends": [CARDS[11]]},
    )


def a_card(number: int, network: wished.NetworkWish, group: str, **more: Any) -> wished.PortWish:
    values: dict[str, Any] = {"port_security": True, "allowed_pairs": [], "host": "one"} | more
    return wished.PortWish(
        id=an_id(number),
        network_id=network.id,
        mac=a_mac(number),
        mtu=1450,
        addresses=[CARDS[number]],
        machine_id="",
        groups=[group],
        **values,
    )


def an_end(number: int, network: wished.NetworkWish, address: str) -> wished.RouterPortWish:
    return wished.RouterPortWish(
        id=an_id(number), network_id=network.id, mac=a_mac(number), addresses=[address], adverts=[]
    )


ONE, TWO, OUT = a_network(1, "10.0.0"), a_network(2, "10.0.1"), a_network(5, "203.0.113", external=True, dhcp=False)
WAY = wished.RouterWish(
    id=an_id(3),
    interfaces=[an_end(31, ONE, "10.0.0.1/24"), an_end(32, TWO, "10.0.1.1/24")],
    gateway=an_end(33, OUT, "203.0.113.10/24"),
    next_hops=["203.0.113.1"],
    snat=True,
    floating={"203.0.113.60": CARDS[12]},
    forwards=[
        wished.ForwardWish(
            protocol="tcp", floating="203.0.113.61", first=8080, last=8081, fixed=CARDS[21], fixed_first=80
        )
    ],
    routes=[],
)
PICTURE = Picture(
    networks={network.id: network for network in (ONE, TWO, OUT)},
    routers=[WAY],
    cards=[
        a_card(11, ONE, "open"),
        a_card(12, ONE, "web"),
        a_card(21, TWO, "shy"),
        a_card(51, OUT, "open", port_security=False),
    ],
)
CALLS = [
    (11, CARDS[12], 80, True),
    (11, CARDS[12], 81, True),
    (21, CARDS[12], 81, False),
    (21, CARDS[12], 80, False),
    (11, CARDS[21], 80, True),
    (12, CARDS[11], 80, False),
    (11, CARDS[51], 80, True),
    (21, CARDS[51], 80, False),
    (11, "203.0.113.60", 80, True),
    (51, "203.0.113.60", 80, True),
    (51, "203.0.113.60", 81, False),
    (51, "203.0.113.61", 8080, True),
    (51, "203.0.113.61", 8082, False),
    (51, "203.0.113.62", 80, False),
    (11, "10.0.0.99", 80, False),
]
"""Who calls which address and port, and whether it arrives."""


async def test_what_is_said_of_a_way_is_what_packets_find(lab: Lab) -> None:
    for network in PICTURE.networks.values():
        await lab.fabric.ensure_network(msgspec.convert(network, Network, from_attributes=True))
    await lab.fabric.ensure_router(msgspec.convert(WAY, Router, from_attributes=True))
    guests = {}
    for card in PICTURE.cards:
        port = msgspec.convert(card, Port, from_attributes=True)
        number = next(n for n, address in CARDS.items() if address in card.addresses)
        guests[number] = await lab.guest(port, dhcp=number != 51)
        if number == 51:
            await blocking(guests[51].ip, f"address add {CARDS[51]}/24 dev eth0")
        for tcp_port in (80, 81):
            await blocking(guests[number].serve, tcp_port, b"here")
    wrong = []
    for number, destination, tcp_port, arrives in CALLS:
        card = next(card for card in PICTURE.cards if CARDS[number] in card.addresses)
        packet = Packet(source=CARDS[number], destination=destination, protocol="tcp", port=tcp_port)
        steps = paths.follow(PICTURE, card, packet)
        heard = await blocking(guests[number].hear, destination, tcp_port, 5.0 if arrives else 0.7)
        if not (steps[-1].passes is arrives is (heard is not None)):
            wrong.append((number, destination, tcp_port, steps, heard))
    assert wrong == []


async def test_a_spoofed_source_is_told_and_dropped(lab: Lab) -> None:
    await lab.fabric.ensure_network(msgspec.convert(ONE, Network, from_attributes=True))
    liar, victim = PICTURE.cards[0], PICTURE.cards[1]
    steps = paths.follow(PICTURE, liar, Packet(source="10.0.0.77", destination=CARDS[12], protocol="tcp", port=80))
    assert steps[-1].at == "anti-spoofing"
    assert steps[-1].why == "the port may send from 10.0.0.11, not from 10.0.0.77"
    one, two = [await lab.guest(msgspec.convert(card, Port, from_attributes=True)) for card in (liar, victim)]
    await blocking(two.serve, 80, b"here")
    await blocking(one.ip, "address add 10.0.0.77/24 dev eth0")
    assert await blocking(one.hear, CARDS[12], 80, 1.0, "10.0.0.77") is None
    assert await blocking(one.hear, CARDS[12], 80) == b"10.0.0.11 here"
