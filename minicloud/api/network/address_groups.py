"""/address-groups."""

from collections.abc import Callable, Sequence
from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import Attribute, Resource, parse
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.network import address_groups, standard
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


GROUP = Resource(
    "address_group",
    "address_groups",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("addresses", _addresses, [], change=False),
    ],
)


async def index(call: Call) -> Any:
    """Address groups that exist for whoever asks."""
    wanted = lists.read(call, GROUP)
    return await lists.answer(
        call, GROUP, wanted, lambda tx: address_groups.page(tx, call.context, wanted.query), _view
    )


async def show(call: Call, group_id: str) -> Any:
    """One address group."""
    group = await call.read(lambda tx: address_groups.get(tx, call.context, group_id))
    guard.permit(call, "get_address_group", _target(group))
    return {"address_group": lists.pick(call, _view(group))}


async def create(call: Call, body: bytes) -> Any:
    """One address group, or several at once."""
    wanted, bulk = GROUP.read_new(call, body)
    for one in wanted:
        guard.permit(call, "create_address_group", {"project_id": one.project_id})

    def work(tx: Transaction) -> list[AddressGroup]:
        return [address_groups.create(tx, project_id=one.project_id, **one.values) for one in wanted]

    found = [_view(group) for group in await call.write(work)]
    return {"address_groups": found} if bulk else {"address_group": found[0]}


async def update(call: Call, group_id: str, body: bytes) -> Any:
    """Rename or describe an address group."""
    wanted = GROUP.read_change(body)
    revision = guard.revision(call)

    def work(tx: Transaction) -> AddressGroup:
        group = address_groups.get(tx, call.context, group_id)
        guard.permit(call, "update_address_group", _target(group))
        standard.expect(group, revision)
        return standard.change(tx, group, **wanted.values)

    return {"address_group": _view(await call.write(work))}


async def delete(call: Call, group_id: str) -> Any:
    """Delete an address group."""
    revision = guard.revision(call)

    def work(tx: Transaction) -> None:
        group = address_groups.get(tx, call.context, group_id)
        guard.permit(call, "delete_address_group", _target(group))
        standard.expect(group, revision)
        address_groups.delete(tx, group)

    await call.write(work)
    return Reply()


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
    try:
        wanted = _addresses(parse(body).get("addresses"))
    except ValueError as error:
        raise Invalid(f"Invalid input for addresses. Reason: {error}.", kind="HTTPBadRequest") from None

    def work(tx: Transaction) -> AddressGroup:
        group = address_groups.get(tx, call.context, group_id)
        guard.permit(call, action, _target(group))
        return change(tx, group, wanted)

    return {"address_group": _view(await guard.write(call, work))}


def _view(group: AddressGroup) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.project_id,
        "project_id": group.project_id,
        "addresses": group.addresses,
        "created_at": f"{group.created_at[:19]}Z",
        "updated_at": f"{group.updated_at[:19]}Z",
        "revision_number": group.revision_number,
    }


def _target(group: AddressGroup) -> dict[str, Any]:
    return {"project_id": group.project_id}


_MEMBER = guard.ADMIN_OR_MEMBER
_ONE = "/address-groups/{group_id}"

routes = [
    Get("/address-groups", index, policy=None),
    Post("/address-groups", create, policy="create_address_group", allow=_MEMBER, late=True, status=201),
    Get(_ONE, show, policy="get_address_group", allow=guard.ADMIN_OR_READER, late=True),
    Put(_ONE, update, policy="update_address_group", allow=_MEMBER, late=True),
    Delete(_ONE, delete, policy="delete_address_group", allow=_MEMBER, late=True),
    Put(f"{_ONE}/add_addresses", add_addresses, policy="add_addresses", allow=_MEMBER, late=True),
    Put(f"{_ONE}/remove_addresses", remove_addresses, policy="remove_addresses", allow=_MEMBER, late=True),
]
