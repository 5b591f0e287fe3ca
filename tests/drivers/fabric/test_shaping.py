"""Quality of service on real taps: limits both ways that come and go on a running guest, and marks on what it sends; root and rootless."""

import json
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from minicloud.drivers.fabric import Limit, Quality, Router
from minicloud.drivers.fabric.linux import shaping
from tests.support.fabrics import (
    Lab,
    a_gateway,
    a_lab,
    a_network,
    a_port,
    a_router,
    an_external_network,
    an_id,
    blocking,
)
from tests.support.tapguests import TapGuest

pytestmark = [pytest.mark.anyio, pytest.mark.linux]

SLOW = Limit(kbps=4000, burst_kb=400)
BYTES = 400_000
"""At 4 Mbit/s, with 50 kB that pass at once, these take 0.7 s."""


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@pytest.fixture(params=["root", "rootless"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("the stand-in guests of these tests need root")
    async with a_lab(tmp_path, rootless=request.param == "rootless") as lab:
        yield lab


def test_a_burst_that_nobody_chose_is_four_fifths_of_a_second() -> None:
    queues = shaping.at_tap(an_id(11), Quality(ingress=Limit(kbps=1000))).queues
    assert queues == ["qdisc add dev tap00000011-00 root tbf rate 1000kbit burst 100000b latency 50ms"]
    nothing = shaping.at_tap(an_id(11), Quality(dscp=10, egress=Limit(kbps=0)))
    assert (nothing.links, nothing.queues) == ([], [])


def test_a_peak_holds_the_burst_back_and_nothing_is_more_than_tc_can_be_told() -> None:
    queues = shaping.at_tap(an_id(11), Quality(ingress=Limit(kbps=1000, burst_kb=800, peak_kbps=16000))).queues
    assert queues == [
        "qdisc add dev tap00000011-00 root tbf rate 1000kbit burst 100000b latency 50ms peakrate 16000kbit mtu 8000b"
    ]
    queues = shaping.at_tap(an_id(11), Quality(ingress=Limit(kbps=1000, peak_kbps=1000))).queues
    assert "peakrate" not in queues[0]
    queues = shaping.at_tap(an_id(11), Quality(ingress=Limit(kbps=10**18, burst_kb=10**18))).queues
    assert queues == ["qdisc add dev tap00000011-00 root tbf rate 2147483647kbit burst 2147483647b latency 50ms"]


async def seconds(listener: TapGuest, address: str) -> float:
    begun = time.monotonic()
    said = await blocking(listener.hear, address, 80)
    assert said is not None
    assert len(said) > BYTES
    return time.monotonic() - begun


async def test_limits_hold_both_ways_and_end_with_the_policy(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"})
    await lab.fabric.ensure_network(network)
    port = a_port(11, network, "10.0.0.11")
    one, two = await lab.guest(port), await lab.guest(a_port(12, network, "10.0.0.12"))
    for guest in (one, two):
        await blocking(guest.serve, 80, bytes(BYTES))
    for quality in (Quality(ingress=SLOW), Quality(egress=SLOW)):
        await lab.fabric.ensure_port(msgspec.structs.replace(port, quality=quality))
        got, sent = await seconds(one, "10.0.0.12"), await seconds(two, "10.0.0.11")
        held, free = (got, sent) if quality.ingress else (sent, got)
        assert held > 0.6
        assert free < held
    await lab.fabric.ensure_port(port)
    assert await seconds(two, "10.0.0.11") < held
    links = await lab.fabric._room.links(lab.namespace(network))
    assert [name for name in links if name.startswith("ifb") and links[name].alias] == []


async def test_a_peak_holds_and_no_limit_is_too_large_to_be_laid(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"})
    await lab.fabric.ensure_network(network)
    one, two = await lab.guest(a_port(11, network, "10.0.0.11")), await lab.guest(a_port(12, network, "10.0.0.12"))
    await blocking(one.serve, 80, bytes(BYTES))
    # All of it is one burst, at 4 Mbit/s.
    held = Quality(egress=Limit(kbps=1000, burst_kb=16_000, peak_kbps=4000))
    huge = Quality(egress=Limit(kbps=10**18, burst_kb=10**18), ingress=Limit(kbps=10**17, peak_kbps=10**18))
    took = []
    for quality in (held, huge):
        await lab.fabric.ensure_port(a_port(11, network, "10.0.0.11", quality=quality))
        took.append(await seconds(two, "10.0.0.11"))
    assert 0.6 < took[0] < 2.5
    assert took[1] < took[0]


async def test_what_a_guest_sends_is_marked(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"})
    await lab.fabric.ensure_network(network)
    marked = a_port(11, network, "10.0.0.11", quality=Quality(dscp=26))
    one, two = await lab.guest(marked), await lab.guest(a_port(12, network, "10.0.0.12"))

    def open_ear() -> socket.socket:
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        line.bind(("0.0.0.0", 5000))
        line.settimeout(20)
        return line

    def say() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(b"x", ("10.0.0.12", 5000))

    with await blocking(two.inside, open_ear) as ear:
        for port, dscp in ((marked, 26), (msgspec.structs.replace(marked, quality=Quality()), 0)):
            await lab.fabric.ensure_port(port)
            await blocking(one.inside, say)
            _, [(_, _, tos)], _, _ = await blocking(ear.recvmsg, 10, 100)
            assert tos[0] >> 2 == dscp


async def test_floating_addresses_and_a_gateway_are_limited_each_by_itself(lab: Lab) -> None:
    inner, outer = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"}), an_external_network(2)
    for network in (inner, outer):
        await lab.fabric.ensure_network(network)
    plain = a_router(
        4,
        {31: (inner, "10.0.0.1/24")},
        gateway=a_gateway(41, outer, "203.0.113.10/24"),
        floating={"203.0.113.50": "10.0.0.11"},
    )
    await lab.fabric.ensure_router(plain)
    led, hidden = [await lab.guest(a_port(n, inner, f"10.0.0.{n}")) for n in (11, 12)]
    outside = await lab.guest(a_port(21, outer, "203.0.113.21"), dhcp=False)
    await blocking(outside.ip, "address add 203.0.113.21/24 dev eth0")
    for guest in (led, outside):
        await blocking(guest.serve, 80, bytes(BYTES))

    async def times() -> tuple[float, float, float]:
        """What the floating address sends, what it gets, and what comes in for the gateway's own address, in seconds."""
        return (
            await seconds(outside, "203.0.113.50"),
            await seconds(led, "203.0.113.21"),
            await seconds(hidden, "203.0.113.21"),
        )

    async def laid() -> bytes:
        script = "".join(f"class show dev {name}\n" for name in ("qg-00000041-00", "ifb00000041-00"))
        run, room = lab.fabric._room.run, lab.router_namespace(plain)
        return await run(room, "tc", "-force", "-batch", "-", script=script, accept=(0, 1))

    def limited(**limits: Quality) -> Router:
        addresses = {"floating": "203.0.113.50", "own": "203.0.113.10"}
        return msgspec.structs.replace(plain, limits={addresses[name]: limit for name, limit in limits.items()})

    for router, slow in (
        (limited(floating=Quality(egress=SLOW)), [True, False, False]),
        (limited(floating=Quality(ingress=SLOW)), [False, True, False]),
        (limited(own=Quality(ingress=SLOW), floating=Quality(egress=SLOW)), [True, False, True]),
    ):
        await lab.fabric.ensure_router(router)
        there = await laid()
        assert b"htb" in there
        found = await times()
        assert [took > 0.6 for took in found] == slow, found
        await lab.fabric.ensure_router(router)
        assert await laid() == there
    # Somebody takes it away behind our back.
    for line in ("qdisc del dev qg-00000041-00 root", "qdisc del dev qg-00000041-00 ingress"):
        await lab.fabric._room.run(lab.router_namespace(plain), "tc", *line.split())
    assert await laid() != there
    await lab.fabric.ensure_router(router)
    assert [took > 0.6 for took in await times()] == slow
    await lab.fabric.ensure_router(plain)
    assert b"htb" not in await laid()
    assert [took > 0.6 for took in await times()] == [False, False, False]
    links = await lab.fabric._room.links(lab.router_namespace(plain))
    assert not [name for name in links if name.startswith("ifb") and links[name].alias]


async def test_limits_go_with_the_gateway_that_had_them(lab: Lab) -> None:
    inner, outer = a_network(1), an_external_network(2)
    for network in (inner, outer):
        await lab.fabric.ensure_network(network)
    router = a_router(4, {31: (inner, "10.0.0.1/24")})
    limits = {"203.0.113.10": Quality(egress=SLOW, ingress=SLOW)}
    for number in (41, 42):
        gateway = a_gateway(number, outer, "203.0.113.10/24")
        await lab.fabric.ensure_router(msgspec.structs.replace(router, gateway=gateway, limits=limits))
        links = await lab.fabric._room.links(lab.router_namespace(router))
        assert [links[name].alias for name in links if name.startswith("ifb")] == [gateway.id]
    await lab.fabric.ensure_router(router)
    assert not [n for n in await lab.fabric._room.links(lab.router_namespace(router)) if n.startswith("ifb")]


async def test_limits_that_somebody_took_from_a_port_are_laid_again(lab: Lab) -> None:
    network = a_network(1, leases={11: "10.0.0.11"})
    await lab.fabric.ensure_network(network)
    port = a_port(11, network, "10.0.0.11", quality=Quality(ingress=SLOW, egress=SLOW))
    await lab.fabric.ensure_port(port)

    async def laid() -> list[str]:
        said = await lab.fabric._room.run(lab.namespace(network), "tc", "-json", "qdisc", "show")
        return sorted(one["kind"] for one in json.loads(said) if one["kind"] in ("tbf", "ingress"))

    assert await laid() == ["ingress", "tbf", "tbf"]
    for words in ("qdisc del dev tap00000011-00 root", "qdisc del dev tap00000011-00 ingress"):
        await lab.fabric._room.run(lab.namespace(network), "tc", *words.split())
    await lab.fabric.ensure_port(port)
    assert await laid() == ["ingress", "tbf", "tbf"]
    # A tap that is made anew has nothing of what was laid on the old one.
    await lab.fabric._room.ip(lab.namespace(network), ["link delete dev tap00000011-00"])
    await lab.fabric.ensure_port(port)
    assert await laid() == ["ingress", "tbf", "tbf"]
