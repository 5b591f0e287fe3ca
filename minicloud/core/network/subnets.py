"""Subnets: what may be one, making, changing and deleting them."""

import ipaddress
from collections.abc import Sequence
from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import (
    addressing,
    dhcp,
    hostings,
    ipam,
    network_segments,
    quotas,
    rbac,
    standard,
    subnet_checks,
)
from minicloud.core.network.ipam import Pool
from minicloud.core.network.rows import AUTOMATIC, DHCP, ROUTER_INTERFACE, SMALLEST_MTU, HostRoute, Network, Subnet
from minicloud.core.records import AnyOf, Condition
from minicloud.engines.database import Transaction


def visible(tx: Transaction, context: Context) -> list[Condition | AnyOf]:
    """The condition under which a subnet exists for whoever asks: own, or on an own, shared or external network."""
    if context.is_admin:
        return []
    project_id = context.project_id or ""
    rows = tx.all("SELECT id FROM networks WHERE project_id = ?", [project_id])
    theirs = [row[0] for row in rows] + rbac.shared_ids(tx, context, "network", external=True)
    return [AnyOf([Condition("project_id", "=", project_id), Condition("network_id", "in", theirs)])]


def get(tx: Transaction, context: Context, subnet_id: str) -> Subnet:
    """A subnet that exists for whoever asks. Raises NotFound."""
    found = records.page(
        tx, Subnet, records.Query(where=[Condition("id", "=", subnet_id), *visible(tx, context)], limit=1)
    )
    if not found:
        raise Subnet.missing(subnet_id)
    return found[0]


def page(tx: Transaction, context: Context, query: records.Query) -> list[Subnet]:
    """A page of the subnets that exist for whoever asks."""
    return records.page(tx, Subnet, msgspec.structs.replace(query, where=[*query.where, *visible(tx, context)]))


def create(
    tx: Transaction,
    network: Network,
    *,
    project_id: str,
    cidr: str,
    ip_version: int,
    gateway_ip: str | msgspec.UnsetType | None = msgspec.UNSET,
    allocation_pools: Sequence[Pool] | None = None,
    enable_dhcp: bool = True,
    **values: Any,
) -> Subnet:
    """A new subnet; ``values`` are the record's other fields. Without a gateway that is given, it is the first address.

    Raises OverQuota, Invalid, Conflict (``GatewayConflictWithAllocationPools``, ``OverlappingAllocationPools``).
    """
    quotas.check(tx, project_id, "subnet")
    net = subnet_checks.cidr(cidr, ip_version)
    subnet_checks.modes(ip_version, net, values.get("ipv6_ra_mode"), values.get("ipv6_address_mode"), enable_dhcp)
    subnet_checks.dhcp_fits(net, enable_dhcp)
    _refuse_overlap(tx, network, net)
    if network.mtu < SMALLEST_MTU[ip_version]:
        raise Conflict(
            f"MTU of {network.id} is not valid, subnet requires a minimum of {SMALLEST_MTU[ip_version]}",
            kind="NetworkMTUSubnetConflict",
        )
    network_segments.check_subnet(tx, network.id, values.get("segment_id"))
    if gateway_ip is msgspec.UNSET:
        single = net.num_addresses == 1
        gateway_ip = str(net.network_address if ip_version == 6 or single else net.network_address + 1)
    gateway = None if gateway_ip is None else subnet_checks.gateway(net, gateway_ip, ip_version)
    if allocation_pools is None:
        allocation_pools = ipam.default_pools(net, gateway)
    else:
        subnet_checks.pools(net, allocation_pools)
        subnet_checks.gateway_outside(gateway, allocation_pools)
    _check_options(ip_version, values)
    subnet = records.insert(
        tx,
        Subnet(
            id=tx.ids.uuid(),
            project_id=project_id,
            network_id=network.id,
            ip_version=ip_version,
            cidr=str(net),
            gateway_ip=None if gateway is None else str(gateway),
            enable_dhcp=enable_dhcp,
            allocation_pools=list(allocation_pools),
            created_at=tx.now,
            updated_at=tx.now,
            **values,
        ),
    )
    ipam.fill(tx, subnet.id, subnet.allocation_pools)
    standard.touch(tx, network)
    if enable_dhcp:
        dhcp.ensure(tx, network)
    hostings.reschedule(tx, hostings.DHCP, network.id)
    if subnet.ipv6_address_mode in AUTOMATIC:
        _give_automatic(tx, subnet)
    trace.note("subnet_created", subnet=subnet.id, network=network.id, cidr=subnet.cidr)
    return subnet


