"""A network's devices: which ``ip`` commands bring its namespace from what it is to what it shall be. Pure."""

import ipaddress
from collections.abc import Mapping

from minicloud.drivers.fabric import Network, Subnet
from minicloud.drivers.fabric.linux.dhcp import is_ipv4
from minicloud.drivers.fabric.linux.names import (
    BRIDGE,
    HOST_LEG,
    METADATA,
    NETWORK_SIDE,
    TAP,
    bridge_mac,
    host_side,
)
from minicloud.drivers.fabric.linux.room import Link


def wish(network: Network, links: Mapping[str, Link]) -> list[str]:
    """Commands inside the network's namespace; empty when it is as it shall be. What carries traffic is left alone."""
    lines = []
    if "lo" not in links or not links["lo"].up:
        lines.append("link set dev lo up")
    bridge = links.get(BRIDGE)
    if bridge is None:
        lines += [
            f"link add name {BRIDGE} address {bridge_mac(network.id)} type bridge stp_state 0 forward_delay 0",
            # The bridge speaks IPv4 only: a guest's router advertisements must not configure it.
            f"link set dev {BRIDGE} mtu {network.mtu} addrgenmode none alias {network.id} up",
        ]
    elif bridge.mtu != network.mtu or not bridge.up:
        lines.append(f"link set dev {BRIDGE} mtu {network.mtu} up")
    had = bridge.addresses if bridge else frozenset()
    wanted = addresses(network)
    lines += [f"address add {a} dev {BRIDGE}" for a in wanted if a not in had]
    lines += [f"address delete {a} dev {BRIDGE}" for a in sorted(had) if a not in wanted]
    lines += [f"route replace {s.cidr} dev {BRIDGE} scope link" for s in _unaddressed(network)]
    for link in links.values():
        if is_leg(link.name) and (link.master != BRIDGE or not link.up):
            lines.append(f"link set dev {link.name} master {BRIDGE} up")
    return lines


def addresses(network: Network) -> list[str]:
    """The bridge's own addresses with prefix lengths: where DHCP listens on each subnet, and the metadata service's."""
    own = [
        f"{s.dhcp_address}/{ipaddress.ip_network(s.cidr).prefixlen}"
        for s in network.subnets
        if s.dhcp_address is not None and is_ipv4(s.cidr)
    ]
    return [*own, f"{METADATA}/32"]


def is_leg(device: str) -> bool:
    """Whether a device of a network's namespace belongs on its bridge."""
    return device == HOST_LEG or device.startswith((TAP, NETWORK_SIDE))


def skipped(network: Network) -> list[str]:
    """What of the network stays without service, in words."""
    words = []
    for subnet in network.subnets:
        if not is_ipv4(subnet.cidr):
            words.append(
                f"subnet {subnet.cidr}: no DHCP, metadata or routing over IPv6; its frames pass between guests"
            )
        elif subnet.dhcp and subnet.dhcp_address is None:
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
        for other in link.addresses:
            if link.name != own and ipaddress.ip_interface(other).network.overlaps(wished):
                return f"{link.name} has {other}"
    mine = {str(ipaddress.ip_interface(a).network) for a in (links[own].addresses if own in links else ())}
    for route in routes:
        if route == "default" or route in mine:
            continue
        if ipaddress.ip_network(route, strict=False).overlaps(wished):
            return f"there is a route to {route}"
    return None


def _unaddressed(network: Network) -> list[Subnet]:
    """Subnets without an address of ours: replies of the metadata service still have to find their guests."""
    return [s for s in network.subnets if s.dhcp_address is None and is_ipv4(s.cidr)]
