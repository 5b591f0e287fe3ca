"""What a packet meets at a port: its wire, its address, anti-spoofing, security groups; each verdict with its reason. Pure."""

import ipaddress
from collections.abc import Mapping, Sequence

import msgspec

from minicloud.core.network.wished import (
    GroupWish,
    NetworkWish,
    PortWish,
    RouterPortWish,
    RouterWish,
    RuleWish,
    SubnetWish,
)

NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """The first packet of a conversation; ``protocol`` is icmp, tcp or udp, ``port`` where it is for with the latter two."""

    source: str
    destination: str
    protocol: str = "icmp"
    port: int | None = None

    @property
    def version(self) -> int:
        """The IP version."""
        return 6 if ":" in self.destination else 4


class Step(msgspec.Struct, frozen=True):
    """A place on the way; ``passes`` None: from here on it is not ours to know."""

    at: str
    passes: bool | None
    why: str


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All that the way may lead through. ``names`` of networks, routers, groups and servers, by id."""

    networks: Mapping[str, NetworkWish]
    routers: Sequence[RouterWish]
    cards: Sequence[PortWish]
    names: Mapping[str, str] = {}

    def name(self, identity: str) -> str:
        """What something is called, or its id."""
        return self.names.get(identity) or identity


def wire(picture: Picture, card: PortWish) -> Step:
    """Whether a port has a wire at all."""
    named = who(picture, card)
    if not card.host:
        return Step("wire", False, f"{named} is bound to no host: no server runs with it")
    if not card.up:
        return Step("wire", False, f"{named} is administratively down")
    return Step("wire", True, f"{named} is wired on {card.host}")


def address_of(picture: Picture, card: PortWish, packet: Packet) -> list[Step]:
    """How the card comes by the address that it sends from, where that is one of the port's."""
    network = picture.networks[card.network_id]
    if (":" in packet.source) != (":" in packet.destination):
        return [Step("address", False, f"{packet.source} and {packet.destination} are of different IP versions")]
    if packet.source not in card.addresses:
        return []
    subnet = _home(network, packet.source)
    if subnet is None:
        return []
    if subnet.ipv6_mode in ("slaac", "dhcpv6-stateless"):
        told = any(advert.cidr == subnet.cidr for end in _ends(picture, network.id) for advert in end.adverts)
        why = "makes this address out of what a router advertises" if told else "hears of no router that advertises it"
        return [Step("address", told, f"a card in {subnet.cidr} {why}")]
    if not subnet.dhcp:
        return [Step("address", True, f"{subnet.cidr} has no DHCP: the guest must know {packet.source} by itself")]
    return [Step("dhcp", True, f"{subnet.dhcp_address} hands {packet.source} to {card.mac}")]


def spoofing(card: PortWish, packet: Packet) -> Step:
    """Whether the port may send from this address."""
    if not card.port_security:
        return Step("anti-spoofing", True, "the port has no port security: it may send from any address")
    own = [*card.addresses, *(address for address, _ in card.allowed_pairs)]
    if any(lies_in(packet.source, address) for address in own):
        return Step("anti-spoofing", True, f"the port may send from {packet.source}")
    return Step("anti-spoofing", False, f"the port may send from {', '.join(own)}, not from {packet.source}")


def filtered(picture: Picture, card: PortWish, packet: Packet, *, ingress: bool) -> Step:
    """Whether the port's security groups let the packet in or out."""
    at, way = ("ingress", "in") if ingress else ("egress", "out")
    if not card.port_security:
        return Step(at, True, "the port has no port security: nothing is filtered")
    network = picture.networks[card.network_id]
    groups = [group for group in network.groups if group.id in card.groups]
    for group in groups:
        rule = _allowing(group, network, packet, ingress=ingress)
        if rule is not None:
            answers = "" if group.stateful else "; the group is stateless, so answers need a rule of their own"
            return Step(at, True, f"security group {picture.name(group.id)} lets {_rule(picture, rule)} {way}{answers}")
    names = ", ".join(picture.name(group.id) for group in groups)
    none = f"no rule of {names}" if names else "the port has no security group: nothing"
    return Step(at, False, f"{none} lets {what(packet)} {'from' if ingress else 'to'} {_peer(packet, ingress)} {way}")


def _allowing(group: GroupWish, network: NetworkWish, packet: Packet, *, ingress: bool) -> RuleWish | None:
    return next((r for r in group.rules if r.ingress == ingress and allows(r, network.members, packet)), None)


def allows(rule: RuleWish, members: Mapping[str, Sequence[str]], packet: Packet) -> bool:
    """Whether a rule lets a packet pass in the rule's direction."""
    peer = _peer(packet, rule.ingress)
    if rule.version != packet.version:
        return False
    if rule.remote is not None and not lies_in(peer, rule.remote):
        return False
    if rule.members_of is not None and not any(lies_in(peer, member) for member in members.get(rule.members_of, ())):
        return False
    icmp = packet.protocol == "icmp"
    if (
        rule.protocol is not None
        and rule.protocol != NUMBERS["icmpv6" if icmp and packet.version == 6 else packet.protocol]
    ):
        return False
    if rule.first is None:
        return True
    if icmp:
        # A ping is what is asked about: an echo request.
        return rule.first == (128 if packet.version == 6 else 8) and rule.last in (None, 0)
    return packet.port is not None and rule.first <= packet.port <= (rule.last if rule.last is not None else rule.first)


def _ends(picture: Picture, network_id: str) -> list[RouterPortWish]:
    return [end for router in picture.routers for end in router.interfaces if end.network_id == network_id]


def _home(network: NetworkWish, address: str) -> SubnetWish | None:
    return next((subnet for subnet in network.subnets if lies_in(address, subnet.cidr)), None)


def lies_in(address: str, cidr: str) -> bool:
    """Whether an address is in a CIDR, which may be a single address."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)


def _peer(packet: Packet, ingress: bool) -> str:
    return packet.source if ingress else packet.destination


def what(packet: Packet) -> str:
    """A packet in few words."""
    return packet.protocol if packet.port is None else f"{packet.protocol} {packet.port}"


def _rule(picture: Picture, rule: RuleWish) -> str:
    words = [
        next(
            (n for n, number in NUMBERS.items() if number == rule.protocol),
            "anything" if rule.protocol is None else f"protocol {rule.protocol}",
        )
    ]
    if rule.first is not None:
        words.append(str(rule.first) if rule.last in (None, rule.first) else f"{rule.first} to {rule.last}")
    peer = rule.remote or (picture.name(rule.members_of) if rule.members_of else None)
    return " ".join([*words, *([f"{'from' if rule.ingress else 'to'} {peer}"] if peer else [])])


def who(picture: Picture, card: PortWish) -> str:
    """A port and whose it is."""
    return f"port {card.id}" + (f" of {picture.name(card.machine_id)}" if card.machine_id else "")
