"""What joins a router to subnets: interfaces are ports of it, made for a subnet or lent by a user."""

import ipaddress

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import addressing, hostings, ports, routers, standard, subnets
from minicloud.core.network.addressing import FixedIpWish
from minicloud.core.network.rows import ROUTER_INTERFACE, Network, Port, Router, Subnet
from minicloud.engines.database import Transaction


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """What was joined or parted."""

    router_id: str
    project_id: str
    port_id: str
    network_id: str
    subnet_ids: list[str]


def add(
    tx: Transaction, context: Context, router: Router, *, subnet_id: str | None = None, port_id: str | None = None
) -> Interface:
    """Join a router to a subnet, or to the network of a port. Raises NotFound, Invalid, Conflict (``PortInUse``)."""
    if subnet_id is None and port_id is None:
        raise bad("Either subnet_id or port_id must be specified")
    if subnet_id is not None and port_id is not None:
        raise bad("Cannot specify both subnet-id and port-id")
    made = (
        _by_port(tx, context, router, port_id)
        if port_id is not None
        else _by_subnet(tx, context, router, subnet_id or "")
    )
    standard.touch(tx, router)
    hostings.reschedule(tx, hostings.L3, router.id)
    trace.note("router_interface_added", router=router.id, port=made.port_id, subnets=made.subnet_ids)
    return made


def remove(tx: Transaction, router: Router, *, subnet_id: str | None = None, port_id: str | None = None) -> Interface:
    """Part a router from a subnet or port. Raises NotFound, Invalid, Conflict while floating addresses need it."""
    if subnet_id is None and port_id is None:
        raise bad("Either subnet_id or port_id must be specified")
    found = [
        (port, inside)
        for port, _, inside in routers.attached(tx, router)
        if port.device_owner == ROUTER_INTERFACE
        and (port.id == port_id if port_id is not None else any(subnet.id == subnet_id for subnet in inside))
    ]
    if not found:
        if port_id is not None:
            raise NotFound(
                f"Router {router.id} does not have an interface with id {port_id}", kind="RouterInterfaceNotFound"
            )
        if subnet_id is not None and records.find(tx, Subnet, subnet_id) is None:
            raise Subnet.missing(subnet_id)
        raise NotFound(
            f"Router {router.id} has no interface on subnet {subnet_id}", kind="RouterInterfaceNotFoundForSubnet"
        )
    port, inside = found[0]
    if port_id is not None and subnet_id is not None and all(subnet.id != subnet_id for subnet in inside):
        raise Invalid(
            f"Subnet on port {port_id} does not match the requested subnet {subnet_id}.", kind="SubnetMismatchForPort"
        )
    for subnet in inside:
        _refuse_in_use(tx, router, subnet)
    ports.remove(tx, port)
    standard.touch(tx, router)
    trace.note("router_interface_removed", router=router.id, port=port.id)
    return _told(router, port, [subnet.id for subnet in inside])


def _by_subnet(tx: Transaction, context: Context, router: Router, subnet_id: str) -> Interface:
    subnet = subnets.get(tx, context, subnet_id)
    if subnet.gateway_ip is None:
        raise bad("Subnet for router interface must have a gateway IP")
    if not context.is_admin and subnet.project_id != context.project_id:
        raise bad(
            f"Cannot add interface to router because subnet {subnet_id} is not owned by project making the request"
        )
    routers.refuse_overlap(tx, router, [subnet])
    made = ports.create(
        tx,
        records.get(tx, Network, subnet.network_id),
        project_id=router.project_id,
        fixed_ips=[FixedIpWish(subnet.id, subnet.gateway_ip)],
        device_id=router.id,
        device_owner=ROUTER_INTERFACE,
        status="ACTIVE",
    )
    return _told(router, made.port, [subnet.id])


def _by_port(tx: Transaction, context: Context, router: Router, port_id: str) -> Interface:
    port = ports.get(tx, context, port_id)
    if port.device_id:
        raise Conflict(
            f"Unable to complete operation on port {port.id} for network {port.network_id}. Port already has an attached "
            f"device {port.device_id}.",
            kind="PortInUse",
        )
    held = addressing.held_by(tx, [port.id]).get(port.id, [])
    if not held:
        raise bad("Router port must have at least one fixed IP")
    inside = [records.get(tx, Subnet, fixed.subnet_id) for fixed in held]
    if sum(subnet.ip_version == 4 for subnet in inside) > 1:
        raise bad("Cannot have multiple IPv4 subnets on router port")
    routers.refuse_overlap(tx, router, inside)
    ports.change(tx, port, groups=[])
    port = standard.touch(
        tx,
        records.get(tx, Port, port.id),
        device_id=router.id,
        device_owner=ROUTER_INTERFACE,
        port_security_enabled=False,
        status="ACTIVE",
    )
    return _told(router, port, [subnet.id for subnet in inside])


def _refuse_in_use(tx: Transaction, router: Router, subnet: Subnet) -> None:
    if tx.one(
        "SELECT 1 FROM floating_ips f JOIN ip_allocations a ON a.port_id = f.port_id AND a.address = f.fixed_ip_address "
        "WHERE f.router_id = ? AND a.subnet_id = ? LIMIT 1",
        [router.id, subnet.id],
    ):
        raise Conflict(
            f"Router interface for subnet {subnet.id} on router {router.id} cannot be deleted, as it is required by one "
            "or more floating IPs.",
            kind="RouterInterfaceInUseByFloatingIP",
        )
    if tx.one(
        "SELECT 1 FROM port_forwardings w JOIN floating_ips f ON f.id = w.floatingip_id JOIN ip_allocations a "
        "ON a.port_id = w.internal_port_id AND a.address = w.internal_ip_address "
        "WHERE f.router_id = ? AND a.subnet_id = ? LIMIT 1",
        [router.id, subnet.id],
    ):
        raise Conflict(
            f"Router interface for subnet {subnet.id} on router {router.id} cannot be deleted, as it is required by one "
            "or more floating IPs.",
            kind="RouterInterfaceInUseByFloatingIP",
        )
    net = addressing.network_of(subnet)
    for route in router.routes:
        hop = ipaddress.ip_address(route.nexthop)
        if hop.version == net.version and hop in net:
            raise Conflict(
                f"Router interface for subnet {subnet.id} on router {router.id} cannot be deleted, as it is required by "
                "one or more routes.",
                kind="RouterInterfaceInUseByRoute",
            )


def _told(router: Router, port: Port, subnet_ids: list[str]) -> Interface:
    return Interface(
        router_id=router.id,
        project_id=port.project_id,
        port_id=port.id,
        network_id=port.network_id,
        subnet_ids=subnet_ids,
    )


def bad(text: str) -> Invalid:
    """A request that makes no sense for a router."""
    return Invalid(f"Bad router request: {text}.", kind="BadRequest")
