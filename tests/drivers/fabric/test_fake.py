"""What the simulated fabric offers beyond the promise: a log that outlives a kill, faults on demand, guests that ask."""

from pathlib import Path

import pytest

from minicloud.base.errors import Conflict, NotFound, Unavailable
from minicloud.drivers.fabric import MetadataReply, MetadataRequest
from minicloud.drivers.fabric.fake import FakeFabric, FakeState
from minicloud.drivers.statelog import StateLog
from tests.support.fabrics import a_network, a_port, a_router

pytestmark = pytest.mark.anyio

NET = a_network(1)
PORT = a_port(11, NET, "fd00::11", "10.0.0.11")


async def _echo(request: MetadataRequest) -> MetadataReply:
    caller = request.caller
    words = f"{request.method} {request.path} {caller.network_id} {caller.router_id} {caller.address}"
    return MetadataReply(status=200, body=words.encode())


async def test_a_log_outlives_a_process_that_never_closed(tmp_path: Path) -> None:
    file = tmp_path / "world.log"
    first = FakeFabric(StateLog(file), "host-1")
    await first.open(_echo)
    await first.ensure_network(NET)
    await first.ensure_port(PORT)
    log = StateLog(file)
    second, other = FakeFabric(log, "host-1"), FakeFabric(log, "host-2")
    await second.open(_echo)
    await other.open(_echo)
    assert second.state() == first.state()
    assert other.state() == FakeState()
    await other.ensure_network(NET)
    await second.purge()
    assert second.state() == FakeState()
    third = FakeFabric(StateLog(file), "host-2")
    await third.open(_echo)
    assert third.state() == other.state()


async def test_faults_strike_as_often_as_wished_and_change_nothing() -> None:
    fabric = FakeFabric()
    await fabric.open(_echo)
    fabric.fail_next("ensure_network", Unavailable("no dnsmasq"), times=2)
    for _ in range(2):
        with pytest.raises(Unavailable, match="no dnsmasq"):
            await fabric.ensure_network(NET)
    assert fabric.state() == FakeState()
    await fabric.ensure_network(NET)
    assert list(fabric.state().networks) == [NET.id]


async def test_a_guest_asks_by_its_network_or_its_router() -> None:
    fabric = FakeFabric()
    await fabric.open(_echo)
    await fabric.ensure_network(NET)
    await fabric.ensure_router(a_router(3, {31: (NET, "10.0.0.1/24")}))
    await fabric.ensure_port(PORT)
    reply = await fabric.guest_asks(PORT.id, "/latest", method="PUT")
    assert reply.body == f"PUT /latest {NET.id} None 10.0.0.11".encode()
    reply = await fabric.guest_asks(PORT.id, "/latest", by_router="r")
    assert reply.body == b"GET /latest None r 10.0.0.11"
    with pytest.raises(NotFound):
        await fabric.guest_asks("nobody", "/")
    await fabric.close()
    with pytest.raises(Conflict):
        await fabric.guest_asks(PORT.id, "/")


async def test_simulated_guests_cannot_be_reached() -> None:
    with pytest.raises(Unavailable, match="driver qemu"):
        await FakeFabric().reach(PORT, 22)
