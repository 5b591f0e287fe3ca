"""A router's devices and rules: which ``ip`` commands and which nftables text make its namespace what it shall be. Pure."""

import ipaddress
from collections.abc import Mapping

from minicloud.drivers.fabric import Router, RouterPort
from minicloud.drivers.fabric.checks import router_ports
from minicloud.drivers.fabric.linux.dhcp import is_ipv4
from minicloud.drivers.fabric.linux.guard import link_local
from minicloud.drivers.fabric.linux.names import (
    BRIDGE,
    GATEWAY_SIDE,
    METADATA,
    NETWORK_SIDE,
    ROUTER_SIDE,
    device,
)
from minicloud.drivers.fabric.linux.networks import added
from minicloud.drivers.fabric.linux.room import EVERYTHING_6, Link

_EVERYTHING = ("default", EVERYTHING_6)


def side(router: Router, port: RouterPort) -> str:
    """The router's device of this interface."""
    return device(GATEWAY_SIDE if router.gateway is not None and port.id == router.gateway.id else ROUTER_SIDE, port.id)


def addresses(router: Router, port: RouterPort) -> list[str]:
    """Addresses with prefix lengths that this interface shall have; floating ones stand on the gateway, to answer ARP."""
    own = [str(ipaddress.ip_interface(a)) for a in port.addresses]
    if any(not is_ipv4(a) for a in own):
        own.append(f"{link_local(port.mac)}/64")
    if router.gateway is not None and port.id == router.gateway.id:
        own += [f"{floating}/32" for floating in sorted({*router.floating, *(f.floating for f in router.forwards)})]
    return own


def wish(
    router: Router, links: Mapping[str, Link], routes: list[str], namespaces: Mapping[str, str], mtus: Mapping[str, int]
) -> list[str]:
    """Commands inside the router's namespace. ``namespaces`` and ``mtus`` tell of each network by id."""
    lines = []
    lo = links.get("lo")
    if lo is None or not lo.up:
        lines.append("link set dev lo up")
    if lo is None or f"{METADATA}/32" not in lo.addresses:
        lines.append(f"address add {METADATA}/32 dev lo")
    wanted = {side(router, port): port for port in router_ports(router)}
    for name in links:
        if name.startswith((ROUTER_SIDE, GATEWAY_SIDE)) and name not in wanted:
            lines.append(f"link delete dev {name}")
    for name, port in wanted.items():
        there, mtu = links.get(name), mtus[port.network_id]
        if there is None:
            peer = device(NETWORK_SIDE, port.id)
            lines.append(
                f"link add name {name} address {port.mac} type veth peer name {peer} netns {namespaces[port.network_id]}"
            )
        if there is None or there.mtu != mtu or not there.up or there.mac != port.mac.lower():
            lines.append(f"link set dev {name} address {port.mac} mtu {mtu} addrgenmode none alias {port.id} up")
        had, wished = there.addresses if there else frozenset(), addresses(router, port)
        lines += [added(a, name) for a in wished if a not in had]
        lines += [f"address delete {a} dev {name}" for a in sorted(had) if a not in wished]
    leaves = any(name.startswith(GATEWAY_SIDE) and name not in wanted for name in links)
    for everything in _EVERYTHING:
        hop = _way_out(router, everything)
        if hop is not None and router.gateway is not None:
            lines.append(f"route replace {everything} via {hop} dev {side(router, router.gateway)} onlink")
        elif everything in routes and not leaves:
            # A device that goes takes its routes along.
            lines.append(f"route delete {everything}")
    return lines + _extra_routes(router, links, routes)


def _way_out(router: Router, everything: str) -> str | None:
    """Where the gateway sends what has no other route, of the IP version of ``everything``."""
    if router.gateway is None:
        return None
    return next((hop for hop in router.next_hops if is_ipv4(hop) == (everything == "default")), None)


def _extra_routes(router: Router, links: Mapping[str, Link], routes: list[str]) -> list[str]:
    """Routes beyond those that addresses bring along; the kernel has each destination once, so several next hops are one route."""
    ends = [ipaddress.ip_interface(a) for port in router_ports(router) for a in addresses(router, port)]
    hops: dict[str, list[str]] = {}
    for destination, next_hop in router.routes:
        if not any(ipaddress.ip_address(next_hop) in end.network for end in ends):
            continue
        # A destination of everything would take the gateway's place: the gateway's own way out comes first.
        plain = _plain(destination)
        if plain not in _EVERYTHING or _way_out(router, plain) is None:
            hops.setdefault(plain, []).append(next_hop)
    had = [ipaddress.ip_interface(a) for link in links.values() for a in link.addresses]
    own = {_plain(str(end.network)) for end in (*ends, *had)}
    gone = [route for route in routes if route not in _EVERYTHING and route not in hops and route not in own]
    lines = [f"route delete {route}" for route in gone]
    for destination, vias in hops.items():
        words = f"via {vias[0]}" if len(vias) == 1 else " ".join(f"nexthop via {via}" for via in vias)
        lines.append(f"route replace {destination} {words}")
    return lines


def _plain(destination: str) -> str:
    """A destination as ``ip`` lists it."""
    net = ipaddress.ip_network(destination, strict=False)
    if net.prefixlen == 0:
        return "default" if net.version == 4 else EVERYTHING_6
    return str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)


def far_end(port: RouterPort, mtu: int) -> list[str]:
    """Commands inside the network's namespace that put the interface's other end on the bridge."""
    peer = device(NETWORK_SIDE, port.id)
    return [f"link set dev {peer} mtu {mtu} master {BRIDGE} addrgenmode none alias {port.id} up"]


def announcements(router: Router, links: Mapping[str, Link]) -> list[tuple[str, str]]:
    """(device, address) of what is new on this router: neighbours may still know another card by that address."""
    new = []
    for port in router_ports(router):
        there = links.get(side(router, port))
        had = there.addresses if there else frozenset()
        fresh = [a for a in addresses(router, port) if is_ipv4(a) and a not in had]
        new += [(side(router, port), a.partition("/")[0]) for a in fresh]
    return new
