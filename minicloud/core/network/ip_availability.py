"""How many addresses networks and their subnets have, and how many of them are taken."""

import ipaddress
from collections.abc import Sequence

import msgspec

from minicloud.base.errors import NotFound
from minicloud.core.network.ipam import Pool
from minicloud.engines.database import Transaction


class SubnetAvailability(msgspec.Struct, frozen=True):
    """The addresses of a subnet."""

    subnet_id: str
    subnet_name: str
    cidr: str
    ip_version: int
    total_ips: int
    used_ips: int


class Availability(msgspec.Struct, frozen=True):
    """The addresses of a network."""

    network_id: str
    network_name: str
    project_id: str
    subnets: list[SubnetAvailability]

    @property
    def total_ips(self) -> int:
        """What its pools offer in all."""
        return sum(subnet.total_ips for subnet in self.subnets)

    @property
    def used_ips(self) -> int:
        """What ports hold, inside of pools or not."""
        return sum(subnet.used_ips for subnet in self.subnets)


def of_networks(tx: Transaction, ip_versions: Sequence[int] = (4, 6)) -> list[Availability]:
    """All networks in the order of their making. When not both IP versions are asked for, those with a subnet of one."""
    networks = tx.all("SELECT id, name, project_id FROM networks ORDER BY created_at, id")
    rows = tx.all(
        "SELECT s.network_id, s.id, s.name, s.cidr, s.ip_version, s.allocation_pools, "
        "(SELECT count(*) FROM ip_allocations a WHERE a.subnet_id = s.id) FROM subnets s ORDER BY s.created_at, s.id"
    )
    subnets: dict[str, list[SubnetAvailability]] = {}
    for network_id, subnet_id, name, cidr, version, pools, used in rows:
        if version in ip_versions:
            there = SubnetAvailability(subnet_id, name, cidr, version, _total(cidr, pools), used)
            subnets.setdefault(network_id, []).append(there)
    everything = set(ip_versions) >= {4, 6}
    return [
        Availability(network_id, name, project_id, subnets.get(network_id, []))
        for network_id, name, project_id in networks
        if everything or network_id in subnets
    ]


def of_network(tx: Transaction, network_id: str) -> Availability:
    """One network. Raises NotFound."""
    for found in of_networks(tx):
        if found.network_id == network_id:
            return found
    raise NotFound(f"Network {network_id} could not be found.", kind="NetworkNotFound")


def _total(cidr: str, pools: str) -> int:
    ranges = msgspec.json.decode(pools, type=list[Pool])
    if not ranges:
        return ipaddress.ip_network(cidr).num_addresses
    return sum(int(ipaddress.ip_address(pool.end)) - int(ipaddress.ip_address(pool.start)) + 1 for pool in ranges)
