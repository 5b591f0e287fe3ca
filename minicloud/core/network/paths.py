"""The way of a packet through wished networks: each place that lets it pass or does not, and why. Pure.

It judges by the same wishes that hosts build from, so it explains what they do, and not what a guest itself does with it.
"""

import ipaddress
from collections.abc import Iterable, Sequence

import msgspec

from minicloud.core.network.verdicts import (
    Packet,
    Picture,
    Step,
    address_of,
    filtered,
    lies_in,
    spoofing,
    what,
    who,
    wire,
)
from minicloud.core.network.wished import (
    ForwardWish,
    NetworkWish,
    PortWish,
    RouterPortWish,
    RouterWish,
)

METADATA = "169.254.169.254"
MOST_ROUTERS = 8
"""A packet that met so many goes in circles."""


def follow(picture: Picture, card: PortWish, packet: Packet) -> list[Step]:
    """The way of a packet that a card sends; the last step tells how it ends."""
    steps = [wire(picture, card), *address_of(picture, card, packet)]
    if _stopped(steps):
        return _until_stopped(steps)
    steps += [spoofing(card, packet), filtered(picture, card, packet, ingress=False)]
    if _stopped(steps):
        return _until_stopped(steps)
    return _until_stopped([*steps, *_from_card(picture, card, packet)])


def _from_card(picture: Picture, card: PortWish, packet: Packet) -> list[Step]:
    network = picture.networks[card.network_id]
    homes = [s for s in network.subnets if any(lies_in(address, s.cidr) for address in card.addresses)]
    if packet.destination == METADATA:
        return [Step("metadata", True, f"the metadata service answers on network {picture.name(network.id)}")]
    beside = next((s for s in homes if lies_in(packet.destination, s.cidr)), None)
    if beside is not None:
        return [Step("route", True, f"it lies beside the guest, in {beside.cidr}"), *_arrive(picture, network, packet)]
    routes = [route for s in homes for route in s.host_routes]
    routes += [("::/0" if ":" in s.gateway else "0.0.0.0/0", s.gateway) for s in homes if s.gateway is not None]
    hop = _longest(routes, packet.destination)
    if hop is None:
        return [Step("route", False, f"the guest has no route to {packet.destination}: its subnet has no gateway")]
    for router in picture.routers:
        for end in router.interfaces:
            if end.network_id == network.id and any(lies_in(hop, _bare(address)) for address in end.addresses):
                why = f"the way to {packet.destination} is over {hop}, router {picture.name(router.id)}"
                return [Step("route", True, why), *_route(picture, router, packet, end)]
    return [_hop(picture, network, hop, packet.destination)]


def _hop(picture: Picture, network: NetworkWish, hop: str, destination: str) -> Step:
    other = _card_at(picture, network, hop)
    if other is None:
        return Step("route", False, f"the way to {destination} is over {hop}, which no router and no port has")
    return Step("route", None, f"the way to {destination} is over {hop}, which is {who(picture, other)}: it decides")


def _route(picture: Picture, router: RouterWish, packet: Packet, came_by: RouterPortWish, met: int = 1) -> list[Step]:
    name = f"router {picture.name(router.id)}"
    if met > MOST_ROUTERS:
        return [Step("route", False, "it goes in circles between routers")]
    steps, inside = _translated(router, packet, name)
    for end in router.interfaces:
        if any(lies_in(inside.destination, address) for address in end.addresses):
            own = next(_bare(a) for a in end.addresses if (":" in a) == (inside.version == 6))
            if any(_bare(address) == inside.destination for address in end.addresses):
                return [*steps, Step("arrives", True, f"{inside.destination} is {name} itself")]
            if inside is not packet and router.gateway is not None and came_by.id != router.gateway.id:
                inside = msgspec.structs.replace(inside, source=own)
                steps.append(Step("nat", True, f"{name} sends it on as its own, so that answers come back by it"))
            network = picture.networks[end.network_id]
            steps.append(Step("router", True, f"{name} is on network {picture.name(network.id)}, too"))
            return [*steps, *_arrive(picture, network, inside)]
    if inside is not packet:
        return [*steps, Step("router", False, f"{name} is not on the network of {inside.destination} any more")]
    hop = _longest(router.routes, packet.destination)
    if hop is not None:
        return [*steps, *_over(picture, router, packet, hop, name, met)]
    return [*steps, *_out(picture, router, packet, name, met)]


def _translated(router: RouterWish, packet: Packet, name: str) -> tuple[list[Step], Packet]:
    """What a router leads inside by a floating address or one of its ports."""
    fixed, port = router.floating.get(packet.destination), packet.port
    if fixed is None:
        forward = next((f for f in router.forwards if _forwards(f, packet)), None)
        if forward is None:
            return [], packet
        fixed, port = forward.fixed, forward.fixed_first + (packet.port or 0) - forward.first
    to = fixed if port == packet.port else f"{fixed} port {port}"
    led = Step("nat", True, f"{name} leads the floating address {packet.destination} to {to}")
    return [led], msgspec.structs.replace(packet, destination=fixed, port=port)


