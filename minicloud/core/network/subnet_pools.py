"""Subnet pools: prefixes out of which subnets are given, each address once."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from minicloud.base import trace
from minicloud.base.errors import Conflict, Forbidden, Invalid, OverQuota
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import address_scopes, addressing, quotas, rbac, standard
from minicloud.core.network import prefixes as sets
from minicloud.core.network.rows import AddressScope, Network, Subnet, SubnetPool
from minicloud.engines.database import Transaction

_BITS = {4: 32, 6: 128}
_LOWEST = {4: 8, 6: 64}
_QUOTA_UNIT = {4: 32, 6: 64}
"""A pool's quota counts addresses of IPv4, and /64 of IPv6."""


def get(tx: Transaction, context: Context, pool_id: str) -> SubnetPool:
    """A pool that exists for whoever asks. Raises NotFound."""
    return rbac.get(tx, context, SubnetPool, pool_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[SubnetPool]:
    """A page of the pools that exist for whoever asks."""
    return rbac.page(tx, context, "subnetpool", SubnetPool, query)


def default_of(tx: Transaction, ip_version: int) -> SubnetPool | None:
    """The pool that is the default one of an IP version, if there is one."""
    found = records.select(tx, SubnetPool, "is_default = 1 AND ip_version = ?", [ip_version])
    return found[0] if found else None


def create(
    tx: Transaction,
    context: Context,
    *,
    project_id: str,
    prefixes: Sequence[str],
    min_prefixlen: int | None = None,
    max_prefixlen: int | None = None,
    default_prefixlen: int | None = None,
    **values: Any,
) -> SubnetPool:
    """A new pool. Raises Invalid for no prefixes, of both IP versions, or bounds that contradict each other."""
    quotas.check(tx, project_id, "subnetpool")
    version = _version(prefixes)
    lowest = _LOWEST[version] if min_prefixlen is None else min_prefixlen
    pool = SubnetPool(
        id=tx.ids.uuid(),
        project_id=project_id,
        ip_version=version,
        prefixes=sets.compact(prefixes),
        min_prefixlen=lowest,
        max_prefixlen=_BITS[version] if max_prefixlen is None else max_prefixlen,
        default_prefixlen=lowest if default_prefixlen is None else default_prefixlen,
        created_at=tx.now,
        updated_at=tx.now,
        **values,
    )
    _check(pool)
    if pool.is_default:
        _refuse_second_default(tx, version)
    if pool.address_scope_id is not None:
        address_scopes.check_pool(tx, context, pool.address_scope_id, None, version, pool.prefixes)
    trace.note("subnet_pool_created", pool=pool.id, prefixes=pool.prefixes)
    made = records.insert(tx, pool)
    if made.shared:
        rbac.mark(tx, "subnetpool", made)
    return made


def change(tx: Transaction, context: Context, pool: SubnetPool, **values: Any) -> SubnetPool:
    """Change a pool; its prefixes may only grow. Raises Invalid, Conflict for what another pool of its scope has."""
    if "prefixes" in values:
        if _version(values["prefixes"]) != pool.ip_version:
            raise Invalid("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", kind="PrefixVersionMismatch")
        if sets.without(pool.prefixes, values["prefixes"]):
            raise _illegal_update("Existing prefixes must be a subset of the new prefixes")
        values["prefixes"] = sets.compact(values["prefixes"])
    wanted = pool.with_(**values)
    _check(wanted)
    if wanted.is_default and not pool.is_default:
        _refuse_second_default(tx, pool.ip_version)
    if pool.address_scope_id is not None:
        _refuse_foreign_scope(tx, context, pool, pool.address_scope_id)
    if wanted.address_scope_id != pool.address_scope_id:
        address_scopes.check_networks(tx, pool.id, pool.ip_version)
    if wanted.address_scope_id is not None:
        address_scopes.check_pool(tx, context, wanted.address_scope_id, pool.id, wanted.ip_version, wanted.prefixes)
    return standard.change(tx, pool, **values)


def add_prefixes(tx: Transaction, context: Context, pool: SubnetPool, prefixes: Sequence[str]) -> SubnetPool:
    """Let a pool grow. Raises Invalid as ``change`` does."""
    return change(tx, context, pool, prefixes=[*pool.prefixes, *prefixes])


def remove_prefixes(tx: Transaction, context: Context, pool: SubnetPool, prefixes: Sequence[str]) -> SubnetPool:
    """Let a pool shrink. Raises Invalid when subnets have something of what shall go, or nothing would be left."""
    if _version(prefixes) != pool.ip_version:
        return pool
    gone = [ipaddress.ip_network(prefix) for prefix in prefixes]
    if any(net.overlaps(ipaddress.ip_network(cidr)) for net in gone for _, cidr in _allocated(tx, pool.id)):
        raise _illegal_update("One or more the prefixes to be removed is in use by a subnet.")
    left = sets.without(pool.prefixes, prefixes)
    if not left:
        raise Invalid("Empty subnet pool prefix list.", kind="EmptySubnetPoolPrefixList")
    return standard.change(tx, pool, prefixes=sets.compact(left))


def delete(tx: Transaction, context: Context, pool: SubnetPool) -> None:
    """Delete a pool. Raises Invalid (``SubnetPoolDeleteError``) while subnets come out of it."""
    if _allocated(tx, pool.id):
        raise Invalid(
            "Unable to delete subnet pool: Subnet pool has existing allocations.", kind="SubnetPoolDeleteError"
        )
    rbac.forget(tx, pool.id)
    records.remove(tx, pool)


def onboard(tx: Transaction, context: Context, pool: SubnetPool, network_id: str) -> list[Subnet]:
    """Take the subnets of a network into a pool, which grows by them. Raises NotFound, Forbidden, Invalid."""
    network = records.find(tx, Network, network_id)
    if network is None or not rbac.sees(tx, context, network):
        raise Network.missing(network_id)
    if not context.sees(network.project_id):
        raise Forbidden("Not authorized.", kind="NotAuthorized")
    subnets = [subnet for subnet in addressing.subnets_of(tx, network_id) if subnet.ip_version == pool.ip_version]
    taken = [ipaddress.ip_network(cidr) for _, cidr in _allocated(tx, pool.id)]
    for subnet in subnets:
        if any(ipaddress.ip_network(subnet.cidr).overlaps(net) for net in taken):
            raise Invalid(
                f"Illegal subnetpool update : Onboarding subnet {subnet.id}: {subnet.cidr} conflicts with allocated "
                f"prefixes in subnet pool {pool.id}.",
                kind="IllegalSubnetPoolUpdate",
            )
    if subnets:
        change(tx, context, pool, prefixes=[*pool.prefixes, *(subnet.cidr for subnet in subnets)])
    return [standard.change(tx, subnet, subnetpool_id=pool.id) for subnet in subnets]


def allocate(
    tx: Transaction, pool: SubnetPool, network: Network, *, project_id: str, cidr: str | None, prefixlen: int | None
) -> str:
    """A CIDR for a new subnet: the one that is asked for, or the first free of a length (the pool's default one).

    Raises Invalid (length out of bounds, another pool's subnets on the network), Conflict (not free), OverQuota.
    """
    for other in addressing.subnets_of(tx, network.id):
        if other.ip_version == pool.ip_version and other.subnetpool_id != pool.id:
            raise Invalid(
                "Subnets hosted on the same network must be allocated from the same subnet pool.",
                kind="NetworkSubnetPoolAffinityError",
            )
    length = pool.default_prefixlen if prefixlen is None else prefixlen
    length = length if cidr is None else ipaddress.ip_network(cidr).prefixlen
    _check_length(pool, length)
    taken = _allocated(tx, pool.id)
    _check_quota(pool, project_id, length, taken)
    free = sets.without(pool.prefixes, [there for _, there in taken])
    if cidr is not None:
        if sets.without([cidr], free):
            raise _no_room("Cannot allocate requested subnet from the available set of prefixes")
        return cidr
    # The smallest gap that is large enough: large ones stay whole for those who need them.
    for gap in sorted(map(ipaddress.ip_network, free), key=lambda net: (-net.prefixlen, int(net.network_address))):
        if gap.prefixlen <= length:
            return f"{gap.network_address}/{length}"
    raise _no_room(f"Insufficient prefix space to allocate subnet size /{length}")


def _allocated(tx: Transaction, pool_id: str) -> list[tuple[str, str]]:
    rows = tx.all("SELECT project_id, cidr FROM subnets WHERE subnetpool_id = ? ORDER BY cidr", [pool_id])
    return [(project_id, cidr) for project_id, cidr in rows]


def _version(prefixes: Sequence[str]) -> int:
    versions = {ipaddress.ip_network(prefix).version for prefix in prefixes}
    if not versions:
        raise Invalid("Empty subnet pool prefix list.", kind="EmptySubnetPoolPrefixList")
    if len(versions) > 1:
        raise Invalid("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", kind="PrefixVersionMismatch")
    return versions.pop()


def _check(pool: SubnetPool) -> None:
    bounds = [
        ("min_prefixlen", pool.min_prefixlen, "max_prefixlen", pool.max_prefixlen),
        ("max_prefixlen", pool.max_prefixlen, "ip_version_max", _BITS[pool.ip_version]),
        ("default_prefixlen", pool.default_prefixlen, "max_prefixlen", pool.max_prefixlen),
    ]
    for name, lower, other, upper in bounds:
        if lower > upper:
            raise _bounds(name, lower, other, upper)
    if pool.default_prefixlen < pool.min_prefixlen:
        raise _bounds("default_prefixlen", pool.default_prefixlen, "min_prefixlen", pool.min_prefixlen)


def _bounds(name: str, value: int, other: str, limit: int) -> Invalid:
    return Invalid(f"Illegal prefix bounds: {name}={value}, {other}={limit}.", kind="IllegalSubnetPoolPrefixBounds")


def _check_length(pool: SubnetPool, length: int) -> None:
    said = f"Unable to allocate subnet with prefix length {length}"
    if length > pool.max_prefixlen:
        raise Invalid(f"{said}, maximum allowed prefix is {pool.max_prefixlen}.", kind="MaxPrefixSubnetAllocationError")
    if length < pool.min_prefixlen:
        raise Invalid(f"{said}, minimum allowed prefix is {pool.min_prefixlen}.", kind="MinPrefixSubnetAllocationError")


def _check_quota(pool: SubnetPool, project_id: str, length: int, taken: Iterable[tuple[str, str]]) -> None:
    if not pool.default_quota:
        return
    unit = _QUOTA_UNIT[pool.ip_version]
    has = [ipaddress.ip_network(cidr).prefixlen for owner, cidr in taken if owner == project_id]
    if sum(2.0 ** (unit - each) for each in [*has, length]) > pool.default_quota:
        raise OverQuota("Per-project subnet pool prefix quota exceeded.", kind="SubnetPoolQuotaExceeded")


def _refuse_second_default(tx: Transaction, ip_version: int) -> None:
    if default_of(tx, ip_version) is not None:
        raise Invalid(
            "Invalid input for operation: A default subnetpool for this IP family has already been set. Only one default "
            "may exist per IP family.",
            kind="InvalidInput",
        )


def _refuse_foreign_scope(tx: Transaction, context: Context, pool: SubnetPool, scope_id: str) -> None:
    scope = records.find(tx, AddressScope, scope_id)
    if scope is not None and not context.sees(scope.project_id):
        raise Invalid(
            f"Illegal subnetpool update : subnetpool {pool.id} cannot be updated when associated with shared address scope "
            f"{scope_id}.",
            kind="IllegalSubnetPoolUpdate",
        )


def _illegal_update(why: str) -> Invalid:
    return Invalid(f"Illegal update to prefixes: {why}.", kind="IllegalSubnetPoolPrefixUpdate")


def _no_room(why: str) -> Conflict:
    return Conflict(f"Failed to allocate subnet: {why}.", kind="SubnetAllocationError")