def change(
    tx: Transaction,
    subnet: Subnet,
    *,
    gateway_ip: str | msgspec.UnsetType | None = msgspec.UNSET,
    allocation_pools: Sequence[Pool] | None = None,
    **values: Any,
) -> Subnet:
    """Change a subnet. Raises Invalid, Conflict (``GatewayIpInUse``, ``GatewayConflictWithAllocationPools``)."""
    net = addressing.network_of(subnet)
    pools = subnet.allocation_pools if allocation_pools is None else allocation_pools
    if allocation_pools is not None:
        subnet_checks.pools(net, allocation_pools)
    if gateway_ip is not msgspec.UNSET and gateway_ip != subnet.gateway_ip:
        _refuse_gateway_in_use(tx, subnet)
        values["gateway_ip"] = (
            None if gateway_ip is None else str(subnet_checks.gateway(net, gateway_ip, subnet.ip_version))
        )
    gateway: str | None = values.get("gateway_ip", subnet.gateway_ip)
    if gateway is not None and ("gateway_ip" in values or allocation_pools is not None):
        subnet_checks.gateway_outside(ipaddress.ip_address(gateway), pools)
    if values.get("enable_dhcp") is True and not subnet.enable_dhcp:
        subnet_checks.dhcp_fits(net, True)
    if values.get("enable_dhcp") is False and (subnet.ipv6_ra_mode or subnet.ipv6_address_mode):
        raise subnet_checks.invalid("Cannot disable enable_dhcp with ipv6 attributes set")
    _check_options(subnet.ip_version, values)
    if values.get("segment_id", subnet.segment_id) != subnet.segment_id:
        if subnet.segment_id is not None:
            raise subnet_checks.moved()
        network_segments.check_subnet(tx, subnet.network_id, values["segment_id"], subnet)
    if allocation_pools is not None:
        values["allocation_pools"] = list(allocation_pools)
    changed = standard.change(tx, subnet, **values)
    if allocation_pools is not None:
        ipam.fill(tx, subnet.id, changed.allocation_pools)
    if changed.enable_dhcp != subnet.enable_dhcp:
        dhcp.ensure(tx, records.get(tx, Network, subnet.network_id))
    return changed


def delete(tx: Transaction, subnet: Subnet) -> None:
    """Delete a subnet; cards that made their address here lose it. Raises Conflict (``SubnetInUse``) while ports hold others."""
    if tx.one(
        "SELECT 1 FROM ip_allocations a JOIN ports p ON p.id = a.port_id WHERE a.subnet_id = ? AND p.device_owner = ?",
        [subnet.id, ROUTER_INTERFACE],
    ) or (
        not subnet.automatic
        and tx.one(
            "SELECT 1 FROM ip_allocations a JOIN ports p ON p.id = a.port_id WHERE a.subnet_id = ? AND p.device_owner != ? "
            "LIMIT 1",
            [subnet.id, DHCP],
        )
    ):
        raise Conflict(
            f"Unable to complete operation on subnet {subnet.id}: One or more ports have an IP allocation from this "
            "subnet.",
            kind="SubnetInUse",
        )
    tx.execute("DELETE FROM ip_allocations WHERE subnet_id = ?", [subnet.id])
    records.remove(tx, subnet)
    network = records.get(tx, Network, subnet.network_id)
    standard.touch(tx, network)
    dhcp.ensure(tx, network)
    trace.note("subnet_deleted", subnet=subnet.id)


def ids_of(tx: Transaction, network_ids: Sequence[str]) -> dict[str, list[str]]:
    """The ids of networks' subnets, oldest first, by network."""
    rows = tx.all(
        "SELECT network_id, id FROM subnets WHERE network_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY network_id, created_at, id",
        [msgspec.json.encode(list(network_ids)).decode()],
    )
    found: dict[str, list[str]] = {}
    for network_id, subnet_id in rows:
        found.setdefault(network_id, []).append(subnet_id)
    return found


def on_segments(tx: Transaction, network_ids: Sequence[str]) -> set[str]:
    """Those of networks whose subnets lie on segments of their own."""
    rows = tx.all(
        "SELECT DISTINCT network_id FROM subnets WHERE segment_id IS NOT NULL AND network_id IN "
        "(SELECT value FROM json_each(?))",
        [msgspec.json.encode(list(network_ids)).decode()],
    )
    return {network_id for (network_id,) in rows}


def _check_options(ip_version: int, values: dict[str, Any]) -> None:
    servers: list[str] = values.get("dns_nameservers", [])
    routes: list[HostRoute] = values.get("host_routes", [])
    subnet_checks.options(ip_version, servers, routes)


def _refuse_overlap(tx: Transaction, network: Network, net: ipam.Network) -> None:
    for other in addressing.subnets_of(tx, network.id):
        there = addressing.network_of(other)
        if there.version == net.version and there.overlaps(net):
            raise subnet_checks.invalid(
                f"Requested subnet with cidr: {net} for network: {network.id} overlaps with another subnet"
            )


def _refuse_gateway_in_use(tx: Transaction, subnet: Subnet) -> None:
    if subnet.gateway_ip is None:
        return
    row = tx.one(
        "SELECT a.port_id FROM ip_allocations a JOIN ports p ON p.id = a.port_id "
        "WHERE a.subnet_id = ? AND a.address = ? AND p.device_owner LIKE 'network:router_%'",
        [subnet.id, subnet.gateway_ip],
    )
    if row is not None:
        raise Conflict(
            f"Current gateway ip {subnet.gateway_ip} already in use by port {row[0]}. Unable to update.",
            kind="GatewayIpInUse",
        )


def _give_automatic(tx: Transaction, subnet: Subnet) -> None:
    """Cards that are on the network already make themselves an address in the new subnet, too."""
    net = addressing.network_of(subnet)
    rows = tx.all(
        "SELECT p.id, p.mac_address, (SELECT COALESCE(max(a.position), -1) FROM ip_allocations a WHERE a.port_id = p.id) "
        "FROM ports p WHERE p.network_id = ? AND p.device_owner NOT IN ('network:router_interface', "
        "'network:router_gateway', 'network:dhcp')",
        [subnet.network_id],
    )
    for port_id, mac, last in rows:
        address = ipam.eui64(net, mac)
        ipam.take(tx, subnet.id, address)
        addressing.write(tx, port_id, subnet.network_id, [addressing.FixedIp(subnet.id, address)], last + 1)