def _forwards(forward: ForwardWish, packet: Packet) -> bool:
    return (
        forward.floating == packet.destination
        and forward.protocol == packet.protocol
        and packet.port is not None
        and forward.first <= packet.port <= forward.last
    )


def _over(picture: Picture, router: RouterWish, packet: Packet, hop: str, name: str, met: int) -> list[Step]:
    ends = [*router.interfaces, *([router.gateway] if router.gateway else [])]
    end = next((end for end in ends if any(lies_in(hop, address) for address in end.addresses)), None)
    if end is None:
        return [Step("router", False, f"{name} has a route over {hop}, which lies on none of its networks")]
    led = Step("router", True, f"{name} has a route to {packet.destination} over {hop}")
    for other in picture.routers:
        for there in [*other.interfaces, *([other.gateway] if other.gateway else [])]:
            if there.network_id == end.network_id and any(_bare(address) == hop for address in there.addresses):
                return [led, *_route(picture, other, packet, there, met + 1)]
    return [led, _hop(picture, picture.networks[end.network_id], hop, packet.destination)]


def _out(picture: Picture, router: RouterWish, packet: Packet, name: str, met: int) -> list[Step]:
    gateway = router.gateway
    if gateway is None:
        return [Step("router", False, f"{name} has no external gateway and no route to {packet.destination}")]
    own = next((_bare(a) for a in gateway.addresses if (":" in a) == (packet.version == 6)), None)
    floating = next((f for f, fixed in sorted(router.floating.items()) if fixed == packet.source), None)
    steps, outside = [], packet
    if floating is not None:
        outside = msgspec.structs.replace(packet, source=floating)
        steps.append(Step("nat", True, f"{name} sends it as {floating}, the floating address of {packet.source}"))
    elif router.snat and own is not None and packet.version == 4:
        outside = msgspec.structs.replace(packet, source=own)
        steps.append(Step("nat", True, f"{name} sends it as its own address {own}"))
    else:
        steps.append(
            Step("nat", True, f"{name} does not translate it: answers need a route to {packet.source} outside")
        )
    network = picture.networks[gateway.network_id]
    if not any(lies_in(packet.destination, subnet.cidr) for subnet in network.subnets):
        hop = next((hop for hop in router.next_hops if (":" in hop) == (packet.version == 6)), None)
        if hop is None:
            return [*steps, Step("router", False, f"{name} knows no next hop on {picture.name(network.id)}")]
        beyond = f"it leaves network {picture.name(network.id)} over {hop}: what is beyond decides"
        return [*steps, Step("outside", None, beyond)]
    return [*steps, *_arrive(picture, network, outside, met)]


def _inbound(picture: Picture, router: RouterWish, packet: Packet, end: RouterPortWish, met: int) -> list[Step]:
    name = f"router {picture.name(router.id)}"
    if any(_bare(address) == packet.destination for address in end.addresses):
        return [Step("arrives", True, f"{packet.destination} is {name} itself")]
    if packet.destination not in router.floating and not any(_forwards(forward, packet) for forward in router.forwards):
        return [Step("nat", False, f"{name} leads no {what(packet)} of {packet.destination} inside")]
    return _route(picture, router, packet, end, met + 1)


def _arrive(picture: Picture, network: NetworkWish, packet: Packet, met: int = 1) -> list[Step]:
    for router in picture.routers:
        end = router.gateway
        if end is not None and end.network_id == network.id:
            led = [*router.floating, *(forward.floating for forward in router.forwards)]
            if packet.destination in (*led, *map(_bare, end.addresses)):
                return _inbound(picture, router, packet, end, met)
    card = _card_at(picture, network, packet.destination)
    if card is None:
        if any(packet.destination in (s.dhcp_address, s.gateway) for s in network.subnets):
            return [Step("arrives", None, f"{packet.destination} is the network's own: DHCP, or a gateway")]
        return [Step("neighbour", False, f"nobody on network {picture.name(network.id)} has {packet.destination}")]
    steps = [wire(picture, card), filtered(picture, card, packet, ingress=True)]
    return [*steps, Step("arrives", True, f"{who(picture, card)} gets it from {packet.source}")]


def _card_at(picture: Picture, network: NetworkWish, address: str) -> PortWish | None:
    beside = [card for card in picture.cards if card.network_id == network.id]
    own = next((card for card in beside if address in card.addresses), None)
    pairs = (card for card in beside if any(lies_in(address, pair) for pair, _ in card.allowed_pairs))
    return own or next(pairs, None)


def _longest(routes: Iterable[tuple[str, str]], destination: str) -> str | None:
    matching = [
        (ipaddress.ip_network(to, strict=False).prefixlen, hop) for to, hop in routes if lies_in(destination, to)
    ]
    return max(matching, key=lambda found: found[0])[1] if matching else None


def _bare(address: str) -> str:
    return address.partition("/")[0]


def _stopped(steps: Iterable[Step]) -> bool:
    return any(step.passes is False for step in steps)


def _until_stopped(steps: Sequence[Step]) -> list[Step]:
    last = next((number for number, step in enumerate(steps) if step.passes is False), len(steps) - 1)
    return list(steps[: last + 1])
