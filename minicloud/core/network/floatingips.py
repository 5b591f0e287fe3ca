"""Floating addresses: taken from an external network, led to a port's fixed address through the router between them."""

import ipaddress
from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import addressing, hostings, ports, quotas, rbac, standard
from minicloud.core.network.addressing import FixedIpWish
from minicloud.core.network.rows import FLOATING_IP, FloatingIp, Network, Port, Subnet
from minicloud.engines.database import Transaction


class Target(msgspec.Struct, frozen=True):
    """Where a floating address leads, and by which router."""

    port_id: str
    fixed_ip_address: str
    router_id: str


def get(tx: Transaction, context: Context, floating_id: str) -> FloatingIp:
    """A floating address that exists for whoever asks. Raises NotFound."""
    return standard.own(tx, context, FloatingIp, floating_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[FloatingIp]:
    """A page of the floating addresses that exist for whoever asks."""
    return standard.own_page(tx, context, FloatingIp, query)


def create(
    tx: Transaction,
    context: Context,
    *,
    project_id: str,
    network_id: str,
    subnet_id: str | None = None,
    address: str | None = None,
    port_id: str | None = None,
    fixed_ip_address: str | None = None,
    **values: Any,
) -> FloatingIp:
    """Take a floating address, a certain one if asked, and lead it to a port if asked.

    Raises OverQuota, NotFound, Invalid, Conflict (none left, taken, the port has one already).
    """
    quotas.check(tx, project_id, "floatingip")
    network = records.find(tx, Network, network_id)
    if network is None or not rbac.sees(tx, context, network):
        raise Network.missing(network_id)
    if not network.external:
        raise _bad(f"Network {network_id} is not a valid external network")
    subnets = [subnet for subnet in addressing.subnets_of(tx, network_id) if subnet.ip_version == 4]
    if not subnets:
        raise _bad(f"Network {network_id} does not contain any IPv4 subnet")
    if port_id is None and fixed_ip_address is not None:
        raise _bad("fixed_ip_address cannot be specified without a port_id")
    wishes = [FixedIpWish(subnet_id, address)] if subnet_id is not None or address is not None else None
    made = ports.create(
        tx,
        network,
        project_id="",
        fixed_ips=wishes,
        subnets=subnets,
        device_owner=FLOATING_IP,
        status="N/A",
    )
    floating = FloatingIp(
        id=tx.ids.uuid(),
        project_id=project_id,
        floating_network_id=network_id,
        floating_ip_address=made.fixed_ips[0].ip_address,
        floating_port_id=made.port.id,
        created_at=tx.now,
        updated_at=tx.now,
        **values,
    )
    ports.change(tx, made.port, device_id=floating.id)
    floating = records.insert(tx, floating)
    trace.note("floating_ip_created", address=floating.floating_ip_address, project=project_id)
    if port_id is None:
        return floating
    return associate(tx, context, floating, port_id, fixed_ip_address)


def associate(
    tx: Transaction, context: Context, floating: FloatingIp, port_id: str, fixed_ip_address: str | None = None
) -> FloatingIp:
    """Lead a floating address to a port. Raises NotFound, Invalid, Conflict (``FloatingIPPortAlreadyAssociated``)."""
    _refuse_forwarding(tx, floating)
    target = _target(tx, context, floating, port_id, fixed_ip_address)
    other = tx.one(
        "SELECT 1 FROM floating_ips WHERE port_id = ? AND fixed_ip_address = ? AND floating_network_id = ? AND id != ?",
        [port_id, target.fixed_ip_address, floating.floating_network_id, floating.id],
    )
    if other:
        raise Conflict(
            f"Cannot associate floating IP {floating.floating_ip_address} ({floating.id}) with port {port_id} using fixed "
            f"IP {target.fixed_ip_address}, as that fixed IP already has a floating IP on external network "
            f"{floating.floating_network_id}.",
            kind="FloatingIPPortAlreadyAssociated",
        )
    hostings.reschedule(tx, hostings.L3, target.router_id)
    return standard.change(
        tx,
        floating,
        port_id=port_id,
        fixed_ip_address=target.fixed_ip_address,
        router_id=target.router_id,
        status="ACTIVE",
    )


def disassociate(tx: Transaction, floating: FloatingIp) -> FloatingIp:
    """Lead a floating address nowhere."""
    return standard.change(tx, floating, port_id=None, fixed_ip_address=None, router_id=None, status="DOWN")


def delete(tx: Transaction, floating: FloatingIp) -> None:
    """Give a floating address back. Raises Conflict (``FipInUseByPortForwarding``) while ports of it lead inside."""
    _refuse_forwarding(tx, floating)
    records.remove(tx, floating)
    port = records.find(tx, Port, floating.floating_port_id)
    if port is not None:
        ports.remove(tx, port)
    trace.note("floating_ip_deleted", address=floating.floating_ip_address)


def _refuse_forwarding(tx: Transaction, floating: FloatingIp) -> None:
    if tx.one("SELECT 1 FROM port_forwardings WHERE floatingip_id = ? LIMIT 1", [floating.id]):
        raise Conflict(
            f"Floating IP {floating.id} in use by Port Forwarding resources.", kind="FipInUseByPortForwarding"
        )


def _target(
    tx: Transaction, context: Context, floating: FloatingIp, port_id: str, fixed_ip_address: str | None
) -> Target:
    port = ports.get(tx, context, port_id)
    if not context.is_admin and port.project_id != floating.project_id:
        raise _bad(
            f"Cannot process floating IP association with Port {port_id}, since that port is owned by a different project"
        )
    if port.device_owner == "network:dhcp":
        raise _bad(f"Port {port_id} is unable to be assigned a floating IP")
    held = [fixed for fixed in addressing.held_by(tx, [port_id]).get(port_id, []) if ":" not in fixed.ip_address]
    if fixed_ip_address is not None:
        if ipaddress.ip_address(fixed_ip_address).version != 4:
            raise _bad(
                f"Cannot process floating IP association with {fixed_ip_address}, since that is not an IPv4 address"
            )
        held = [fixed for fixed in held if fixed.ip_address == fixed_ip_address]
        if not held:
            raise _bad(f"Port {port_id} does not have fixed ip {fixed_ip_address}")
    if not held:
        raise _bad(f"Cannot add floating IP to port {port_id} that has no fixed IPv4 addresses")
    if len(held) > 1:
        raise _bad(
            f"Port {port_id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a "
            "floating IP"
        )
    fixed = held[0]
    subnet = records.get(tx, Subnet, fixed.subnet_id)
    router_id = router_between(tx, subnet, floating.floating_network_id)
    if router_id is None:
        raise NotFound(
            f"External network {floating.floating_network_id} is not reachable from subnet {subnet.id}.  Therefore, "
            f"cannot associate Port {port_id} with a Floating IP.",
            kind="ExternalGatewayForFloatingIPNotFound",
        )
    return Target(port_id, fixed.ip_address, router_id)


def router_between(tx: Transaction, subnet: Subnet, external_network_id: str) -> str | None:
    """The router that joins a subnet to an external network, rather the one that is the subnet's gateway."""
    rows = tx.all(
        "SELECT i.device_id, a.address FROM ip_allocations a JOIN ports i ON i.id = a.port_id "
        "JOIN ports g ON g.device_id = i.device_id AND g.device_owner = 'network:router_gateway' "
        "WHERE a.subnet_id = ? AND i.device_owner = 'network:router_interface' AND g.network_id = ? "
        "ORDER BY i.created_at, i.id",
        [subnet.id, external_network_id],
    )
    for router_id, address in rows:
        if address == subnet.gateway_ip:
            return str(router_id)
    return str(rows[0][0]) if rows else None


def _bad(text: str) -> Invalid:
    return Invalid(f"Bad floatingip request: {text}.", kind="BadRequest")
