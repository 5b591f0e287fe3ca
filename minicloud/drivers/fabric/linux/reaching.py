"""From where a guest can be called: the namespace that has an address beside it. Pure."""

import ipaddress

from minicloud.drivers.fabric import Network, Router
from minicloud.drivers.fabric.linux.dhcp import is_ipv4
from minicloud.drivers.fabric.linux.names import network_namespace, router_namespace
from minicloud.drivers.fabric.wishes import Wishes


def way_to(
    cloud_id: str, network_id: str, address: str, networks: Wishes[Network], routers: Wishes[Router]
) -> str | None:
    """The namespace from which a guest's address on a network answers: its network's, else that of a router there."""
    network = networks.get(network_id)
    for subnet in network.subnets if network else []:
        if subnet.dhcp_address and is_ipv4(subnet.cidr) and _inside(address, subnet.cidr):
            return network_namespace(cloud_id, network_id)
    for router in routers.all():
        for interface in router.interfaces:
            if interface.network_id == network_id and any(_inside(address, a) for a in interface.addresses):
                return router_namespace(cloud_id, router.id)
    return None


def _inside(address: str, cidr: str) -> bool:
    return is_ipv4(cidr) and ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)
