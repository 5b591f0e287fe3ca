"""``minicloud net trace``: what a port and a destination are called, and the way of a packet between them."""

import ipaddress

import msgspec

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute import hosts, servers
from minicloud.core.compute.servers import Server
from minicloud.core.context import administrator
from minicloud.core.network import paths, pictures, wishes
from minicloud.core.network.rows import Port
from minicloud.core.network.verdicts import Packet, Step
from minicloud.core.network.wished import PortWish
from minicloud.engines.database import Transaction


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The way of a packet. ``arrives`` None: it leaves what the cloud knows of."""

    port: str
    packet: Packet
    steps: list[Step]
    arrives: bool | None


def way(
    tx: Transaction, *, port: str, destination: str, protocol: str = "icmp", number: int | None = None, source: str = ""
) -> Way:
    """The way of a conversation's first packet from a port to a destination.

    Both may be a port's id, name or address, or a server's id or name; the destination any address. Raises NotFound,
    Conflict (several have the name), Invalid.
    """
    if protocol not in ("icmp", "tcp", "udp"):
        raise Invalid(f"{protocol} is no protocol that can be asked about: say icmp, tcp or udp")
    if (number is None) != (protocol == "icmp") or (number is not None and not 1 <= number <= 65535):
        raise Invalid("TCP and UDP are asked about with a port from 1 to 65535, ICMP without one")
    card = _card(tx, port)
    if card is None:
        raise NotFound(f"No port and no server is called {port}, and none has it as an address")
    to = _address(destination) or _address_of(
        _card(tx, destination), destination, source or next(iter(card.addresses), "")
    )
    version = 6 if ":" in to else 4
    own = next((address for address in card.addresses if (":" in address) == (version == 6)), None)
    if not source and own is None:
        raise Invalid(f"{port} has no IPv{version} address to send to {to} from")
    packet = Packet(source=source or own or "", destination=to, protocol=protocol, port=number)
    picture = pictures.around(tx, card.network_id, to, [node.host for node in hosts.nodes(tx)] or None)
    machines = records.select_in(tx, Server, "id", sorted({one.machine_id for one in picture.cards}))
    names = {**picture.names, **{server.id: server.name for server in machines}}
    steps = paths.follow(msgspec.structs.replace(picture, names=names), card, packet)
    return Way(port=card.id, packet=packet, steps=steps, arrives=steps[-1].passes)


def _card(tx: Transaction, text: str) -> PortWish | None:
    found = records.find(tx, Port, text)
    several = [found] if found is not None else records.select(tx, Port, "name = ?", [text])
    if not several and _address(text):
        several = records.select(
            tx,
            Port,
            "device_owner LIKE 'compute:%' AND id IN (SELECT port_id FROM ip_allocations WHERE address = ?)",
            [_address(text)],
        )
    if len(several) > 1:
        raise Conflict(f"{len(several)} ports are called {text}: use an id ({', '.join(port.id for port in several)})")
    if several:
        return wishes.port_wish(tx, several[0].id)
    try:
        server = servers.named(tx, administrator(), text)
    except NotFound:
        return None
    return next(iter(wishes.port_wishes_of(tx, server.id)), None)


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _address_of(card: PortWish | None, text: str, like: str) -> str:
    if card is None or not card.addresses:
        raise NotFound(f"{text} is no address, and no server or port with one is called so")
    return next((address for address in card.addresses if (":" in address) == (":" in like)), card.addresses[0])
