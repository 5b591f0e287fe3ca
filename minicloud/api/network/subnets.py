"""/subnets."""

import ipaddress
from collections.abc import Callable
from functools import partial
from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import REQUIRED, Attribute, Resource, Written
from minicloud.api.network.kinds import common, ruled, shared
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import networks, rbac, standard, subnet_pools, subnets
from minicloud.core.network.rows import Network, Subnet, SubnetPool
from minicloud.core.network.subnet_checks import MODES
from minicloud.core.records import Condition, Transaction

SUBNET = Resource(
    "subnet",
    "subnets",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("network_id", values.uuid, REQUIRED, change=False, filter="text", sort=True),
        Attribute("ip_version", values.integer, change=False, filter="number", sort=True),
        Attribute("cidr", values.or_none(values.cidr), None, change=False, filter="text", sort=True),
        Attribute("gateway_ip", values.or_none(values.ip), filter="text", sort=True),
        Attribute("allocation_pools", values.pools),
        Attribute("dns_nameservers", values.or_empty(values.nameservers), []),
        Attribute("host_routes", values.or_empty(values.routes), []),
        Attribute("enable_dhcp", values.boolean, True, filter="flag", sort=True),
        Attribute("ipv6_ra_mode", values.or_none(values.one_of(*MODES)), None, change=False, filter="text", sort=True),
        Attribute(
            "ipv6_address_mode", values.or_none(values.one_of(*MODES)), None, change=False, filter="text", sort=True
        ),
        Attribute("subnetpool_id", values.or_none(values.uuid), None, change=False, filter="text"),
        Attribute("prefixlen", values.or_none(values.number_in(0, 128)), None, change=False),
        Attribute("use_default_subnetpool", values.boolean, False, change=False),
        # Upstream has rules for these two and does not ask them: the attributes are not marked for it.
        Attribute("service_types", values.service_types, []),
        Attribute("segment_id", values.or_none(values.uuid), None, filter="text", sort=True),
        Attribute("dns_publish_fixed_ip", values.boolean, False),
        Attribute("shared", filter="special"),
        Attribute("router:external", filter="special"),
        Attribute("tags", values.tags, [], change=False, ruled=True),
    ],
)


async def index(call: Call) -> Any:
    """Subnets that exist for whoever asks."""
    wanted = lists.read(call, SUBNET)

    look, sees = seeing(call), guard.sight(call, "get_subnet")

    def load(tx: Transaction) -> list[tuple[Subnet, Network]]:
        query = wanted.query
        if "shared" in wanted.special:
            found_by = shared(tx, call, "network", wanted.special["shared"])
            query.where.append(Condition("network_id", found_by.operator, found_by.value))
        if "router:external" in wanted.special:
            truth = values.boolean(wanted.special["router:external"][-1])
            outside = networks.page(tx, call.context, records.Query(where=[Condition("external", "=", truth)]))
            query.where.append(Condition("network_id", "in", [network.id for network in outside]))
        found = subnets.page(tx, call.context, query)
        over = {n.id: n for n in records.select_in(tx, Network, "id", sorted({s.network_id for s in found}))}
        rows = [(subnet, over[subnet.network_id]) for subnet in found]
        return [row for row in rows if sees((row[0].project_id, row[1].id), partial(target, tx, call.context, *row))]

    return await lists.answer(call, SUBNET, wanted, load, lambda row: look(*row))


async def show(call: Call, subnet_id: str) -> Any:
    """One subnet."""

    def load(tx: Transaction) -> tuple[Subnet, Network]:
        subnet, network = _get(tx, call, subnet_id)
        guard.permit_seeing(call, "get_subnet", target(tx, call.context, subnet, network))
        return subnet, network

    return {"subnet": lists.pick(call, seeing(call)(*await call.read(load)))}


async def create(call: Call, body: bytes) -> Any:
    """One subnet, or several at once."""
    wanted, bulk = SUBNET.read_new(call, body)

    def work(tx: Transaction) -> list[tuple[Subnet, Network]]:
        return [_create(tx, call, one) for one in wanted]

    look = seeing(call)
    made = [look(*pair) for pair in await guard.write(call, work)]
    return {"subnets": made} if bulk else {"subnet": made[0]}


async def update(call: Call, subnet_id: str, body: bytes) -> Any:
    """Change a subnet."""
    wanted = SUBNET.read_change(body)
    revision = guard.revision(call)

    def work(tx: Transaction) -> tuple[Subnet, Network]:
        subnet, network = _get(tx, call, subnet_id)
        guard.permit(call, "update_subnet", target(tx, call.context, subnet, network), ruled(SUBNET, wanted))
        standard.expect(subnet, revision)
        return subnets.change(tx, subnet, **wanted.values), network

    return {"subnet": seeing(call)(*await guard.write(call, work))}


async def delete(call: Call, subnet_id: str) -> Any:
    """Delete a subnet."""
    revision = guard.revision(call)

    def work(tx: Transaction) -> None:
        subnet, network = _get(tx, call, subnet_id)
        guard.permit(call, "delete_subnet", target(tx, call.context, subnet, network))
        standard.expect(subnet, revision)
        subnets.delete(tx, subnet)

    await guard.write(call, work)
    return Reply()


def target(tx: Transaction, context: Context, subnet: Subnet, network: Network) -> dict[str, Any]:
    """What policies look at."""
    return {
        "project_id": subnet.project_id,
        "tenant_id": subnet.project_id,
        "network_id": network.id,
        "network:project_id": network.project_id,
        "shared": network.shared or rbac.is_shared(tx, context, network.id),
        "router:external": network.external,
    }


