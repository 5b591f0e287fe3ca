"""/address-groups."""

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from minicloud.api.call import Call
from minicloud.api.network import guard, values
from minicloud.api.network.attributes import Attribute, Resource, parse
from minicloud.api.network.kinds import Kind, common, five
from minicloud.api.routes import Put
from minicloud.base.errors import Invalid
from minicloud.core.context import Context
from minicloud.core.network import address_groups, rbac
from minicloud.core.network.rows import AddressGroup
from minicloud.core.records import Transaction


def _addresses(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"'{value}' is not a list")
    found = [values.cidr(address) for address in value]
    twice = sorted({address for address in found if found.count(address) > 1})
    if twice:
        raise ValueError(f"Duplicate items in the list: '{', '.join(twice)}'")
    return found


def _network(address: Any) -> Any:
    try:
        return str(ipaddress.ip_network(address)) if isinstance(address, str) and "/" not in address else address
    except ValueError:
        return address


GROUP = Resource(
    "address_group",
    "address_groups",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("description", values.text(1024), "", filter="text", sort=True),
        Attribute("addresses", _addresses, [], change=False),
        Attribute("shared", filter="special"),
    ],
)


async def add_addresses(call: Call, group_id: str, body: bytes) -> Any:
    """Put addresses into an address group."""
    return await _change(call, group_id, body, "add_addresses", address_groups.add_addresses)


async def remove_addresses(call: Call, group_id: str, body: bytes) -> Any:
    """Take addresses out of an address group."""
    return await _change(call, group_id, body, "remove_addresses", address_groups.remove_addresses)


async def _change(
    call: Call,
    group_id: str,
    body: bytes,
    action: str,
    change: Callable[[Transaction, AddressGroup, Sequence[str]], AddressGroup],
) -> Any:
    given = parse(body).get("addresses")
    if isinstance(given, list):
        # Unlike in a new group, an address may stand here without its length.
        given = [_network(address) for address in given]
    try:
        wanted = _addresses(given)
    except ValueError as error:
        raise Invalid(f"Invalid input for addresses. Reason: {error}.", kind="HTTPBadRequest") from None

    def work(tx: Transaction) -> dict[str, Any]:
        group = address_groups.get(tx, call.context, group_id)
        guard.permit(call, action, _target(tx, call.context, group))
        return _view(tx, call.context, [change(tx, group, wanted)])[0]

    return {"address_group": await guard.write(call, work)}


def _view(tx: Transaction, context: Context, found: Sequence[AddressGroup]) -> list[dict[str, Any]]:
    shared = set(rbac.shared_ids(tx, context, "address_group"))
    return [
        common(group) | {"name": group.name, "addresses": group.addresses, "shared": group.id in shared}
        for group in found
    ]


def _target(tx: Transaction, context: Context, group: AddressGroup) -> dict[str, Any]:
    return {"project_id": group.project_id, "shared": rbac.is_shared(tx, context, group.id)}


_MEMBER = guard.ADMIN_OR_MEMBER
_ONE = "/address-groups/{group_id}"

routes = [
    *five(
        Kind(
            resource=GROUP,
            path="/address-groups",
            core=address_groups,
            view=_view,
            target=_target,
            read=f"{guard.ADMIN_OR_READER} or rule:shared_address_groups",
            write=_MEMBER,
            shared_as="address_group",
            hides=True,
            extra=[("shared_address_groups", "field:address_groups:shared=True")],
        )
    ),
    Put(f"{_ONE}/add_addresses", add_addresses, policy="add_addresses", allow=_MEMBER, late=True),
    Put(f"{_ONE}/remove_addresses", remove_addresses, policy="remove_addresses", allow=_MEMBER, late=True),
]
