"""What makes a subnet possible: its CIDR, pools, gateway, IPv6 modes and DHCP options, each refused in Neutron's words."""

import ipaddress
import itertools
from collections.abc import Sequence

from minicloud.base.errors import Conflict, Invalid
from minicloud.core.network.ipam import Address, Network, Pool, usable
from minicloud.core.network.rows import AUTOMATIC, HostRoute

MODES = ("dhcpv6-stateful", *AUTOMATIC)
MOST_SERVERS = 5
MOST_ROUTES = 20


def invalid(text: str) -> Invalid:
    """A value that makes no sense."""
    return Invalid(f"Invalid input for operation: {text}.", kind="InvalidInput")


def moved() -> Invalid:
    """A subnet that shall lie on another segment."""
    return Invalid(
        "A subnet that is already associated with a segment cannot have its segment association changed.",
        kind="SubnetSegmentAssociationChangeNotAllowed",
    )


def cidr(text: str, ip_version: int) -> Network:
    """The network of a CIDR. Raises Invalid for one of the other version, or of no use."""
    net = ipaddress.ip_network(text, strict=False)
    if net.version != ip_version:
        raise invalid(f"cidr '{text}' does not match the ip_version '{ip_version}'")
    if net.prefixlen == 0:
        raise invalid("0 is not allowed as CIDR prefix length")
    return net


def dhcp_fits(net: Network, enable_dhcp: bool) -> None:
    """Raises Invalid for a subnet that cannot have DHCP but wants it."""
    if not enable_dhcp:
        return
    if net.prefixlen > (30 if net.version == 4 else 126):
        raise invalid("Subnet has a prefix length that is incompatible with DHCP service enabled")
    if net.is_multicast:
        raise invalid("Multicast IP subnet is not supported if enable_dhcp is True")
    if net.is_loopback:
        raise invalid("Loopback IP subnet is not supported if enable_dhcp is True")
    if net.version == 4 and int(net.network_address) == 0:
        raise invalid("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.")


def modes(ip_version: int, net: Network, ra_mode: str | None, address_mode: str | None, enable_dhcp: bool) -> None:
    """Raises Invalid for IPv6 modes that contradict each other, the CIDR, or DHCP."""
    if ip_version == 4:
        for name, mode in (("ipv6_ra_mode", ra_mode), ("ipv6_address_mode", address_mode)):
            if mode is not None:
                raise invalid(f"{name} is not valid when ip_version is 4")
        return
    if (ra_mode or address_mode) and not enable_dhcp:
        raise invalid("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
    if ra_mode and address_mode and ra_mode != address_mode:
        raise invalid(
            f"ipv6_ra_mode set to '{ra_mode}' with ipv6_address_mode set to '{address_mode}' is not valid. "
            "If both attributes are set, they must be the same value"
        )
    if (ra_mode in AUTOMATIC or address_mode in AUTOMATIC) and net.prefixlen != 64:
        raise invalid(
            f"Invalid CIDR {net} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the "
            "prefix to be /64"
        )


def gateway(net: Network, text: str, ip_version: int) -> Address:
    """The gateway's address; it may lie outside of the subnet. Raises Invalid."""
    address = ipaddress.ip_address(text)
    if address.version != ip_version:
        raise invalid(f"gateway_ip '{text}' does not match the ip_version '{ip_version}'")
    if address in net and net.version == 4 and net.prefixlen <= 30 and address in (net[0], net[-1]):
        raise invalid("Gateway is not valid on subnet")
    return address


def pools(net: Network, wanted: Sequence[Pool]) -> None:
    """Raises Invalid for pools that are none or leave the subnet, Conflict for those that overlap."""
    first, last = usable(net)
    bounds: list[tuple[int, int, Pool]] = []
    for pool in wanted:
        start, end = ipaddress.ip_address(pool.start), ipaddress.ip_address(pool.end)
        if start.version != net.version or end.version != net.version or int(end) < int(start):
            raise Invalid(f"The allocation pool {pool.start}-{pool.end} is not valid.", kind="InvalidAllocationPool")
        if int(start) < int(first) or int(end) > int(last):
            raise Invalid(
                f"The allocation pool {pool.start}-{pool.end} spans beyond the subnet cidr {net}.",
                kind="OutOfBoundsAllocationPool",
            )
        bounds.append((int(start), int(end), pool))
    bounds.sort(key=lambda bound: bound[:2])
    for (_, end_of_one, one), (start_of_two, _, two) in itertools.pairwise(bounds):
        if start_of_two <= end_of_one:
            raise Conflict(
                f"Found overlapping allocation pools: {one.start}-{one.end} {two.start}-{two.end} for subnet {net}.",
                kind="OverlappingAllocationPools",
            )


def gateway_outside(address: Address | None, wanted: Sequence[Pool]) -> None:
    """Raises Conflict when a pool would hand out the gateway's address."""
    for pool in wanted:
        if address is not None and int(ipaddress.ip_address(pool.start)) <= int(address) <= int(
            ipaddress.ip_address(pool.end)
        ):
            raise Conflict(
                f"Gateway ip {address} conflicts with allocation pool {pool.start}-{pool.end}.",
                kind="GatewayConflictWithAllocationPools",
            )


def options(ip_version: int, servers: Sequence[str], routes: Sequence[HostRoute]) -> None:
    """Raises Invalid for too many name servers or routes, or such of the other IP version."""
    if len(servers) > MOST_SERVERS:
        raise Invalid(
            f"Unable to complete operation for new subnet. The number of DNS nameservers exceeds the limit {MOST_SERVERS}.",
            kind="DNSNameServersExhausted",
        )
    if len(routes) > MOST_ROUTES:
        raise Invalid(
            f"Unable to complete operation for new subnet. The number of host routes exceeds the limit {MOST_ROUTES}.",
            kind="HostRoutesExhausted",
        )
    for name, text in [
        *(("dns_nameserver", server) for server in servers),
        *(("destination", route.destination) for route in routes),
        *(("nexthop", route.nexthop) for route in routes),
    ]:
        if ipaddress.ip_interface(text).version != ip_version:
            raise invalid(f"{name} '{text}' does not match the ip_version '{ip_version}'")
