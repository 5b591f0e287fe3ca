"""A linux fabric with networks, routers and stand-in guests, built in a few words, and nothing left of it in the end."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread

from minicloud.base import trace
from minicloud.drivers.fabric import (
    AnswerMetadata,
    Lease,
    MetadataReply,
    MetadataRequest,
    Network,
    Port,
    Router,
    RouterPort,
    Subnet,
    TapPlug,
)
from minicloud.drivers.fabric.linux import LinuxFabric
from minicloud.drivers.fabric.linux.names import network_namespace, router_namespace
from minicloud.drivers.hypervisor.qemu.plugs import open_tap
from tests.support.tapguests import TapGuest

Result = TypeVar("Result")


async def blocking(work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
    """The result of a blocking function, while the loop serves metadata."""
    return await anyio.to_thread.run_sync(partial(work, *arguments, **named))


async def tell_caller(request: MetadataRequest) -> MetadataReply:
    """Metadata that says who asked."""
    caller = request.caller
    return MetadataReply(status=200, body=f"{caller.network_id} {caller.router_id} {caller.address}".encode())


def an_id(number: int) -> str:
    """A UUID whose short forms differ."""
    return f"{number:08d}-0000-4000-8000-{number:012d}"


def a_mac(number: int) -> str:
    return f"fa:16:3e:00:{number // 256:02x}:{number % 256:02x}"


def a_network(number: int, cidr: str = "10.0.0", *, leases: dict[int, str] | None = None, **more: Any) -> Network:
    """A network ``cidr``.0/24 with gateway .1 and DHCP on .2; ``leases``: MAC number to address."""
    subnet = {"gateway": f"{cidr}.1", "dhcp_address": f"{cidr}.2"} | more.pop("subnet", {})
    return Network(
        id=an_id(number),
        subnets=[Subnet(id=f"s{number}", cidr=f"{cidr}.0/24", **subnet)],
        leases=[
            Lease(mac=a_mac(n), address=address, hostname=f"host-{address.replace('.', '-')}")
            for n, address in (leases or {}).items()
        ],
        **more,
    )


def an_external_network(number: int, cidr: str = "203.0.113") -> Network:
    return a_network(number, cidr, external=True, subnet={"dhcp": False, "dhcp_address": None})


def a_port(number: int, network: Network, *addresses: str, **more: Any) -> Port:
    return Port(id=an_id(number), network_id=network.id, mac=a_mac(number), addresses=list(addresses), **more)


def a_router(number: int, interfaces: dict[int, tuple[Network, str]], **more: Any) -> Router:
    """``interfaces``: port number to (network, address with prefix length)."""
    ports = [_router_port(n, *interface) for n, interface in interfaces.items()]
    return Router(id=an_id(number), interfaces=ports, **more)


def a_gateway(number: int, network: Network, address: str) -> RouterPort:
    return _router_port(number, network, address)


def _router_port(number: int, network: Network, address: str) -> RouterPort:
    return RouterPort(id=an_id(number), network_id=network.id, mac=a_mac(number), addresses=[address])


class Lab:
    """A fabric, its guests and its trace."""

    def __init__(self, fabric: LinuxFabric, recording: trace.Recording, cloud_id: str) -> None:
        self.fabric = fabric
        self.recording = recording
        self.cloud_id = cloud_id
        self._guests: list[TapGuest] = []

    async def guest(self, port: Port, *, dhcp: bool = True) -> TapGuest:
        """A stand-in guest on this port, with the address that DHCP gave it."""
        plug = await self.fabric.ensure_port(port)
        assert isinstance(plug, TapPlug)
        guest = await blocking(TapGuest, await open_tap(plug), port.mac)
        self._guests.append(guest)
        if dhcp:
            offer = await blocking(guest.dhcp)
            assert offer is not None, f"nobody answers DHCP for {port.mac}"
            assert offer.address == port.addresses[0]
            await blocking(guest.use, offer)
        return guest

    def namespace(self, network: Network) -> str:
        return network_namespace(self.cloud_id, network.id)

    def router_namespace(self, router: Router) -> str:
        return router_namespace(self.cloud_id, router.id)

    async def close_guests(self) -> None:
        for guest in self._guests:
            await blocking(guest.close)
        self._guests.clear()


def a_cloud_id() -> str:
    """One that no other test run on this machine has."""
    return f"t{os.getpid()}"


@asynccontextmanager
async def a_lab(
    folder: Path, *, rootless: bool = False, answer: AnswerMetadata = tell_caller, host_legs: bool = True
) -> AsyncIterator[Lab]:
    """An open fabric in ``folder``; guests and fabric are gone afterwards."""
    recording = trace.Recording()
    with trace.recording(recording):
        fabric = LinuxFabric(a_cloud_id(), folder, rootless=rootless, host_legs=host_legs)
        lab = Lab(fabric, recording, a_cloud_id())
        await fabric.open(answer)
        try:
            yield lab
        finally:
            with anyio.CancelScope(shield=True):
                await lab.close_guests()
                await fabric.purge()
                await fabric.close()


async def eventually(truth: Callable[[], Awaitable[bool]], patience_s: float = 20) -> None:
    """Wait until something is true; TimeoutError when it never is."""
    with anyio.fail_after(patience_s):
        while not await truth():  # noqa: ASYNC110
            await anyio.sleep(0.02)
