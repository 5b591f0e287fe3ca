"""Address scopes: what subnet pools say that their addresses do not overlap in."""

import ipaddress
from collections.abc import Sequence
from typing import Any

import msgspec

from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import rbac
from minicloud.core.network.rows import AddressScope, SubnetPool
from minicloud.engines.database import Transaction


def get(tx: Transaction, context: Context, scope_id: str) -> AddressScope:
    """A scope that exists for whoever asks. Raises NotFound."""
    return rbac.get(tx, context, AddressScope, scope_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[AddressScope]:
    """A page of the scopes that exist for whoever asks."""
    return rbac.page(tx, context, "address_scope", AddressScope, query)


def create(tx: Transaction, context: Context, *, project_id: str, shared: bool = False, **values: Any) -> AddressScope:
    """A new scope."""
    scope = records.insert(tx, AddressScope(id=tx.ids.uuid(), project_id=project_id, created_at=tx.now, **values))
    if shared:
        rbac.mark(tx, "address_scope", scope)
    return scope


def change(tx: Transaction, context: Context, scope: AddressScope, **values: Any) -> AddressScope:
    """Rename or share a scope. Raises Invalid (``AddressScopeUpdateError``) for one that shall be shared no more."""
    shared: bool | None = values.pop("shared", None)
    if shared is False and rbac.is_shared(tx, context, scope.id):
        raise Invalid(
            f"Unable to update address scope {scope.id} : Shared address scope can't be unshared.",
            kind="AddressScopeUpdateError",
        )
    if shared:
        rbac.mark(tx, "address_scope", scope)
    return records.change(tx, scope, **values) if values else scope


def delete(tx: Transaction, context: Context, scope: AddressScope) -> None:
    """Delete a scope. Raises Conflict (``AddressScopeInUse``) while pools are in it."""
    if tx.one("SELECT 1 FROM subnet_pools WHERE address_scope_id = ? LIMIT 1", [scope.id]):
        raise Conflict(
            f"Unable to complete operation on address scope {scope.id}. There are one or more subnet pools in use on the "
            "address scope.",
            kind="AddressScopeInUse",
        )
    rbac.forget(tx, scope.id)
    records.remove(tx, scope)


def check_pool(
    tx: Transaction,
    context: Context,
    scope_id: str,
    pool_id: str | None,
    ip_version: int,
    prefixes: Sequence[str],
) -> None:
    """Raises NotFound or Invalid where a pool (None: a new one) of these prefixes may not be in a scope."""
    scope = records.find(tx, AddressScope, scope_id)
    if scope is None or not rbac.sees(tx, context, scope):
        raise AddressScope.missing(scope_id)
    if scope.ip_version != ip_version:
        raise Invalid(
            f"Illegal subnetpool association: subnetpool {pool_id} cannot associate with address scope {scope_id} because "
            f"subnetpool ip_version is not {scope.ip_version}.",
            kind="IllegalSubnetPoolIpVersionAssociationToAddressScope",
        )
    mine = [ipaddress.ip_network(prefix) for prefix in prefixes]
    for other in records.select(tx, SubnetPool, "address_scope_id = ?", [scope_id]):
        if other.id == pool_id:
            continue
        for prefix in other.prefixes:
            there = ipaddress.ip_network(prefix)
            if any(net.version == there.version and net.overlaps(there) for net in mine):
                raise Conflict(
                    "Failed to associate address scope: subnetpools within an address scope must have unique prefixes.",
                    kind="AddressScopePrefixConflict",
                )


def check_networks(tx: Transaction, pool_id: str, ip_version: int) -> None:
    """Raises Invalid where moving a pool to another scope would leave a network in two."""
    if tx.one(
        "SELECT 1 FROM subnets s WHERE s.ip_version = ? AND COALESCE(s.subnetpool_id, '') <> ? AND s.network_id IN "
        "(SELECT network_id FROM subnets WHERE subnetpool_id = ?) LIMIT 1",
        [ip_version, pool_id, pool_id],
    ):
        raise affinity()


def affinity() -> Invalid:
    """Subnets of one network in two scopes."""
    return Invalid(
        "Subnets of the same address family hosted on the same network must all participate in the same address scope.",
        kind="NetworkAddressScopeAffinityError",
    )


def of_networks(tx: Transaction, network_ids: Sequence[str]) -> dict[tuple[str, int], str]:
    """The scopes of networks, by network and IP version."""
    rows = tx.all(
        "SELECT DISTINCT s.network_id, s.ip_version, p.address_scope_id FROM subnets s "
        "JOIN subnet_pools p ON p.id = s.subnetpool_id WHERE p.address_scope_id IS NOT NULL "
        "AND s.network_id IN (SELECT value FROM json_each(?))",
        [msgspec.json.encode(list(network_ids)).decode()],
    )
    return {(network_id, version): scope_id for network_id, version, scope_id in rows}
