"""Quality of service on real taps: limits both ways that come and go on a running guest, and marks on what it sends; root and rootless."""

import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from minicloud.drivers.fabric import Limit, Quality
from minicloud.drivers.fabric.linux import shaping
from tests.support.fabrics import Lab, a_lab, a_network, a_port, an_id, blocking
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
    _, queues = shaping.wish(an_id(11), Quality(ingress=Limit(kbps=1000)))
    assert queues == ["qdisc add dev tap00000011-00 root tbf rate 1000kbit burst 100000b latency 50ms"]
    assert shaping.wish(an_id(11), Quality(dscp=10, egress=Limit(kbps=0))) == ([], [])


def test_a_peak_holds_the_burst_back_and_nothing_is_more_than_tc_can_be_told() -> None:
    _, queues = shaping.wish(an_id(11), Quality(ingress=Limit(kbps=1000, burst_kb=800, peak_kbps=16000)))
    assert queues == [
        "qdisc add dev tap00000011-00 root tbf rate 1000kbit burst 100000b latency 50ms peakrate 16000kbit mtu 8000b"
    ]
    _, queues = shaping.wish(an_id(11), Quality(ingress=Limit(kbps=1000, peak_kbps=1000)))
    assert "peakrate" not in queues[0]
    _, queues = shaping.wish(an_id(11), Quality(ingress=Limit(kbps=10**18, burst_kb=10**18)))
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
