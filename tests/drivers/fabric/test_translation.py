"""Forwarded ports of floating addresses, on real taps: what leads inside, what does not, and what a change cuts; root and rootless."""

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from minicloud.drivers.fabric import Forward, Router
from minicloud.drivers.fabric.linux.translation import forwarded
from tests.support.fabrics import (
    Lab,
    a_gateway,
    a_lab,
    a_network,
    a_port,
    a_router,
    an_external_network,
    blocking,
)

pytestmark = [pytest.mark.anyio, pytest.mark.linux]


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@pytest.fixture(params=["root", "rootless"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("the stand-in guests of these tests need root")
    async with a_lab(tmp_path, rootless=request.param == "rootless") as lab:
        yield lab


def test_a_range_of_ports_leads_to_as_many_from_another_on() -> None:
    forward = Forward(protocol="tcp", floating="203.0.113.60", first=90, last=92, fixed="10.0.0.11", fixed_first=80)
    assert forwarded(Router(id="r", forwards=[forward])) == {
        "tcp . 203.0.113.60 . 90": "10.0.0.11 . 80",
        "tcp . 203.0.113.60 . 91": "10.0.0.11 . 81",
        "tcp . 203.0.113.60 . 92": "10.0.0.11 . 82",
    }


async def test_single_ports_of_a_floating_address_lead_to_several_guests(lab: Lab) -> None:
    inner, outer = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"}), an_external_network(2)
    for network in (inner, outer):
        await lab.fabric.ensure_network(network)
    gateway = a_gateway(41, outer, "203.0.113.10/24")
    one = Forward(protocol="tcp", floating="203.0.113.60", first=8001, last=8002, fixed="10.0.0.11", fixed_first=80)
    two = Forward(protocol="tcp", floating="203.0.113.60", first=9000, last=9000, fixed="10.0.0.12", fixed_first=80)
    router = a_router(4, {31: (inner, "10.0.0.1/24")}, gateway=gateway, forwards=[one, two])
    await lab.fabric.ensure_router(router)
    guests = [await lab.guest(a_port(n, inner, f"10.0.0.{n}")) for n in (11, 12)]
    outside = await lab.guest(a_port(21, outer, "203.0.113.21"), dhcp=False)
    await blocking(outside.ip, "address add 203.0.113.21/24 dev eth0")
    for guest, words in zip(guests, (b"one", b"two"), strict=True):
        await blocking(guest.serve, 80, words)
    await blocking(guests[0].serve, 81, b"next")
    said = [await blocking(outside.hear, "203.0.113.60", port, 5.0) for port in (8001, 8002, 9000)]
    assert said == [b"203.0.113.21 one", b"203.0.113.21 next", b"203.0.113.21 two"]
    assert await blocking(outside.hear, "203.0.113.60", 80, 1.0) is None
    # A neighbour by the forwarded port: there and back by the router.
    assert await blocking(guests[1].hear, "203.0.113.60", 8001) == b"10.0.0.1 one"
    assert await blocking(guests[0].hear, "203.0.113.60", 9000) == b"10.0.0.1 two"

    listener = await blocking(guests[1].inside, lambda: socket.create_server(("0.0.0.0", 82)))
    moved = msgspec.structs.replace(two, fixed_first=82)
    await lab.fabric.ensure_router(msgspec.structs.replace(router, forwards=[one, moved]))
    call = lambda: socket.create_connection(("203.0.113.60", 9000), 20)  # noqa: E731
    with listener, await blocking(outside.inside, call) as there:
        here, _ = await blocking(listener.accept)
        with here:
            here.settimeout(2)
            await blocking(there.sendall, b"one")
            assert await blocking(here.recv, 10) == b"one"
            await lab.fabric.ensure_router(msgspec.structs.replace(router, forwards=[one]))
            await blocking(there.sendall, b"two")
            with pytest.raises(TimeoutError):
                await blocking(here.recv, 10)
    assert await blocking(outside.hear, "203.0.113.60", 9000, 1.0) is None
    assert await blocking(outside.hear, "203.0.113.60", 8001) == b"203.0.113.21 one"
