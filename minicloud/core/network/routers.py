"""Routers: their gateway to an external network, their extra routes, making, changing and deleting them."""

import ipaddress
from collections.abc import Sequence
from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.context import Context, administrator
from minicloud.core.network import addressing, hostings, ports, qos_policies, quotas, rbac, standard, zones
from minicloud.core.network.addressing import FixedIp, FixedIpWish
from minicloud.core.network.rows import ROUTER_GATEWAY, ROUTER_INTERFACE, HostRoute, Network, Port, Router, Subnet
from minicloud.engines.database import Transaction

MOST_ROUTES = 30


class GatewayWish(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway that a router shall have; ``snat`` None and ``qos_policy_id`` unset leave that as it is."""

    network_id: str
    snat: bool | None = None
    qos_policy_id: str | msgspec.UnsetType | None = msgspec.UNSET
    fixed_ips: list[FixedIpWish] | None = None


class Gateway(msgspec.Struct, frozen=True):
    """The gateway that a router has. ``limited``: by a policy of its own or its network's."""

    network_id: str
    fixed_ips: list[FixedIp]
    limited: bool = False


def get(tx: Transaction, context: Context, router_id: str) -> Router:
    """A router that exists for whoever asks. Raises NotFound."""
    return standard.own(tx, context, Router, router_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[Router]:
    """A page of the routers that exist for whoever asks."""
    return standard.own_page(tx, context, Router, query)


def create(
    tx: Transaction, context: Context, *, project_id: str, gateway: GatewayWish | None = None, **values: Any
) -> Router:
    """A new router; ``values`` are the record's other fields. Raises OverQuota, NotFound, Invalid, Conflict."""
    zones.check(values.get("availability_zone_hints", []))
    quotas.check(tx, project_id, "router")
    router = records.insert(
        tx, Router(id=tx.ids.uuid(), project_id=project_id, created_at=tx.now, updated_at=tx.now, **values)
    )
    trace.note("router_created", router=router.id, project=project_id)
    return router if gateway is None else set_gateway(tx, context, router, gateway)


def change(tx: Transaction, router: Router, **values: Any) -> Router:
    """Change a router. Raises Invalid for routes that lead nowhere."""
    routes: list[HostRoute] | None = values.get("routes")
    if routes is not None:
        values["routes"] = _checked(tx, router, routes)
    hostings.reschedule(tx, hostings.L3, router.id)
    return standard.change(tx, router, **values)


def add_routes(tx: Transaction, router: Router, routes: Sequence[HostRoute]) -> Router:
    """Give a router further routes; those that it has count once. Raises Invalid as ``change`` does."""
    return change(tx, router, routes=[*router.routes, *routes])


def remove_routes(tx: Transaction, router: Router, routes: Sequence[HostRoute]) -> Router:
    """Take routes from a router; those that it has not are gone already."""
    gone = set(routes)
    return change(tx, router, routes=[route for route in router.routes if route not in gone])


def set_gateway(tx: Transaction, context: Context, router: Router, wish: GatewayWish | None) -> Router:
    """Give a router this gateway, or none. Raises NotFound, Invalid, Conflict while floating addresses need the old one."""
    old = None if router.gateway_port_id is None else records.get(tx, Port, router.gateway_port_id)
    snat = router.enable_snat if wish is None or wish.snat is None else wish.snat
    policy_id = router.gateway_qos_policy_id
    if wish is not None:
        _refuse_gateway(tx, context, router, wish)
        if wish.qos_policy_id is not msgspec.UNSET:
            policy_id = wish.qos_policy_id
            qos_policies.check_change(tx, context, router.gateway_qos_policy_id, policy_id)
        if old is not None and old.network_id == wish.network_id:
            if wish.fixed_ips:
                ports.change(tx, old, fixed_ips=wish.fixed_ips)
                return standard.touch(tx, router, enable_snat=snat, gateway_qos_policy_id=policy_id)
            return standard.change(tx, router, enable_snat=snat, gateway_qos_policy_id=policy_id)
    if old is not None:
        if tx.one("SELECT 1 FROM floating_ips WHERE router_id = ? LIMIT 1", [router.id]):
            raise Conflict(
                f"Gateway cannot be updated for router {router.id}, since a gateway to external network "
                f"{old.network_id} is required by one or more floating IPs.",
                kind="RouterExternalGatewayInUseByFloatingIp",
            )
        router = standard.touch(tx, router, gateway_port_id=None)
        ports.remove(tx, old)
    if wish is None:
        return standard.change(tx, router, enable_snat=True, gateway_qos_policy_id=None)
    made = ports.create(
        tx,
        records.get(tx, Network, wish.network_id),
        project_id="",
        fixed_ips=wish.fixed_ips or None,
        device_id=router.id,
        device_owner=ROUTER_GATEWAY,
        status="ACTIVE",
    )
    return standard.touch(tx, router, gateway_port_id=made.port.id, enable_snat=snat, gateway_qos_policy_id=policy_id)


def delete(tx: Transaction, router: Router) -> None:
    """Delete a router and its gateway. Raises Conflict (``RouterInUse``) while it has interfaces or floating addresses."""
    if interfaces(tx, router.id):
        raise Conflict(f"Router {router.id} still has ports", kind="RouterInUse")
    router = set_gateway(tx, administrator(), router, None)
    records.remove(tx, router)
    hostings.forget(tx, router.id)
    trace.note("router_deleted", router=router.id)


def interfaces(tx: Transaction, router_id: str) -> list[Port]:
    """The ports of a router inside, oldest first."""
    return records.select(
        tx, Port, "device_id = ? AND device_owner = ? ORDER BY created_at, id", [router_id, ROUTER_INTERFACE]
    )


def gateways_of(tx: Transaction, routers: Sequence[Router]) -> dict[str, Gateway]:
    """The gateways of routers, by router."""
    ids = [router.gateway_port_id for router in routers if router.gateway_port_id is not None]
    found = {port.id: port for port in records.select_in(tx, Port, "id", ids)} if ids else {}
    held = addressing.held_by(tx, ids) if ids else {}
    outside = qos_policies.of_networks(tx, sorted({port.network_id for port in found.values()})) if found else {}
    own = {router.id for router in routers if router.gateway_qos_policy_id is not None}
    return {
        port.device_id: Gateway(
            port.network_id, held.get(port.id, []), port.device_id in own or port.network_id in outside
        )
        for port in found.values()
    }


def attached(tx: Transaction, router: Router) -> list[tuple[Port, list[FixedIp], list[Subnet]]]:
    """All ports of a router, the gateway's last, with addresses and the subnets of those."""
    found = interfaces(tx, router.id)
    if router.gateway_port_id is not None:
        found.append(records.get(tx, Port, router.gateway_port_id))
    held = addressing.held_by(tx, [port.id for port in found])
    ids = {fixed.subnet_id for fixed_ips in held.values() for fixed in fixed_ips}
    subnets = {subnet.id: subnet for subnet in records.select_in(tx, Subnet, "id", sorted(ids))}
    return [
        (port, held.get(port.id, []), [subnets[fixed.subnet_id] for fixed in held.get(port.id, [])]) for port in found
    ]


def refuse_overlap(tx: Transaction, router: Router, new: Sequence[Subnet]) -> None:
    """Raises Invalid when a subnet is a router's already, or overlaps with one that is."""
    for port, _, subnets in attached(tx, router):
        there = addressing.subnets_of(tx, port.network_id) if port.device_owner == ROUTER_GATEWAY else subnets
        for subnet in new:
            if any(known.id == subnet.id for known in subnets):
                raise _bad(f"Router already has a port on subnet {subnet.id}")
            for known in there:
                one, two = addressing.network_of(subnet), addressing.network_of(known)
                if one.version == two.version and one.overlaps(two):
                    raise _bad(
                        f"Cidr {subnet.cidr} of subnet {subnet.id} overlaps with cidr {known.cidr} of subnet {known.id}"
                    )


def _refuse_gateway(tx: Transaction, context: Context, router: Router, wish: GatewayWish) -> None:
    network = records.find(tx, Network, wish.network_id)
    if network is None or not rbac.sees(tx, context, network):
        raise Network.missing(wish.network_id)
    if not network.external:
        raise _bad(f"Network {network.id} is not an external network")
    subnets = addressing.subnets_of(tx, network.id)
    for fixed in wish.fixed_ips or []:
        if any(fixed.ip_address is not None and fixed.ip_address == subnet.gateway_ip for subnet in subnets):
            raise _bad(f"External IP {fixed.ip_address} is the same as the gateway IP")
    for port, _, inside in attached(tx, router):
        if port.device_owner != ROUTER_INTERFACE:
            continue
        for one in inside:
            for two in subnets:
                here, there = addressing.network_of(one), addressing.network_of(two)
                if here.version == there.version and here.overlaps(there):
                    raise _bad(f"Cidr {one.cidr} of subnet {one.id} overlaps with cidr {two.cidr} of subnet {two.id}")


def _checked(tx: Transaction, router: Router, routes: Sequence[HostRoute]) -> list[HostRoute]:
    """Extra routes, each once. Raises Invalid for too many, or a next hop that no interface reaches."""
    wanted = list(dict.fromkeys(routes))
    if len(wanted) > MOST_ROUTES:
        raise Invalid(
            f"Unable to complete operation for {router.id}. The number of routes exceeds the maximum {MOST_ROUTES}.",
            kind="RoutesExhausted",
        )
    ends = attached(tx, router)
    nets = [addressing.network_of(subnet) for _, _, subnets in ends for subnet in subnets]
    own = {fixed.ip_address for _, fixed_ips, _ in ends for fixed in fixed_ips}
    for route in wanted:
        hop = ipaddress.ip_address(route.nexthop)
        if not any(hop in net for net in nets if net.version == hop.version):
            raise _invalid_route(route, "the nexthop is not connected with router")
        if route.nexthop in own:
            raise _invalid_route(route, "the nexthop is used by router")
    return wanted


def _invalid_route(route: HostRoute, why: str) -> Invalid:
    text = f"{{'destination': '{route.destination}', 'nexthop': '{route.nexthop}'}}"
    return Invalid(f"Invalid format for routes: [{text}], {why}", kind="InvalidRoutes")


def _bad(text: str) -> Invalid:
    return Invalid(f"Bad router request: {text}.", kind="BadRequest")
