"""What dnsmasq is told for one network: pure text from a network's specification."""

import ipaddress
from pathlib import Path

from minicloud.drivers.fabric import Lease, Network, Subnet
from minicloud.drivers.fabric.linux.names import BRIDGE, METADATA


def served(network: Network) -> list[Subnet]:
    """The subnets whose addresses DHCP can hand out: IPv4, wished, and with an address to serve from."""
    return [s for s in network.subnets if s.dhcp and s.dhcp_address is not None and is_ipv4(s.cidr)]


def is_ipv4(text: str) -> bool:
    """Whether an address or a CIDR is IPv4."""
    return ":" not in text


def configuration(network: Network, folder: Path) -> str:
    """dnsmasq's configuration file; it reads ``hosts`` and keeps ``leases`` in the same folder."""
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
        f"dhcp-leasefile={folder / 'leases'}",
        f"dhcp-option-force=option:mtu,{network.mtu}",
    ]
    for number, subnet in enumerate(served(network)):
        lines += _subnet(f"s{number}", subnet)
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


def hosts(network: Network) -> str:
    """dnsmasq's hosts file: a line per card and subnet. A second address of a card in the same subnet goes unsaid, as DHCP gives one."""
    lines, said = [], set()
    subnets = [(s, ipaddress.IPv4Network(s.cidr)) for s in served(network)]
    for lease in network.leases:
        if not is_ipv4(lease.address):
            continue
        address = ipaddress.IPv4Address(lease.address)
        home = next((subnet.id for subnet, cidr in subnets if address in cidr), None)
        if home is None or (home, lease.mac.lower()) in said:
            continue
        said.add((home, lease.mac.lower()))
        lines.append(",".join([lease.mac.lower(), lease.address, *([lease.hostname] if lease.hostname else [])]))
    return "".join(f"{line}\n" for line in sorted(lines))


def without_strangers(leases: str, wished: list[Lease]) -> str:
    """The lease file without addresses that belong to another card now: dnsmasq would refuse them to their new owners."""
    owners = {lease.address: lease.mac.lower() for lease in wished}
    kept = []
    for line in leases.splitlines():
        words = line.split()
        if len(words) >= 3 and owners.get(words[2], words[1].lower()) != words[1].lower():
            continue
        kept.append(line)
    return "".join(f"{line}\n" for line in kept)
