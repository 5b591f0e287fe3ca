"""Addresses of a server's cards as Nova let them be changed (before 2.44): one more on a network, one less."""

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core.compute import locks, servers
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.core.network import addressing, ipam, ports
from minicloud.core.network.addressing import FixedIpWish
from minicloud.engines.database import Transaction


def add(tx: Transaction, context: Context, server_id: str, network_id: str) -> None:
    """The server's first card on this network has one more address, of the first subnet with room.

    Raises NotFound (no card there), Invalid (no room), Conflict.
    """
    server = _free(tx, context, server_id)
    for details in ports.details(tx, ports.of_server(tx, server.id)):
        if details.port.network_id != network_id:
            continue
        held = [FixedIpWish(fixed.subnet_id, fixed.ip_address) for fixed in details.fixed_ips]
        for subnet in addressing.subnets_of(tx, network_id):
            if ipam.has_room(tx, subnet.id) and not subnet.automatic:
                ports.change(tx, details.port, fixed_ips=[*held, FixedIpWish(subnet_id=subnet.id)])
                return
        raise Invalid(f"No fixed IP addresses available for network: {network_id}")
    raise NotFound(f"Network could not be found for instance {server_id}.")


def remove(tx: Transaction, context: Context, server_id: str, address: str) -> None:
    """No card of the server has this address. Raises Invalid (none had), Conflict."""
    server = _free(tx, context, server_id)
    for details in ports.details(tx, ports.of_server(tx, server.id)):
        if any(fixed.ip_address == address for fixed in details.fixed_ips):
            left = [fixed for fixed in details.fixed_ips if fixed.ip_address != address]
            ports.change(tx, details.port, fixed_ips=[FixedIpWish(fixed.subnet_id, fixed.ip_address) for fixed in left])
            return
    raise Invalid(f"Instance {server_id} does not have fixed IP '{address}'.")


def _free(tx: Transaction, context: Context, server_id: str) -> Server:
    server = servers.get(tx, context, server_id)
    locks.require_unlocked(context, server)
    if server.host is None:
        raise Conflict(f"Instance {server_id} is not ready", kind="not_ready")
    return server
