"""The port under which DHCP and metadata answer on a network: one address of it in each subnet that has DHCP."""

from minicloud.base import trace
from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.core.network import addressing, ports, standard
from minicloud.core.network.addressing import FixedIpWish
from minicloud.core.network.rows import DHCP, Network, Port
from minicloud.engines.database import Transaction


def port_of(tx: Transaction, network_id: str) -> Port | None:
    """The port of a network's DHCP, if it has one."""
    found = records.select(tx, Port, "device_id = ? AND network_id = ?", [_device(network_id), network_id])
    return found[0] if found else None


def ensure(tx: Transaction, network: Network) -> None:
    """Bring the port of DHCP in line with the network's subnets. A subnet without a free address is left without DHCP."""
    wanted = [subnet for subnet in addressing.subnets_of(tx, network.id) if subnet.enable_dhcp]
    port = port_of(tx, network.id)
    if not wanted:
        if port is not None:
            ports.remove(tx, port)
        return
    if port is None:
        port = ports.create(
            tx,
            network,
            project_id=network.project_id,
            fixed_ips=[],
            subnets=[],
            device_id=_device(network.id),
            device_owner=DHCP,
            status="ACTIVE",
            quota=False,
        ).port
    held = addressing.held_by(tx, [port.id]).get(port.id, [])
    stale = [fixed for fixed in held if fixed.subnet_id not in {subnet.id for subnet in wanted}]
    addressing.release(tx, stale)
    position = 1 + max((i for i, _ in enumerate(held)), default=-1)
    missing = [subnet for subnet in wanted if subnet.id not in {fixed.subnet_id for fixed in held}]
    for subnet in missing:
        try:
            addressing.assign(
                tx,
                port_id=port.id,
                network_id=network.id,
                mac=port.mac_address,
                device_owner=DHCP,
                wishes=[FixedIpWish(subnet_id=subnet.id)],
                subnets=[subnet],
                first_position=position,
            )
        except Conflict as error:
            trace.note("no_dhcp", subnet=subnet.id, why=error.message)
        position += 1
    if stale or missing:
        standard.touch(tx, port)


def _device(network_id: str) -> str:
    return f"dhcp-{network_id}"
