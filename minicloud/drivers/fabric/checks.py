"""What every keeper refuses before it touches anything: wishes that could not be written into a configuration safely."""

import functools
import ipaddress
import re
from collections.abc import Iterator
from contextlib import contextmanager

from minicloud.base.errors import Invalid
from minicloud.drivers.fabric import Forward, Network, Port, Quality, Router, RouterPort, Rule

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
# A network's addresses come again with each of its ports; what was read once need not be read again.
_address = functools.lru_cache(1 << 16)(ipaddress.ip_address)
_prefix = functools.lru_cache(1 << 16)(functools.partial(ipaddress.ip_network, strict=False))
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")


def check_id(what: str, text: str) -> None:
    """Refuse an id that could not be part of a file's or a namespace's name. Raises Invalid."""
    if not _ID.fullmatch(text):
        raise Invalid(f"{what} {text!r} cannot be wired: an id is made of letters, digits, '-', '_' and '.'")


def check_network(network: Network) -> None:
    """Refuse a network whose addresses make no sense. Raises Invalid."""
    check_id("network", network.id)
    with _naming(f"network {network.id}"):
        if not 68 <= network.mtu <= 65521:
            raise ValueError(f"an MTU of {network.mtu} is not possible")
        for subnet in network.subnets:
            cidr = ipaddress.ip_network(subnet.cidr)
            for address in (subnet.gateway, subnet.dhcp_address):
                if address is not None and _address(address).version != cidr.version:
                    raise ValueError(f"{address} and {cidr} are of different IP versions")
            if subnet.dhcp_address is not None and _address(subnet.dhcp_address) not in cidr:
                raise ValueError(f"the DHCP address {subnet.dhcp_address} lies outside of {cidr}")
            for server in subnet.dns_servers:
                _address(server)
            for destination, next_hop in subnet.host_routes:
                ipaddress.ip_network(destination)
                _address(next_hop)
            _mode(subnet.ipv6_mode)
        for lease in network.leases:
            _mac(lease.mac)
            _address(lease.address)
            if lease.hostname and not _HOSTNAME.fullmatch(lease.hostname):
                raise ValueError(f"{lease.hostname!r} is no hostname")
        for name, members in network.members.items():
            check_id("address group", name)
            for member in members:
                _prefix(member)
        for group in network.groups:
            check_id("security group", group.id)
            for rule in group.rules:
                _check_rule(rule, network)


def check_router(router: Router) -> None:
    """Refuse a router whose addresses make no sense. Raises Invalid."""
    check_id("router", router.id)
    with _naming(f"router {router.id}"):
        for interface in router_ports(router):
            check_id("router port", interface.id)
            check_id("network", interface.network_id)
            _mac(interface.mac)
            for address in interface.addresses:
                ipaddress.ip_interface(address)
            for advert in interface.adverts:
                _mode(advert.mode)
                for told in (advert.cidr, *advert.dns_servers):
                    if ipaddress.ip_network(told).version != 6:
                        raise ValueError(f"{told} cannot be advertised: it is not IPv6")
        for next_hop in router.next_hops:
            _address(next_hop)
        for destination, next_hop in router.routes:
            if ipaddress.ip_network(destination).version != _address(next_hop).version:
                raise ValueError(f"a route to {destination} cannot lead over {next_hop}")
        for forward in router.forwards:
            if (
                not 1 <= forward.first <= forward.last <= 65535
                or not 1 <= forward.fixed_first <= _last(forward) <= 65535
            ):
                raise ValueError(f"ports {forward.first} to {forward.last} cannot lead to {forward.fixed_first} and on")
        pairs = [*router.floating.items(), *((forward.floating, forward.fixed) for forward in router.forwards)]
        for floating, fixed in pairs:
            if _address(floating).version != 4 or _address(fixed).version != 4:
                raise ValueError(f"the floating address {floating} for {fixed} is not IPv4")
        for address, quality in router.limits.items():
            if _address(address).version != 4:
                raise ValueError(f"{address} cannot be limited: it is not IPv4")
            _check_limits(quality)


def check_port(port: Port) -> None:
    """Refuse a port whose addresses make no sense. Raises Invalid."""
    check_id("port", port.id)
    check_id("network", port.network_id)
    with _naming(f"port {port.id}"):
        _mac(port.mac)
        if not 68 <= port.mtu <= 65521:
            raise ValueError(f"an MTU of {port.mtu} is not possible")
        for address in port.addresses:
            _address(address)
        for pair, mac in port.allowed_pairs:
            _prefix(pair)
            _mac(mac)
        for group_id in port.groups or ():
            check_id("security group", group_id)
        _check_limits(port.quality)
        if port.quality.dscp is not None and not 0 <= port.quality.dscp <= 63:
            raise ValueError(f"there is no DSCP mark {port.quality.dscp}")


def router_ports(router: Router) -> list[RouterPort]:
    """All interfaces of a router, the gateway's last."""
    return [*router.interfaces, *([router.gateway] if router.gateway else [])]


def _check_rule(rule: Rule, network: Network) -> None:
    if rule.version not in (4, 6):
        raise ValueError(f"there is no IP version {rule.version}")
    if rule.remote is not None and _prefix(rule.remote).version != rule.version:
        raise ValueError(f"a rule for IPv{rule.version} cannot name {rule.remote}")
    if rule.members_of is not None and rule.members_of not in network.members:
        raise ValueError(f"a rule names the addresses of {rule.members_of}, which are not given")
    for number, most in ((rule.protocol, 255), (rule.first, 65535), (rule.last, 65535)):
        if number is not None and not 0 <= number <= most:
            raise ValueError(f"a rule has a number of {number}; at most {most} is possible")


def _check_limits(quality: Quality) -> None:
    for limit in (quality.egress, quality.ingress):
        if limit is not None and min(limit.kbps, limit.burst_kb, limit.peak_kbps) < 0:
            raise ValueError("a limit cannot be negative")


def _mode(mode: str | None) -> None:
    if mode not in (None, "slaac", "dhcpv6-stateful", "dhcpv6-stateless"):
        raise ValueError(f"{mode!r} is no way to get an IPv6 address")


def _last(forward: Forward) -> int:
    return forward.fixed_first + forward.last - forward.first


def _mac(text: str) -> None:
    if not _MAC.fullmatch(text):
        raise ValueError(f"{text!r} is no MAC address")


@contextmanager
def _naming(what: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise Invalid(f"{what} cannot be wired: {error}") from error
