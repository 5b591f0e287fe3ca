"""One of several hosts of a process: a bridge of its own per network, joined to the network's by a veth, as hosts are by a wire.

Networks with their DHCP, their routers and the way out stand once, at the centre; ports with their guards and filters stand
on the host where their machine is. So the same port can be wired on two hosts while its machine moves.
"""

from collections import defaultdict
from functools import partial
from pathlib import Path

import anyio

from minicloud.base import trace
from minicloud.drivers.fabric import AnswerMetadata, FabricFacts, Network, Plug, Port, Router
from minicloud.drivers.fabric.checks import check_id, check_network, check_port
from minicloud.drivers.fabric.linux import networks
from minicloud.drivers.fabric.linux.fabric import FILTERED, LinuxFabric, no_network
from minicloud.drivers.fabric.linux.names import (
    BRIDGE,
    EDGE,
    UPLINK,
    bridge_mac,
    device,
    edge_namespace,
    network_namespace,
    parse_edge,
)
from minicloud.drivers.fabric.linux.room import Link
from minicloud.drivers.fabric.linux.wires import Wires
from minicloud.drivers.fabric.together import together
from minicloud.drivers.fabric.wishes import Wishes
from minicloud.drivers.privatefolder import make_private


class LinuxHostFabric:
    """The fabric of ``host``; ``folder`` keeps what is wished there."""

    def __init__(self, host: str, centre: LinuxFabric, folder: Path) -> None:
        check_id("host", host)
        self._host = host
        self._centre = centre
        self._room = centre.room
        self._folder = folder.resolve()
        self._networks = Wishes(self._folder / "networks", Network)
        self._ports = Wishes(self._folder / "ports", Port)
        self._wires = Wires(self._room, self._networks, self._ports, self._home)
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    async def open(self, answer_metadata: AnswerMetadata) -> None:
        await self._centre.open(answer_metadata)
        make_private(self._folder)
        for wishes in (self._networks, self._ports):
            wishes.load()
        self._forget_the_lost()

    async def close(self) -> None:
        await self._centre.close()

    async def ensure_network(self, network: Network) -> None:
        check_network(network)
        await self._centre.ensure_network(network)
        async with self._locks[network.id]:
            await self._centre.check_room()
            namespace = self._home(network.id)
            self._networks.put(network)
            fresh = await self._room.ensure_namespace(namespace)
            links = {} if fresh else await self._room.links(namespace)
            await together(
                partial(self._wires.filters.network, namespace, network, fresh=fresh),
                partial(self._room.ip, namespace, self._edge(network, links)),
            )
            far = f"link set dev {self._far(network.id)} mtu {network.mtu} master {BRIDGE} addrgenmode none alias {self._host} up"
            await self._room.ip(network_namespace(self._room.cloud_id, network.id), [far])
            if BRIDGE not in links:
                await self._room.perform(namespace, {"write": FILTERED})

    async def ensure_no_network(self, network_id: str) -> None:
        check_id("network", network_id)
        async with self._locks[network_id]:
            await self._centre.check_room()
            await self._centre.tear_down(self._home(network_id))
            for port in self._wires.on(network_id):
                self._ports.drop(port.id)
            self._networks.drop(network_id)
            self._wires.filters.forget(network_id)
        self._locks.pop(network_id, None)
        await self._centre.ensure_no_network(network_id)

    async def ensure_router(self, router: Router) -> None:
        await self._centre.ensure_router(router)

    async def ensure_no_router(self, router_id: str) -> None:
        await self._centre.ensure_no_router(router_id)

    async def ensure_port(self, port: Port) -> Plug:
        check_port(port)
        before = self._ports.get(port.id)
        if before is not None and before.network_id != port.network_id:
            await self.ensure_no_port(port.id)
        async with self._locks[port.network_id]:
            await self._centre.check_room()
            if not self._room.stands(self._home(port.network_id)):
                raise no_network(port.network_id)
            return await self._wires.ensure(port)

    async def ensure_no_port(self, port_id: str) -> None:
        check_id("port", port_id)
        port = self._ports.get(port_id)
        if port is None:
            return
        async with self._locks[port.network_id]:
            await self._centre.check_room()
            await self._wires.ensure_none(port)

    async def facts(self) -> FabricFacts:
        networks, routers = self._centre.standing()
        found: dict[str, list[str]] = {}

        async def look(network_id: str, namespace: str) -> None:
            found[network_id] = await self._wires.standing(namespace)

        await together(*(partial(look, network_id, namespace) for network_id, namespace in self._standing()))
        return FabricFacts(
            kind="linux",
            rootless=self._room.rootless,
            networks=[network_id for network_id in networks if network_id in found],
            routers=routers,
            ports=sorted(port_id for ports in found.values() for port_id in ports),
        )

    async def purge(self) -> None:
        await self._centre.purge()
        for wishes in (self._networks, self._ports):
            wishes.load()
        self._wires.filters.forget_all()
        trace.note("fabric", did="purge", cloud=self._room.cloud_id)

    async def reach(self, port: Port, tcp_port: int) -> list[str]:
        return await self._centre.reach(port, tcp_port)

    def _edge(self, network: Network, links: dict[str, Link]) -> list[str]:
        lines = networks.bridge(network, links, bridge_mac(network.id, self._host), [])
        there = links.get(UPLINK)
        if there is None:
            middle = network_namespace(self._room.cloud_id, network.id)
            lines.append(f"link add name {UPLINK} type veth peer name {self._far(network.id)} netns {middle}")
        if there is None or there.mtu != network.mtu:
            lines.append(f"link set dev {UPLINK} mtu {network.mtu} master {BRIDGE} addrgenmode none up")
        return lines + networks.legs(links, self._wires.down(network.id))

    def _home(self, network_id: str) -> str:
        return edge_namespace(self._room.cloud_id, network_id, self._host)

    def _far(self, network_id: str) -> str:
        return device(EDGE, f"{self._host}/{network_id}")

    def _standing(self) -> list[tuple[str, str]]:
        """Networks whose bridges are on this host, with their namespaces."""
        found = []
        for name in self._room.namespaces():
            edge = parse_edge(self._room.cloud_id, name)
            if edge is not None and edge[1] == self._host and self._room.stands(name):
                found.append((edge[0], name))
        return found

    def _forget_the_lost(self) -> None:
        """Drop wishes whose namespaces went with the machine's last boot, or with a killed holder."""
        standing = {network_id for network_id, _ in self._standing()}
        for network in self._networks.all():
            if network.id not in standing:
                self._networks.drop(network.id)
                self._wires.filters.forget(network.id)
        for port in self._ports.all():
            if port.network_id not in standing:
                self._ports.drop(port.id)
