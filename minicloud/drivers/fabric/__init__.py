"""The fabric promise: networks, ports and the way to the metadata service on one host. Keepers: ``fake``, ``linux`` and ``user``.

``linux`` builds bridges, taps, DHCP and routers inside network namespaces that the cloud owns, as root or in a user
namespace; ``user`` uses QEMU's own user networking where a machine allows nothing else. Specs describe wishes; every verb
brings a state about and may be repeated; ``ensure_network`` with a changed spec mends the difference without cutting traffic.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

import msgspec


class TapPlug(msgspec.Struct, frozen=True, kw_only=True, tag="tap"):
    """A tap device ``name``, to be opened inside the network namespace at ``namespace`` (a path), by a setns thread.

    ``enter_pid`` is the process whose user namespace has to be entered first when the fabric works without root. It is opened
    once for each of its ``queues``.
    """

    namespace: str
    name: str
    enter_pid: int | None = None
    queues: int = 1


class UserPlug(msgspec.Struct, frozen=True, kw_only=True, tag="user"):
    """QEMU user networking: its ``-netdev user`` options, ready but for the id; ``ssh`` is the forwarded host:port of port 22."""

    options: str
    ssh: str | None = None


class FakePlug(msgspec.Struct, frozen=True, kw_only=True, tag="fake"):
    """A port of simulated machines."""

    name: str


Plug = TapPlug | UserPlug | FakePlug


class Subnet(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet on a network. ``dhcp_address`` is where DHCP and metadata listen (the ``network:dhcp`` port's address).

    ``ipv6_mode`` tells how cards get IPv6 addresses: ``slaac``, ``dhcpv6-stateful``, ``dhcpv6-stateless``; None: not by us.
    """

    id: str
    cidr: str
    gateway: str | None = None
    dhcp: bool = True
    dhcp_address: str | None = None
    dns_servers: list[str] = []
    host_routes: list[tuple[str, str]] = []
    ipv6_mode: str | None = None


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A fixed address that DHCP hands to a card; ``options`` are further ones by dnsmasq's names or numbers."""

    mac: str
    address: str
    hostname: str
    options: list[tuple[str, str]] = []


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What a security group lets pass: all that is given must hold. Numbers are those of IP; for ICMP ``first`` is the type.

    ``remote`` is a CIDR, ``members_of`` a key of the network's ``members``: where it may come from, or go to.
    """

    ingress: bool
    version: int
    protocol: int | None = None
    first: int | None = None
    last: int | None = None
    remote: str | None = None
    members_of: str | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A security group; with ``stateful`` the answers to what passed may pass, too."""

    id: str
    stateful: bool = True
    rules: list[Rule] = []


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network as this host shall have it: subnets and every lease, and the security groups of its ports here.

    ``external`` asks for a leg of the machine itself on the network, with the gateway's address, where that is free.
    ``members`` are addresses and CIDRs by the names under which rules refer to them.
    """

    id: str
    mtu: int = 1450
    external: bool = False
    subnets: list[Subnet] = []
    leases: list[Lease] = []
    groups: list[Group] = []
    members: dict[str, list[str]] = {}


class Advert(msgspec.Struct, frozen=True, kw_only=True):
    """An IPv6 prefix that a router tells its neighbours of; ``mode`` as a subnet's ``ipv6_mode``."""

    cidr: str
    mode: str
    dns_servers: list[str] = []


