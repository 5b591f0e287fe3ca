"""LinuxFabric: the promise kept with bridges, taps, veths, dnsmasq and nftables, in namespaces that are found again by name."""

import shutil
from collections import defaultdict
from functools import partial
from pathlib import Path

import anyio

from minicloud.base import trace
from minicloud.base.errors import CloudError, NotFound, Unavailable
from minicloud.drivers.fabric import (
    AnswerMetadata,
    FabricFacts,
    Network,
    Plug,
    Port,
    Router,
)
from minicloud.drivers.fabric.background import Background
from minicloud.drivers.fabric.checks import check_id, check_network, check_port, check_router, router_ports
from minicloud.drivers.fabric.linux import networks
from minicloud.drivers.fabric.linux.advertisers import Advertisers
from minicloud.drivers.fabric.linux.dhcp import is_ipv4
from minicloud.drivers.fabric.linux.dnsmasq import Dnsmasqs
from minicloud.drivers.fabric.linux.doors import Doors
from minicloud.drivers.fabric.linux.hostlegs import HostLegs
from minicloud.drivers.fabric.linux.names import (
    BRIDGE,
    GATEWAY_SIDE,
    ROUTER_SIDE,
    check_cloud_id,
    network_namespace,
    parse_namespace,
    router_namespace,
)
from minicloud.drivers.fabric.linux.reaching import way_to
from minicloud.drivers.fabric.linux.room import GONE, Room, connect_argv
from minicloud.drivers.fabric.linux.routing import Routing
from minicloud.drivers.fabric.linux.wayout import WayOut
from minicloud.drivers.fabric.linux.wires import Wires
from minicloud.drivers.fabric.metadata import Limits, MetadataServer
from minicloud.drivers.fabric.together import together
from minicloud.drivers.fabric.wishes import Wishes
from minicloud.drivers.privatefolder import make_private

FILTERED = {
    "bridge/bridge-nf-call-iptables": "1",
    "bridge/bridge-nf-call-ip6tables": "1",
    f"ipv6/conf/{BRIDGE}/accept_ra": "0",
}
"""What makes security groups see the frames that a bridge carries, and the bridge deaf to what routers advertise on it."""


