"""The shapes of what a host shall hold of the network; equal to those that hosts are sent, field for field."""

import msgspec


class SubnetWish(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet as a host shall have it."""

    id: str
    cidr: str
    gateway: str | None
    dhcp: bool
    dhcp_address: str | None
    dns_servers: list[str]
    host_routes: list[tuple[str, str]]
    ipv6_mode: str | None


class LeaseWish(msgspec.Struct, frozen=True, kw_only=True):
    """An address that DHCP shall hand to a card."""

    mac: str
    address: str
    hostname: str
    options: list[tuple[str, str]] = []


class RuleWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a security group lets pass; ``members_of`` is a key of the network's ``members``."""

    ingress: bool
    version: int
    protocol: int | None
    first: int | None
    last: int | None
    remote: str | None
    members_of: str | None


class GroupWish(msgspec.Struct, frozen=True, kw_only=True):
    """A security group as a host shall have it."""

    id: str
    stateful: bool
    rules: list[RuleWish]


class NetworkWish(msgspec.Struct, frozen=True, kw_only=True):
    """A network as a host shall have it; ``groups`` are those of its ports there, ``members`` the addresses that they name."""

    id: str
    mtu: int
    external: bool
    subnets: list[SubnetWish]
    leases: list[LeaseWish]
    groups: list[GroupWish] = []
    members: dict[str, list[str]] = {}


class AdvertWish(msgspec.Struct, frozen=True, kw_only=True):
    """An IPv6 prefix that a router tells its neighbours of."""

    cidr: str
    mode: str
    dns_servers: list[str]


class RouterPortWish(msgspec.Struct, frozen=True, kw_only=True):
    """An interface of a router; addresses with prefix lengths."""

    id: str
    network_id: str
    mac: str
    addresses: list[str]
    adverts: list[AdvertWish]


class ForwardWish(msgspec.Struct, frozen=True, kw_only=True):
    """Ports of a floating address that lead to ports of a fixed one."""

    protocol: str
    floating: str
    first: int
    last: int
    fixed: str
    fixed_first: int


class LimitWish(msgspec.Struct, frozen=True, kw_only=True):
    """How much may pass one way; while a burst lasts, no faster than ``peak_kbps``, unless that is 0."""

    kbps: int
    burst_kb: int
    peak_kbps: int = 0


class QualityWish(msgspec.Struct, frozen=True, kw_only=True):
    """What the traffic of a port, or of an address at a router's gateway, is held to."""

    egress: LimitWish | None = None
    ingress: LimitWish | None = None
    dscp: int | None = None


class RouterWish(msgspec.Struct, frozen=True, kw_only=True):
    """A router as a host shall have it; ``limits`` are those of addresses at its gateway, its own and floating ones."""

    id: str
    interfaces: list[RouterPortWish]
    gateway: RouterPortWish | None
    next_hops: list[str]
    snat: bool
    floating: dict[str, str]
    forwards: list[ForwardWish]
    routes: list[tuple[str, str]]
    limits: dict[str, QualityWish] = {}

    @property
    def network_ids(self) -> list[str]:
        """The networks that it joins."""
        ends = [*self.interfaces, *([self.gateway] if self.gateway else [])]
        return list(dict.fromkeys(end.network_id for end in ends))


class PortWish(msgspec.Struct, frozen=True, kw_only=True):
    """A server's port as its host shall have it. ``host`` is where it is bound, '' when nowhere."""

    id: str
    network_id: str
    mac: str
    mtu: int
    addresses: list[str]
    machine_id: str
    port_security: bool
    allowed_pairs: list[tuple[str, str]]
    groups: list[str]
    host: str
    up: bool = True
    quality: QualityWish = QualityWish()
    queues: int = 1
