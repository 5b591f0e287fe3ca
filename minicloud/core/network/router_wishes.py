"""What a host shall hold of routers: made from the rows as the other ``wishes`` are."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence

from minicloud.core import records
from minicloud.core.network import addressing, hostings, port_forwardings, qualities
from minicloud.core.network.addressing import FixedIp
from minicloud.core.network.forward_wishes import forwards_of
from minicloud.core.network.rows import ROUTER_GATEWAY, ROUTER_INTERFACE, Port, Router, Subnet
from minicloud.core.network.wished import AdvertWish, ForwardWish, QualityWish, RouterPortWish, RouterWish
from minicloud.engines.database import Transaction


def router_of(
    router: Router,
    ends: Sequence[tuple[Port, Sequence[FixedIp]]],
    subnets: Mapping[str, Subnet],
    floating: Mapping[str, str],
    forwards: Sequence[ForwardWish] = (),
    limits: Mapping[str, QualityWish] | None = None,
) -> RouterWish:
    """The wish for a router, from its ports with their addresses. One that is administratively down joins nothing."""
    up = [(port, fixed) for port, fixed in ends if router.admin_state_up and port.admin_state_up]
    gateway = next(((port, fixed) for port, fixed in up if port.device_owner == ROUTER_GATEWAY), None)
    hops = (
        {}
        if gateway is None
        else {s.ip_version: s.gateway_ip for s in (subnets[f.subnet_id] for f in reversed(gateway[1]))}
    )
    return RouterWish(
        id=router.id,
        interfaces=[_end(port, fixed, subnets) for port, fixed in up if port.device_owner == ROUTER_INTERFACE],
        gateway=None if gateway is None else _end(*gateway, subnets),
        next_hops=[hop for _, hop in sorted(hops.items()) if hop is not None],
        snat=router.enable_snat,
        floating=dict(floating) if gateway is not None else {},
        forwards=list(forwards) if gateway is not None else [],
        routes=[(route.destination, route.nexthop) for route in router.routes] if up else [],
        limits=dict(limits or {}) if gateway is not None else {},
    )


def router_wish(tx: Transaction, router_id: str) -> RouterWish:
    """A router as each host that needs it shall have it now. Raises NotFound."""
    router = records.get(tx, Router, router_id)
    ports = records.select(
        tx,
        Port,
        "device_id = ? AND device_owner IN ('network:router_interface', 'network:router_gateway') ORDER BY created_at, id",
        [router_id],
    )
    held = addressing.held_by(tx, [port.id for port in ports])
    subnet_ids = sorted({fixed.subnet_id for fixed_ips in held.values() for fixed in fixed_ips})
    subnets = {subnet.id: subnet for subnet in records.select_in(tx, Subnet, "id", subnet_ids)}
    floating = tx.all(
        "SELECT floating_ip_address, fixed_ip_address FROM floating_ips WHERE router_id = ? ORDER BY floating_ip_address",
        [router_id],
    )
    gateway = next((port for port in ports if port.device_owner == ROUTER_GATEWAY), None)
    return router_of(
        router,
        [(port, held.get(port.id, [])) for port in ports],
        subnets,
        {address: fixed for address, fixed in floating if fixed is not None},
        [wish for address, one in port_forwardings.of_router(tx, router_id) for wish in forwards_of(address, one)],
        {}
        if gateway is None
        else qualities.at_gateway(
            tx, router, gateway.network_id, [fixed.ip_address for fixed in held.get(gateway.id, [])]
        ),
    )


def routers_of_network(tx: Transaction, network_id: str, agents: Collection[str] | None = None) -> list[RouterWish]:
    """The routers that have an interface on a network and that the agent of any of these hosts serves: guests' way out."""
    rows = tx.all(
        "SELECT DISTINCT device_id FROM ports WHERE network_id = ? AND device_owner = ? ORDER BY device_id",
        [network_id, ROUTER_INTERFACE],
    )
    return [router_wish(tx, row[0]) for row in rows if serves_router(tx, agents, row[0])]


def serves_router(tx: Transaction, agents: Collection[str] | None, router_id: str) -> bool:
    """Whether the agent of any of these hosts serves a router; None: of any host at all."""
    return hostings.served_by(tx, agents, hostings.L3, router_id)


def all_routers(tx: Transaction, agents: Collection[str] | None = None) -> list[str]:
    """The routers that exist and that the agent of any of these hosts serves; None: all that exist."""
    rows = tx.all("SELECT id FROM routers ORDER BY id")
    return [router_id for (router_id,) in rows if serves_router(tx, agents, router_id)]


def _end(port: Port, fixed_ips: Sequence[FixedIp], subnets: Mapping[str, Subnet]) -> RouterPortWish:
    return RouterPortWish(
        id=port.id,
        network_id=port.network_id,
        mac=port.mac_address,
        addresses=[
            f"{fixed.ip_address}/{ipaddress.ip_network(subnets[fixed.subnet_id].cidr).prefixlen}" for fixed in fixed_ips
        ],
        adverts=[
            AdvertWish(cidr=subnet.cidr, mode=subnet.ipv6_ra_mode, dns_servers=_six(subnet.dns_nameservers))
            for subnet in (subnets[fixed.subnet_id] for fixed in fixed_ips)
            if subnet.ipv6_ra_mode is not None
        ],
    )


def _six(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if ":" in address]