class RouterPort(msgspec.Struct, frozen=True, kw_only=True):
    """An interface of a router: addresses with prefix lengths (``10.0.0.1/24``) on a network, and prefixes to advertise there."""

    id: str
    network_id: str
    mac: str
    addresses: list[str]
    adverts: list[Advert] = []


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """Ports of a floating address that lead to ports of a fixed one: equally many of each, from the ``first`` ones on."""

    protocol: Literal["tcp", "udp"]
    floating: str
    first: int
    last: int
    fixed: str
    fixed_first: int


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """How much may pass one way: kilobits per second, and kilobits that may pass at once.

    What passes at once does so at the speed of the wire, or at ``peak_kbps`` where that is more than ``kbps``.
    """

    kbps: int
    burst_kb: int = 0
    peak_kbps: int = 0


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What the traffic of a port is held to: limits as the guest sees the directions, and the DSCP mark of what it sends."""

    egress: Limit | None = None
    ingress: Limit | None = None
    dscp: int | None = None


class Router(msgspec.Struct, frozen=True, kw_only=True):
    """A router as this host shall have it. ``floating`` maps floating to fixed addresses, ``routes`` are (CIDR, next hop).

    ``next_hops`` are where what has no other route goes, at most one of each IP version. A floating address of which only
    some ports lead inside stands in ``forwards`` alone. ``limits`` hold what passes the gateway from and to single IPv4
    addresses there, its own and floating ones: as the cloud sees the directions, ``egress`` is what leaves it.
    """

    id: str
    interfaces: list[RouterPort] = []
    gateway: RouterPort | None = None
    next_hops: list[str] = []
    snat: bool = True
    floating: dict[str, str] = {}
    forwards: list[Forward] = []
    routes: list[tuple[str, str]] = []
    limits: dict[str, Quality] = {}


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's port. ``addresses`` are its fixed addresses, for anti-spoofing and for SSH.

    ``allowed_pairs`` are further (address or CIDR, MAC) that it may send from; without ``port_security`` it may send anything.
    ``groups`` are ids of its network's groups: what none of them lets pass is dropped. None: nothing is filtered. One that
    is not ``up`` carries nothing. ``queues``: how many of the machine's processors may send and receive at once.
    """

    id: str
    network_id: str
    mac: str
    mtu: int = 1450
    addresses: list[str] = []
    machine_id: str = ""
    port_security: bool = True
    allowed_pairs: list[tuple[str, str]] = []
    groups: list[str] | None = None
    up: bool = True
    quality: Quality = Quality()
    queues: int = 1


class FabricFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What this host's fabric is and holds: ``kind`` is ``fake``, ``linux`` or ``user``; ids of what stands."""

    kind: str
    rootless: bool = False
    networks: list[str] = []
    routers: list[str] = []
    ports: list[str] = []


class MetadataCaller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for metadata, by where the connection really came from: exactly one of network, router or port is set."""

    address: str
    network_id: str | None = None
    router_id: str | None = None
    port_id: str | None = None


class MetadataRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A guest's HTTP request to 169.254.169.254:80."""

    caller: MetadataCaller
    method: str
    path: str
    headers: dict[str, str] = {}
    body: bytes = b""


class MetadataReply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to it."""

    status: int
    content_type: str = "text/plain; charset=UTF-8"
    body: bytes = b""


AnswerMetadata = Callable[[MetadataRequest], Awaitable[MetadataReply]]
"""The agent's way to the control side's metadata service; raises CloudError when it cannot answer (503 to the guest)."""


class Fabric(Protocol):
    """Wires networks and ports of one host."""

    async def open(self, answer_metadata: AnswerMetadata) -> None:
        """Find what an earlier process left standing, and serve metadata on it again."""

    async def close(self) -> None:
        """Stop serving; networks of living machines stand, so that guests keep their connections."""

    async def ensure_network(self, network: Network) -> None:
        """The network stands as wished, DHCP and metadata listeners included. Raises Invalid, ToolMissing, Failed."""

    async def ensure_no_network(self, network_id: str) -> None:
        """Nothing of the network is left, nor of the ports that were on it."""

    async def ensure_router(self, router: Router) -> None:
        """The router stands as wished. Raises NotFound when one of its networks does not stand."""

    async def ensure_no_router(self, router_id: str) -> None:
        """Nothing of the router is left."""

    async def ensure_port(self, port: Port) -> Plug:
        """The port is wired; the plug says how a machine reaches it. Raises NotFound when its network does not stand."""

    async def ensure_no_port(self, port_id: str) -> None:
        """Nothing of the port is left."""

    async def facts(self) -> FabricFacts:
        """What stands."""

    async def purge(self) -> None:
        """Nothing that this cloud ever made is left on the machine: namespaces, devices, processes, files."""

    async def reach(self, port: Port, tcp_port: int) -> list[str]:
        """The argument list of a program that joins its stdin and stdout to this TCP port of the guest (an SSH ProxyCommand).

        Raises Unavailable when this fabric has no way to that guest's port.
        """