def seeing(call: Call) -> Callable[[Subnet, Network], dict[str, Any]]:
    """How whoever asks sees subnets."""
    everything = call.allows("get_subnet:segment_id")

    def look(subnet: Subnet, network: Network) -> dict[str, Any]:
        document = _view(subnet, network)
        if not everything:
            del document["segment_id"]
        return document

    return look


def _view(subnet: Subnet, network: Network) -> dict[str, Any]:
    return common(subnet) | {
        "name": subnet.name,
        "network_id": subnet.network_id,
        "ip_version": subnet.ip_version,
        "subnetpool_id": subnet.subnetpool_id,
        "enable_dhcp": subnet.enable_dhcp,
        "ipv6_ra_mode": subnet.ipv6_ra_mode,
        "ipv6_address_mode": subnet.ipv6_address_mode,
        "gateway_ip": subnet.gateway_ip,
        "cidr": subnet.cidr,
        "allocation_pools": subnet.allocation_pools,
        "host_routes": subnet.host_routes,
        "dns_nameservers": subnet.dns_nameservers,
        "service_types": subnet.service_types,
        "segment_id": subnet.segment_id,
        "dns_publish_fixed_ip": subnet.dns_publish_fixed_ip,
        "router:external": network.external,
    }


def _get(tx: Transaction, call: Call, subnet_id: str) -> tuple[Subnet, Network]:
    subnet = subnets.get(tx, call.context, subnet_id)
    return subnet, records.get(tx, Network, subnet.network_id)


def _create(tx: Transaction, call: Call, wanted: Written) -> tuple[Subnet, Network]:
    given = dict(wanted.values)
    network = networks.get(tx, call.context, given.pop("network_id"))
    shared_with = network.shared or rbac.is_shared(tx, call.context, network.id)
    if not call.context.is_admin and not shared_with and network.project_id != wanted.project_id:
        raise NotFound("The resource could not be found.", kind="HTTPNotFound")
    guard.permit(
        call,
        "create_subnet",
        {"project_id": wanted.project_id, "network:project_id": network.project_id, "shared": shared_with},
        ruled(SUBNET, wanted),
    )
    prefix, cidr, version = given.pop("prefixlen"), given.pop("cidr"), given.pop("ip_version", None)
    if cidr is not None and prefix is not None:
        raise _bad("cidr and prefixlen must not be supplied together")
    pool = _pool(tx, call, given.pop("subnetpool_id"), given.pop("use_default_subnetpool"), cidr, version)
    if version is None and pool is None:
        if cidr is None:
            raise _bad("ip_version must be specified in the absence of cidr and subnetpool_id")
        raise Invalid("Invalid input for ip_version. Reason: '' is not an integer.", kind="HTTPBadRequest")
    if version not in (4, 6, None):
        raise Invalid(f"Invalid input for ip_version. Reason: {version} is not in [4, 6].", kind="HTTPBadRequest")
    if pool is not None:
        if version not in (None, pool.ip_version):
            raise _bad(f"Cannot allocate IPv{version} subnet from IPv{pool.ip_version} subnet pool")
        if cidr is None and "allocation_pools" in given:
            raise _bad("allocation_pools allowed only for specific subnet requests.")
        if cidr is not None and ipaddress.ip_network(cidr).version != pool.ip_version:
            raise _bad(f"Cannot allocate {cidr} from IPv{pool.ip_version} subnet pool")
        cidr = subnet_pools.allocate(tx, pool, network, project_id=wanted.project_id, cidr=cidr, prefixlen=prefix)
        given["subnetpool_id"], version = pool.id, pool.ip_version
    if cidr is None:
        raise _bad("a subnetpool must be specified in the absence of a cidr")
    made = subnets.create(tx, network, project_id=wanted.project_id, cidr=cidr, ip_version=version, **given)
    return made, network


def _pool(
    tx: Transaction, call: Call, pool_id: str | None, default: bool, cidr: str | None, version: int | None
) -> SubnetPool | None:
    """The pool that a new subnet shall come out of, if any."""
    if pool_id is not None:
        if default:
            raise _bad("subnetpool_id and use_default_subnetpool cannot both be specified")
        return subnet_pools.get(tx, call.context, pool_id)
    if not default:
        return None
    version = version if cidr is None else ipaddress.ip_network(cidr).version
    if version is None:
        raise _bad("ip_version must be specified in the absence of cidr and subnetpool_id")
    pool = subnet_pools.default_of(tx, version)
    if pool is None:
        raise _bad(f"No default subnetpool found for IPv{version}")
    return pool


def _bad(message: str) -> Invalid:
    return Invalid(f"Bad subnets request: {message}.", kind="BadRequest")


_OWN = f"{guard.MEMBER} or {guard.ADMIN} or ({guard.NET_MEMBER})"
_GET = f"{guard.READER} or rule:shared or rule:external_network or {guard.ADMIN} or ({guard.NET_READER}) or {guard.SERVICE}"
_ADMINS = ("service_types", "segment_id")

routes = [
    Get("/subnets", index, policy=None, extra=[("get_subnet:segment_id", guard.ADMIN)]),
    Post(
        "/subnets",
        create,
        policy="create_subnet",
        allow=f"({guard.ADMIN}) or ({guard.NET_MEMBER})",
        late=True,
        extra=[(f"create_subnet:{name}", guard.ADMIN) for name in _ADMINS],
        status=201,
    ),
    Get("/subnets/{subnet_id}", show, policy="get_subnet", allow=_GET, late=True),
    Put(
        "/subnets/{subnet_id}",
        update,
        policy="update_subnet",
        allow=_OWN,
        late=True,
        extra=[(f"update_subnet:{name}", guard.ADMIN) for name in _ADMINS],
    ),
    Delete("/subnets/{subnet_id}", delete, policy="delete_subnet", allow=_OWN, late=True),
]
