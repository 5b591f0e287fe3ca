"""What dnsmasq is told for one network: pure text from a network's specification."""

import ipaddress
import re
from pathlib import Path

from minicloud.drivers.fabric import Lease, Network, Subnet
from minicloud.drivers.fabric.linux.names import BRIDGE, METADATA

_OPTION = re.compile(r"[A-Za-z0-9-]{1,64}")
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]{0,255}")
_ASKED = ("dhcpv6-stateful", "dhcpv6-stateless")
"""Ways to an IPv6 address on which cards ask DHCPv6, for it or for the rest."""


def served(network: Network) -> list[Subnet]:
    """The subnets that DHCP serves: wished, with an address to serve from, and of IPv6 those whose cards shall ask it."""
    return [
        s
        for s in network.subnets
        if s.dhcp and s.dhcp_address is not None and (is_ipv4(s.cidr) or s.ipv6_mode in _ASKED)
    ]


def serves_ipv6(network: Network) -> bool:
    """Whether DHCPv6 is served on a network."""
    return any(not is_ipv4(subnet.cidr) for subnet in served(network))


def is_ipv4(text: str) -> bool:
    """Whether an address or a CIDR is IPv4."""
    return ":" not in text


def configuration(network: Network, folder: Path) -> str:
    """dnsmasq's configuration file; it reads ``hosts`` and ``options`` and keeps ``leases`` in the same folder."""
    lines = [
        # Names must be refused quickly: a nameserver that says nothing costs cloud-init half a minute.
        "no-resolv",
        "no-hosts",
        "no-poll",
        f"interface={BRIDGE}",
        "except-interface=lo",
        "bind-interfaces",
        "dhcp-authoritative",
        "dhcp-lease-max=65536",
        "no-ping",
        "quiet-dhcp",
        f"dhcp-hostsfile={folder / 'hosts'}",
        f"dhcp-optsfile={folder / 'options'}",
        f"dhcp-leasefile={folder / 'leases'}",
        f"dhcp-option-force=option:mtu,{network.mtu}",
    ]
    for number, subnet in enumerate(served(network)):
        lines += _subnet(f"s{number}", subnet) if is_ipv4(subnet.cidr) else _subnet6(f"s{number}", subnet)
    return "\n".join(lines) + "\n"


def _subnet(tag: str, subnet: Subnet) -> list[str]:
    cidr = ipaddress.IPv4Network(subnet.cidr)
    routes = [(d, via) for d, via in subnet.host_routes if is_ipv4(d) and is_ipv4(via)]
    if not any(destination.split("/")[0] == METADATA for destination, _ in routes):
        routes.append((f"{METADATA}/32", str(subnet.dhcp_address)))
    gateway = subnet.gateway
    if gateway is not None and not any(destination == "0.0.0.0/0" for destination, _ in routes):
        # Clients that take option 121 ignore the router option, so the default route has to be said twice.
        routes.append(("0.0.0.0/0", gateway))
    static = ",".join(f"{destination},{via}" for destination, via in routes)
    servers = [server for server in subnet.dns_servers if is_ipv4(server)]
    return [
        f"dhcp-range=set:{tag},{cidr.network_address},static,{cidr.netmask},1h",
        # Without a value the option is left out; unsaid, dnsmasq would offer itself as the router.
        f"dhcp-option=tag:{tag},option:router" + (f",{gateway}" if gateway else ""),
        f"dhcp-option=tag:{tag},option:classless-static-route,{static}",
        f"dhcp-option=tag:{tag},249,{static}",
        *([f"dhcp-option=tag:{tag},option:dns-server,{','.join(servers)}"] if servers else []),
    ]


def _subnet6(tag: str, subnet: Subnet) -> list[str]:
    """A subnet of IPv6. Routes are no matter of DHCPv6: routers tell of themselves."""
    cidr = ipaddress.IPv6Network(subnet.cidr)
    servers = [f"[{server}]" for server in subnet.dns_servers if not is_ipv4(server)]
    return [
        f"dhcp-range=set:{tag},{cidr.network_address},static,{cidr.prefixlen},1h",
        *([f"dhcp-option=tag:{tag},option6:dns-server,{','.join(servers)}"] if servers else []),
    ]


def hosts(network: Network) -> str:
    """dnsmasq's hosts file: a line per card and subnet. A second address of a card in the same subnet goes unsaid, as DHCP gives one."""
    lines, said = [], set()
    subnets = [(s, ipaddress.ip_network(s.cidr)) for s in served(network)]
    for lease in network.leases:
        address = ipaddress.ip_address(lease.address)
        home = next((subnet.id for subnet, cidr in subnets if address in cidr), None)
        if home is None or (home, lease.mac.lower()) in said:
            continue
        said.add((home, lease.mac.lower()))
        words = [lease.mac.lower(), *([f"set:{_tag(lease)}"] if lease.options else [])]
        words.append(str(address) if address.version == 4 else f"[{address}]")
        lines.append(",".join([*words, *([lease.hostname] if lease.hostname else [])]))
    return "".join(f"{line}\n" for line in sorted(lines))


def options(network: Network) -> str:
    """dnsmasq's file of the options that single cards are given, as users wrote them: a name or a number, and a value.

    What cannot be a line of it is left out, and dnsmasq itself passes over names that it does not know.
    """
    lines = set()
    for lease in network.leases:
        for name, value in lease.options:
            if not _OPTION.fullmatch(name) or not _ONE_LINE.fullmatch(value):
                continue
            word = name if name.isdigit() else f"{'option' if is_ipv4(lease.address) else 'option6'}:{name}"
            lines.add(f"tag:{_tag(lease)},{word},{value}")
    return "".join(f"{line}\n" for line in sorted(lines))


def _tag(lease: Lease) -> str:
    return f"{'c4' if is_ipv4(lease.address) else 'c6'}-{lease.mac.lower().replace(':', '')}"


def without_strangers(leases: str, wished: list[Lease]) -> str:
    """The lease file without addresses that belong to another card now: dnsmasq would refuse them to their new owners."""
    owners = {str(ipaddress.ip_address(lease.address)): lease.mac.lower() for lease in wished}
    kept = []
    for line in leases.splitlines():
        words = line.split()
        if len(words) >= 3 and words[2] in owners and not _is_of(words, owners[words[2]]):
            continue
        kept.append(line)
    return "".join(f"{line}\n" for line in kept)


def _is_of(lease: list[str], mac: str) -> bool:
    """Whether a line of the lease file may be this card's. Over IPv6 cards are known by what ends in their MAC, or by nothing of it."""
    if is_ipv4(lease[2]):
        return lease[1].lower() == mac
    who = lease[4].lower() if len(lease) > 4 else ""
    return not who.startswith(("00:01:", "00:03:")) or who.endswith(mac)
