"""Address groups: lists of addresses that rules of security groups name as their other end."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import rbac, standard
from minicloud.core.network.rows import AddressGroup
from minicloud.engines.database import Transaction


def get(tx: Transaction, context: Context, group_id: str) -> AddressGroup:
    """An address group that exists for whoever asks. Raises NotFound."""
    return rbac.get(tx, context, AddressGroup, group_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[AddressGroup]:
    """A page of the address groups that exist for whoever asks."""
    return rbac.page(tx, context, "address_group", AddressGroup, query)


def create(
    tx: Transaction, context: Context, *, project_id: str, addresses: Sequence[str] = (), **values: Any
) -> AddressGroup:
    """A new address group. ``addresses`` are CIDRs of either IP version."""
    group = AddressGroup(
        id=tx.ids.uuid(),
        project_id=project_id,
        addresses=_plain(addresses),
        created_at=tx.now,
        updated_at=tx.now,
        **values,
    )
    return records.insert(tx, group)


def add_addresses(tx: Transaction, group: AddressGroup, addresses: Sequence[str]) -> AddressGroup:
    """Put addresses into a group. Raises Invalid (``AddressesAlreadyExist``) for those that are there."""
    wanted = _plain(addresses)
    there = [address for address in wanted if address in group.addresses]
    if there:
        raise Invalid(f"Addresses {there} already exist in the address group {group.id}.", kind="AddressesAlreadyExist")
    return standard.change(tx, group, addresses=[*group.addresses, *wanted])


def remove_addresses(tx: Transaction, group: AddressGroup, addresses: Sequence[str]) -> AddressGroup:
    """Take addresses out of a group. Raises NotFound (``AddressesNotFound``) for those that are not there."""
    gone = _plain(addresses)
    missing = [address for address in gone if address not in group.addresses]
    if missing:
        raise NotFound(f"Addresses {missing} not found in the address group {group.id}.", kind="AddressesNotFound")
    return standard.change(tx, group, addresses=[address for address in group.addresses if address not in gone])


def change(tx: Transaction, context: Context, group: AddressGroup, **values: Any) -> AddressGroup:
    """Rename or describe a group."""
    return standard.change(tx, group, **values)


def delete(tx: Transaction, context: Context, group: AddressGroup) -> None:
    """Delete an address group. Raises Conflict (``AddressGroupInUse``) while rules name it."""
    if tx.one("SELECT 1 FROM security_group_rules WHERE remote_address_group_id = ? LIMIT 1", [group.id]):
        raise Conflict(
            f"Address group {group.id} is in use on one or more security group rules.", kind="AddressGroupInUse"
        )
    rbac.forget(tx, group.id)
    records.remove(tx, group)


def addresses_in(tx: Transaction, group_ids: Sequence[str]) -> dict[str, list[str]]:
    """What address groups hold, by group."""
    return {group.id: group.addresses for group in records.select_in(tx, AddressGroup, "id", group_ids)}


def _plain(addresses: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(str(ipaddress.ip_network(address, strict=False)) for address in addresses))
