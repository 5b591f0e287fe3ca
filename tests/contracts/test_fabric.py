"""The fabric promise, on every keeper: wishes brought about, repeated, found again, removed without a trace; metadata by caller."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.to_thread
import msgspec
import pytest
import trio.testing

from minicloud.base import trace
from minicloud.base.errors import Invalid, NotFound, Unavailable
from minicloud.drivers.fabric import (
    Fabric,
    FakePlug,
    Lease,
    MetadataReply,
    MetadataRequest,
    Network,
    Plug,
    Port,
    Router,
    RouterPort,
    Subnet,
    TapPlug,
    UserPlug,
)
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.drivers.fabric.linux import LinuxFabric, LinuxHostFabric
from minicloud.drivers.fabric.user import UserFabric
from minicloud.drivers.hypervisor.qemu.plugs import open_tap
from minicloud.drivers.statelog import StateLog
from tests.support.tapguests import TapGuest, leftovers
from tests.support.userguests import ask_over_guestfwd

pytestmark = pytest.mark.anyio

CLOUD = f"ct{os.getpid()}"
NET_A, NET_B = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
PORT_A, PORT_B = "aaaaaaaa-1000-4000-8000-00000000000a", "bbbbbbbb-1000-4000-8000-00000000000b"
ROUTER = "cccccccc-0000-4000-8000-00000000000c"


def a_network(network_id: str, mac: str, **more: Any) -> Network:
    subnet = Subnet(id=f"subnet-{network_id}", cidr="10.0.0.0/24", gateway="10.0.0.1", dhcp_address="10.0.0.2")
    lease = Lease(mac=mac, address="10.0.0.10", hostname="host-10-0-0-10")
    return Network(id=network_id, subnets=[subnet], leases=[lease], **more)


def a_port(port_id: str, network_id: str, mac: str) -> Port:
    return Port(id=port_id, network_id=network_id, mac=mac, addresses=["10.0.0.10"])


MAC_A, MAC_B = "fa:16:3e:00:00:0a", "fa:16:3e:00:00:0b"
A, B = a_network(NET_A, MAC_A), a_network(NET_B, MAC_B)
ON_A, ON_B = a_port(PORT_A, NET_A, MAC_A), a_port(PORT_B, NET_B, MAC_B)
R = Router(
    id=ROUTER,
    interfaces=[RouterPort(id="cccccccc-1", network_id=NET_A, mac="fa:16:3e:00:01:0a", addresses=["10.0.0.1/24"])],
)


class ControlSide:
    """Answers metadata with who asked for what, or cannot."""

    def __init__(self) -> None:
        self.heard: list[MetadataRequest] = []
        self.away = False

    async def __call__(self, request: MetadataRequest) -> MetadataReply:
        if self.away:
            raise Unavailable("the control side is starting")
        self.heard.append(request)
        return MetadataReply(status=200, body=request.path.encode())


class Keeper(Protocol):
    """How a product is opened (again) over the same folder, and how a guest on one of its plugs asks for metadata."""

    def fabric(self, folder: Path) -> Fabric: ...

    async def ask(self, fabric: Fabric, port: Port, plug: Plug, path: str) -> tuple[int, bytes]: ...


class Fake:
    def fabric(self, folder: Path) -> Fabric:
        return FakeFabric(StateLog(folder / "fabric.log"))

    async def ask(self, fabric: Fabric, port: Port, plug: Plug, path: str) -> tuple[int, bytes]:
        assert isinstance(fabric, FakeFabric)
        assert isinstance(plug, FakePlug)
        try:
            reply = await fabric.guest_asks(port.id, path)
        except Unavailable:
            return 503, b""
        return reply.status, reply.body


class Linux:
    def __init__(self, rootless: bool) -> None:
        self._rootless = rootless

    def fabric(self, folder: Path) -> Fabric:
        return LinuxFabric(CLOUD, folder, rootless=self._rootless)

    async def ask(self, fabric: Fabric, port: Port, plug: Plug, path: str) -> tuple[int, bytes]:
        assert isinstance(plug, TapPlug)
        return await anyio.to_thread.run_sync(self._ask, await open_tap(plug), port, path)

    def _ask(self, tap: list[int], port: Port, path: str) -> tuple[int, bytes]:
        guest = TapGuest(tap, port.mac)
        try:
            offer = guest.dhcp()
            assert offer is not None, "nobody answered DHCP"
            assert offer.address == port.addresses[0]
            guest.use(offer)
            return guest.http(path, X_Forwarded_For="10.9.9.9")
        finally:
            guest.close()


class LinuxHost(Linux):
    """One of the hosts of a process that has several."""

    def fabric(self, folder: Path) -> Fabric:
        centre = LinuxFabric(CLOUD, folder, rootless=self._rootless)
        return LinuxHostFabric("host-1", centre, folder / "hosts" / "host-1")


class User:
    def fabric(self, folder: Path) -> Fabric:
        return UserFabric(folder)

    async def ask(self, fabric: Fabric, port: Port, plug: Plug, path: str) -> tuple[int, bytes]:
        assert isinstance(plug, UserPlug)
        return await ask_over_guestfwd(plug, path)


KEEPERS: dict[str, Callable[[], Keeper]] = {
    "fake": Fake,
    "linux": lambda: Linux(rootless=False),
    "rootless": lambda: Linux(rootless=True),
    "host": lambda: LinuxHost(rootless=False),
    "user": User,
}


@pytest.fixture(
    params=[
        "fake-trio",
        "fake-asyncio",
        pytest.param("linux-asyncio", marks=pytest.mark.linux),
        pytest.param("rootless-asyncio", marks=pytest.mark.linux),
        pytest.param("host-asyncio", marks=pytest.mark.linux),
        pytest.param("user-asyncio", marks=pytest.mark.linux),
    ]
)
def case(request: pytest.FixtureRequest) -> str:
    if os.geteuid() != 0 and request.param.startswith(("linux", "rootless", "host")):
        pytest.skip("the stand-in guests of this test need root")
    return str(request.param)


@pytest.fixture
def anyio_backend(case: str) -> Any:
    if case.endswith("trio"):
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio"


@pytest.fixture
def keeper(case: str) -> Keeper:
    return KEEPERS[case.partition("-")[0]]()


@pytest.fixture
def control() -> ControlSide:
    return ControlSide()


@asynccontextmanager
async def opened(keeper: Keeper, folder: Path, control: ControlSide) -> AsyncIterator[Fabric]:
    fabric = keeper.fabric(folder)
    await fabric.open(control)
    try:
        yield fabric
    finally:
        await fabric.close()


@pytest.fixture
async def fabric(keeper: Keeper, tmp_path: Path, control: ControlSide) -> AsyncIterator[Fabric]:
    async with opened(keeper, tmp_path, control) as fabric:
        yield fabric
        await fabric.purge()


async def test_what_is_wished_stands_and_may_be_wished_again(fabric: Fabric) -> None:
    for _ in range(2):
        await fabric.ensure_network(A)
        await fabric.ensure_network(B)
        await fabric.ensure_router(R)
        await fabric.ensure_port(ON_A)
        facts = await fabric.facts()
        assert (facts.networks, facts.routers, facts.ports) == ([NET_A, NET_B], [ROUTER], [PORT_A])
    for _ in range(2):
        await fabric.ensure_no_port(PORT_A)
        await fabric.ensure_no_router(ROUTER)
        await fabric.ensure_no_network(NET_A)
        facts = await fabric.facts()
        assert (facts.networks, facts.routers, facts.ports) == ([NET_B], [], [])


async def test_what_never_was_is_gone_already(fabric: Fabric) -> None:
    await fabric.ensure_no_port(PORT_A)
    await fabric.ensure_no_router(ROUTER)
    await fabric.ensure_no_network(NET_A)


async def test_ports_and_routers_need_standing_networks(fabric: Fabric) -> None:
    with pytest.raises(NotFound):
        await fabric.ensure_port(ON_A)
    with pytest.raises(NotFound):
        await fabric.ensure_router(R)
    facts = await fabric.facts()
    assert (facts.networks, facts.routers, facts.ports) == ([], [], [])


async def test_a_port_keeps_its_plug(fabric: Fabric) -> None:
    await fabric.ensure_network(A)
    plug = await fabric.ensure_port(ON_A)
    assert await fabric.ensure_port(ON_A) == plug


async def test_a_network_takes_its_ports_along(fabric: Fabric) -> None:
    await fabric.ensure_network(A)
    await fabric.ensure_network(B)
    await fabric.ensure_port(ON_A)
    await fabric.ensure_port(ON_B)
    await fabric.ensure_no_network(NET_A)
    assert (await fabric.facts()).ports == [PORT_B]


@pytest.mark.parametrize(
    "wrong",
    [
        msgspec.structs.replace(A, id="../etc"),
        msgspec.structs.replace(A, mtu=10),
        msgspec.structs.replace(A, subnets=[Subnet(id="s", cidr="10.0.0.0/33")]),
        msgspec.structs.replace(A, subnets=[Subnet(id="s", cidr="10.0.0.0/24", dhcp_address="10.1.0.2")]),
        msgspec.structs.replace(A, leases=[Lease(mac=MAC_A, address="10.0.0.10", hostname="a\ndhcp-script=/bin/sh")]),
        msgspec.structs.replace(A, leases=[Lease(mac="nonsense", address="10.0.0.10", hostname="a")]),
    ],
)
async def test_senseless_networks_are_refused_untouched(fabric: Fabric, wrong: Network) -> None:
    with pytest.raises(Invalid):
        await fabric.ensure_network(wrong)
    assert (await fabric.facts()).networks == []


async def test_senseless_ports_and_routers_are_refused_untouched(fabric: Fabric) -> None:
    await fabric.ensure_network(A)
    for port in (
        msgspec.structs.replace(ON_A, mac="x; drop"),
        msgspec.structs.replace(ON_A, addresses=["10.0.0.10 }"]),
        msgspec.structs.replace(ON_A, id="a b"),
    ):
        with pytest.raises(Invalid):
            await fabric.ensure_port(port)
    with pytest.raises(Invalid):
        await fabric.ensure_router(msgspec.structs.replace(R, floating={"203.0.113.9": "ten"}))
    facts = await fabric.facts()
    assert (facts.routers, facts.ports) == ([], [])


async def test_the_next_process_finds_everything(keeper: Keeper, tmp_path: Path, control: ControlSide) -> None:
    async with opened(keeper, tmp_path, control) as first:
        await first.ensure_network(A)
        await first.ensure_router(R)
        plug = await first.ensure_port(ON_A)
        before = await first.facts()
    async with opened(keeper, tmp_path, control) as second:
        assert await second.facts() == before
        assert await keeper.ask(second, ON_A, plug, "/latest") == (200, b"/latest")
        await second.purge()


async def test_guests_of_the_same_address_are_told_apart(fabric: Fabric, keeper: Keeper, control: ControlSide) -> None:
    for network in (A, B):
        await fabric.ensure_network(network)
    for port in (ON_A, ON_B):
        plug = await fabric.ensure_port(port)
        assert await keeper.ask(fabric, port, plug, f"/openstack?{port.id}") == (200, f"/openstack?{port.id}".encode())
        asked = control.heard.pop()
        assert asked.method == "GET"
        assert asked.caller.address == "10.0.0.10"
        known = [asked.caller.network_id, asked.caller.router_id, asked.caller.port_id]
        assert [k for k in known if k is not None] in ([port.network_id], [port.id])
        assert "x-forwarded-for" not in asked.headers


async def test_a_guest_hears_503_while_the_control_side_is_away(
    fabric: Fabric, keeper: Keeper, control: ControlSide
) -> None:
    await fabric.ensure_network(A)
    plug = await fabric.ensure_port(ON_A)
    control.away = True
    assert (await keeper.ask(fabric, ON_A, plug, "/"))[0] == 503
    control.away = False
    assert (await keeper.ask(fabric, ON_A, plug, "/"))[0] == 200


async def test_purge_leaves_nothing(keeper: Keeper, tmp_path: Path, control: ControlSide) -> None:
    async with opened(keeper, tmp_path / "cloud", control) as fabric:
        await fabric.ensure_network(A)
        await fabric.ensure_network(msgspec.structs.replace(B, external=True))
        await fabric.ensure_router(R)
        await fabric.ensure_port(ON_A)
    stranger = keeper.fabric(tmp_path / "cloud")
    await stranger.purge()
    assert leftovers(CLOUD, tmp_path / "cloud") == []
    if not isinstance(keeper, Fake):  # the log of the simulated world is the cloud's own and goes with its data folder
        assert [file for file in (tmp_path / "cloud").rglob("*") if file.is_file()] == []
    async with opened(keeper, tmp_path / "cloud", control) as fabric:
        facts = await fabric.facts()
        assert (facts.networks, facts.routers, facts.ports) == ([], [], [])
        await fabric.purge()


async def test_the_trace_tells_what_was_wired(fabric: Fabric) -> None:
    recording = trace.Recording()
    with trace.recording(recording):
        await fabric.ensure_network(A)
        await fabric.ensure_port(ON_A)
    assert any(NET_A in str(note.facts) for note in recording.notes)
    assert any(PORT_A in str(note.facts) for note in recording.notes)