class LinuxFabric:
    """A cloud's networks on one machine.

    ``cloud_id`` (small letters and digits) marks everything it makes, so that clouds live side by side; ``folder`` keeps its
    files. ``rootless``: inside a user namespace. ``host_legs``: the machine takes part in external networks. ``outside``:
    it leads them beyond itself as well.
    """

    def __init__(
        self,
        cloud_id: str,
        folder: Path,
        *,
        rootless: bool = False,
        host_legs: bool = True,
        outside: bool = False,
        limits: Limits | None = None,
    ) -> None:
        check_cloud_id(cloud_id)
        self._cloud_id = cloud_id
        self._folder = folder.resolve()
        self._limits = limits
        self._networks = Wishes(self._folder / "networks", Network)
        self._routers = Wishes(self._folder / "routers", Router)
        self._ports = Wishes(self._folder / "ports", Port)
        self._background = Background()
        self._room = Room(cloud_id, self._folder, rootless=rootless)
        self._dnsmasqs = Dnsmasqs(self._room, self._folder / "dhcp", self._background)
        self._routing = Routing(self._room, Advertisers(self._room, self._folder / "adverts", self._background))
        self._wires = Wires(self._room, self._networks, self._ports, partial(network_namespace, cloud_id))
        self._legs = HostLegs(self._room, wished=host_legs)
        self._way = WayOut(self._room, self._folder, wished=outside)
        self._doors: Doors | None = None
        self._users = 0
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    @property
    def room(self) -> Room:
        """Where everything is."""
        return self._room

    async def open(self, answer_metadata: AnswerMetadata) -> None:
        # The hosts of a process may share it: it opens for the first and closes after the last.
        self._users += 1
        if self._users > 1:
            return
        make_private(self._folder)
        await self._room.open()
        await self._background.start()
        self._doors = Doors(self._room, self._background, MetadataServer(answer_metadata, self._limits))
        for wishes in (self._networks, self._routers, self._ports):
            wishes.load()
        await self._forget_the_lost()
        await together(*(partial(self._adopt, namespace) for namespace in self._standing()))

    async def close(self) -> None:
        self._users = max(0, self._users - 1)
        if self._users:
            return
        if self._doors is not None:
            self._doors.shut_all()
            self._doors = None
        await self._background.stop()
        self._room.let_go()

    async def ensure_network(self, network: Network) -> None:
        check_network(network)
        async with self._locks[network.id]:
            await self.check_room()
            namespace = network_namespace(self._cloud_id, network.id)
            self._networks.put(network)
            fresh = await self._room.ensure_namespace(namespace)
            links = {} if fresh else await self._room.links(namespace)
            rebuilt = BRIDGE not in links
            await together(
                partial(self._wires.filters.network, namespace, network, fresh=fresh),
                partial(self._room.ip, namespace, networks.wish(network, links, self._wires.down(network.id))),
            )
            await together(
                partial(self._dnsmasqs.ensure, network, anew=rebuilt),
                partial(
                    self._opened().ensure,
                    namespace,
                    {"write": FILTERED} if rebuilt else {},
                    anew=fresh,
                    network_id=network.id,
                ),
                partial(self._legs.ensure, network),
            )
        if network.external:
            await self._lead_out()
        for words in networks.skipped(network):
            trace.note("fabric_skipped", network=network.id, what=words)

    async def ensure_no_network(self, network_id: str) -> None:
        check_id("network", network_id)
        async with self._locks[network_id]:
            await self.check_room()
            namespace = network_namespace(self._cloud_id, network_id)
            self._opened().shut(namespace)
            await self._dnsmasqs.ensure_none(network_id)
            await self._legs.ensure_none(network_id)
            await self.tear_down(namespace)
            for port in self._wires.on(network_id):
                self._ports.drop(port.id)
            self._networks.drop(network_id)
            self._wires.filters.forget(network_id)
        self._locks.pop(network_id, None)
        await self._lead_out()

    async def ensure_router(self, router: Router) -> None:
        check_router(router)
        async with self._locks[router.id]:
            await self.check_room()
            mtus = {}
            for port in router_ports(router):
                network = self._networks.get(port.network_id)
                if network is None or not self._room.stands(network_namespace(self._cloud_id, port.network_id)):
                    raise no_network(port.network_id)
                mtus[port.network_id] = network.mtu
            self._routers.put(router)
            await self._routing.ensure(router, mtus, self._opened())

    async def ensure_no_router(self, router_id: str) -> None:
        check_id("router", router_id)
        async with self._locks[router_id]:
            await self.check_room()
            namespace = router_namespace(self._cloud_id, router_id)
            self._opened().shut(namespace)
            await self._routing.ensure_none(router_id)
            await self.tear_down(namespace)
            self._routers.drop(router_id)
        self._locks.pop(router_id, None)

    async def ensure_port(self, port: Port) -> Plug:
        check_port(port)
        before = self._ports.get(port.id)
        if before is not None and before.network_id != port.network_id:
            await self.ensure_no_port(port.id)
        async with self._locks[port.network_id]:
            await self.check_room()
            namespace = network_namespace(self._cloud_id, port.network_id)
            if not self._room.stands(namespace):
                raise no_network(port.network_id)
            return await self._wires.ensure(port)

    async def ensure_no_port(self, port_id: str) -> None:
        check_id("port", port_id)
        port = self._ports.get(port_id)
        if port is None:
            return
        async with self._locks[port.network_id]:
            await self.check_room()
            await self._wires.ensure_none(port)

    def standing(self) -> tuple[list[str], list[str]]:
        """Ids of the networks and of the routers that stand."""
        found: dict[str, list[str]] = {"n": [], "r": []}
        for namespace in self._standing():
            kind, identity = parse_namespace(self._cloud_id, namespace) or ("", "")
            found[kind].append(identity)
        return sorted(found["n"]), sorted(found["r"])

    async def facts(self) -> FabricFacts:
        networks, routers = self.standing()
        taps: list[str] = []

        async def look(network_id: str) -> None:
            taps.extend(await self._wires.standing(network_namespace(self._cloud_id, network_id)))

        await together(*(partial(look, network_id) for network_id in networks))
        return FabricFacts(
            kind="linux", rootless=self._room.rootless, networks=networks, routers=routers, ports=sorted(taps)
        )

    async def purge(self) -> None:
        if self._doors is not None:
            self._doors.shut_all()
        both = (self._dnsmasqs, self._routing.advertisers)
        await together(*(partial(daemons.ensure_none, of) for daemons in both for of in daemons.known()))
        if self._room.find():
            await self._legs.purge()
            await self._way.ensure_none()
            await together(*(partial(self.tear_down, namespace) for namespace in self._room.namespaces()))
        await self._room.demolish()
        for name in ("networks", "routers", "ports", "dhcp", "adverts", "hosts"):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        for wishes in (self._networks, self._routers, self._ports):
            wishes.load()
        self._wires.filters.forget_all()
        trace.note("fabric", did="purge", cloud=self._cloud_id)

    async def reach(self, port: Port, tcp_port: int) -> list[str]:
        address = next((a for a in port.addresses if is_ipv4(a)), None)
        if address is None:
            raise Unavailable(f"port {port.id} has no IPv4 address to connect to", port=port.id)
        namespace = way_to(self._cloud_id, port.network_id, address, self._networks, self._routers)
        if namespace is None or not self._room.stands(namespace):
            raise Unavailable(
                f"no way to {address}: its network has neither a DHCP address nor a router on this host",
                port=port.id,
                network=port.network_id,
            )
        return connect_argv(self._room.path(namespace), self._room.holder_pid, address, tcp_port)

    async def _lead_out(self) -> None:
        external = [network for network in self._networks.all() if network.external]
        try:
            async with self._locks["way out"]:
                await self._way.ensure(s.cidr for network in external for s in network.subnets if is_ipv4(s.cidr))
        except CloudError as error:
            # Guests that reach each other and not the world are better off than guests that reach nobody.
            trace.note("fabric_skipped", what=f"the way out of this machine: {error.message}")

    async def tear_down(self, namespace: str) -> None:
        """Devices go before their namespace, whose own end may wait for whoever still holds it open."""
        if self._room.stands(namespace):
            links = await self._room.links(namespace)
            lines = [
                f"link delete dev {name}"
                for name in links
                if networks.is_leg(name) or name.startswith((ROUTER_SIDE, GATEWAY_SIDE))
            ]
            if lines:
                await self._room.ip_as_far_as_possible(namespace, lines, may_fail=GONE)
        await self._room.ensure_no_namespace(namespace)

    async def _adopt(self, namespace: str) -> None:
        kind, identity = parse_namespace(self._cloud_id, namespace) or ("", "")
        try:
            if kind == "n":
                await self._dnsmasqs.adopt(identity)
                await self._opened().ensure(namespace, {}, anew=False, network_id=identity)
            else:
                await self._routing.advertisers.adopt(identity)
                await self._opened().ensure(namespace, {}, anew=False, router_id=identity)
        except (CloudError, OSError) as error:
            # Half-made or damaged: ensure_network and ensure_router mend it, and say why when they cannot.
            trace.note("fabric", did="not adopted", namespace=namespace, why=str(error))

    async def _forget_the_lost(self) -> None:
        """Drop wishes whose namespaces went with the machine's last boot, or with a killed holder."""
        for network in self._networks.all():
            if not self._room.stands(network_namespace(self._cloud_id, network.id)):
                await self._dnsmasqs.ensure_none(network.id)
                self._networks.drop(network.id)
        for router in self._routers.all():
            if not self._room.stands(router_namespace(self._cloud_id, router.id)):
                await self._routing.advertisers.ensure_none(router.id)
                self._routers.drop(router.id)
        for port in self._ports.all():
            if self._networks.get(port.network_id) is None:
                self._ports.drop(port.id)

    async def check_room(self) -> None:
        """A killed holder is replaced, and what was in it forgotten. Raises Unavailable."""
        if not await self._room.check():
            self._opened().shut_all()
            self._wires.filters.forget_all()
            await self._way.lost()
            await self._forget_the_lost()

    def _standing(self) -> list[str]:
        names = self._room.namespaces()
        return [n for n in names if parse_namespace(self._cloud_id, n) is not None and self._room.stands(n)]

    def _opened(self) -> Doors:
        if self._doors is None:
            raise Unavailable("the fabric is not open")
        return self._doors


def no_network(network_id: str) -> NotFound:
    """The error for a network that is needed first."""
    return NotFound(f"network {network_id} does not stand on this host", network=network_id)
