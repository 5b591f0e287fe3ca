"""A network's devices: which ``ip`` commands bring its namespace from what it is to what it shall be. Pure."""

import ipaddress
from collections.abc import Collection, Mapping

from minicloud.drivers.fabric import Network, Subnet
from minicloud.drivers.fabric.linux.dhcp import is_ipv4, serves_ipv6
from minicloud.drivers.fabric.linux.guard import link_local
from minicloud.drivers.fabric.linux.names import (
    BRIDGE,
    EDGE,
    HOST_LEG,
    METADATA,
    NETWORK_SIDE,
    TAP,
    UPLINK,
    bridge_mac,
    host_side,
)
from minicloud.drivers.fabric.linux.room import Link


def wish(network: Network, links: Mapping[str, Link], down: Collection[str] = ()) -> list[str]:
    """Commands inside the network's namespace; empty when it is as it shall be. What carries traffic is left alone.

    ``down`` are taps that shall carry nothing.
    """
    lines = bridge(network, links, bridge_mac(network.id), addresses(network))
    lines += [f"route replace {s.cidr} dev {BRIDGE} scope link" for s in _unaddressed(network)]
    return lines + legs(links, down)


def bridge(network: Network, links: Mapping[str, Link], mac: str, wanted: list[str]) -> list[str]:
    """Commands that make the bridge of a network in a namespace, with these addresses with prefix lengths."""
    lines = []
    if "lo" not in links or not links["lo"].up:
        lines.append("link set dev lo up")
    there = links.get(BRIDGE)
    if there is None:
        lines += [
            f"link add name {BRIDGE} address {mac} type bridge stp_state 0 forward_delay 0",
            # Its addresses are given here alone, an IPv6 one of its own making among them would be in every guest's reach.
            f"link set dev {BRIDGE} mtu {network.mtu} addrgenmode none alias {network.id} up",
        ]
    elif there.mtu != network.mtu or not there.up:
        lines.append(f"link set dev {BRIDGE} mtu {network.mtu} up")
    had = there.addresses if there else frozenset()
    lines += [added(a, BRIDGE) for a in wanted if a not in had]
    return lines + [f"address delete {a} dev {BRIDGE}" for a in sorted(had) if a not in wanted]


def legs(links: Mapping[str, Link], down: Collection[str]) -> list[str]:
    """Commands that put back on the bridge what belongs there."""
    lines = []
    for link in links.values():
        up = link.name not in down
        if is_leg(link.name) and (link.master != BRIDGE or link.up != up):
            lines.append(f"link set dev {link.name} master {BRIDGE} {'up' if up else 'down'}")
    return lines


def addresses(network: Network) -> list[str]:
    """The bridge's own addresses with prefix lengths: where DHCP listens on each subnet, and the metadata service's."""
    own = [
        str(ipaddress.ip_interface(f"{s.dhcp_address}/{ipaddress.ip_network(s.cidr).prefixlen}"))
        for s in network.subnets
        if s.dhcp_address is not None
    ]
    # DHCPv6 answers from a link-local address.
    own += [f"{link_local(bridge_mac(network.id))}/64"] if serves_ipv6(network) else []
    return [*own, f"{METADATA}/32"]


def added(address: str, device: str) -> str:
    """The command that gives a device an address. One of IPv6 is used at once: nobody else can have it, by our records."""
    return f"address add {address} dev {device}{'' if is_ipv4(address) else ' nodad'}"


def is_leg(device: str) -> bool:
    """Whether a device of a network's namespace belongs on its bridge."""
    return device in (HOST_LEG, UPLINK) or device.startswith((TAP, NETWORK_SIDE, EDGE))


def skipped(network: Network) -> list[str]:
    """What of the network stays without service, in words."""
    words = []
    for subnet in network.subnets:
        if subnet.dhcp and subnet.dhcp_address is None and (is_ipv4(subnet.cidr) or subnet.ipv6_mode):
            words.append(f"subnet {subnet.cidr}: DHCP is wished, but there is no address to serve it from")
    return words


def host_leg(cloud_id: str, network: Network) -> tuple[str, str] | None:
    """The machine's own (device, address with prefix length) on an external network; None when there is nothing to take."""
    if not network.external:
        return None
    for subnet in network.subnets:
        if subnet.gateway is not None and is_ipv4(subnet.cidr):
            length = ipaddress.ip_network(subnet.cidr).prefixlen
            return host_side(cloud_id, network.id), f"{subnet.gateway}/{length}"
    return None


def collision(address: str, own: str, links: Mapping[str, Link], routes: list[str]) -> str | None:
    """Why the machine must not take this address: something of its own lies in the same range. None: nothing does."""
    wished = ipaddress.ip_interface(address).network
    for link in links.values():
        for other in filter(is_ipv4, link.addresses):
            if link.name != own and ipaddress.ip_interface(other).network.overlaps(wished):
                return f"{link.name} has {other}"
    mine = {str(ipaddress.ip_interface(a).network) for a in (links[own].addresses if own in links else ())}
    for route in filter(is_ipv4, routes):
        if route == "default" or route in mine:
            continue
        if ipaddress.ip_network(route, strict=False).overlaps(wished):
            return f"there is a route to {route}"
    return None


def _unaddressed(network: Network) -> list[Subnet]:
    """Subnets without an address of ours: replies of the metadata service still have to find their guests."""
    return [s for s in network.subnets if s.dhcp_address is None and is_ipv4(s.cidr)]
