"""Resources below another one, whose calls are alike: ``/qos/policies/{id}/dscp_marking_rules`` and such.

Who may do what with them is asked about the parent's owner, as upstream does (``ext_parent_owner``).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists
from minicloud.api.network.attributes import Resource
from minicloud.api.routes import Delete, Get, Post, Put, Route
from minicloud.core.context import Context, administrator
from minicloud.core.records import Transaction


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of resource below another. ``path`` is the parent's; ``parent`` gets that, ``core`` does the rest below it.

    ``core`` has get, page, create, change and delete as ``kinds.Core`` says, each with the parent after the context.
    """

    resource: Resource
    path: str
    policy: str
    parent: Callable[[Transaction, Context, str], Any]
    core: Any
    view: Callable[[Any], dict[str, Any]]
    read: str
    write: str


def five(child: Child) -> list[Route]:
    """The calls of a kind of children."""
    one, many = child.resource.name, child.resource.collection

    def found(tx: Transaction, call: Call, verb: str, parent_id: str) -> Any:
        # The parent is looked at whoever owns it: that one may not add to it is no secret, what is below it is.
        parent = child.parent(tx, administrator(), parent_id)
        target = _target(parent)
        if verb != "create":
            guard.permit_seeing(call, f"get_{child.policy}", target)
        guard.permit(call, f"{verb}_{child.policy}", target)
        return parent

    async def index(call: Call, parent_id: str) -> Any:
        wanted = lists.read(call, child.resource)

        def load(tx: Transaction) -> Sequence[Any]:
            call.judged = True
            parent = child.parent(tx, administrator(), parent_id)
            if not call.allows(f"get_{child.policy}", _target(parent)):
                return []
            records: Sequence[Any] = child.core.page(tx, call.context, parent, wanted.query)
            return records

        return await lists.answer(call, child.resource, wanted, load, child.view)

    async def show(call: Call, parent_id: str, resource_id: str) -> Any:
        def load(tx: Transaction) -> Any:
            return child.core.get(tx, call.context, found(tx, call, "get", parent_id), resource_id)

        return {one: lists.pick(call, child.view(await call.read(load)))}

    async def create(call: Call, parent_id: str, body: bytes) -> Any:
        wanted, bulk = child.resource.read_new(call, body)

        def work(tx: Transaction) -> list[Any]:
            parent = found(tx, call, "create", parent_id)
            return [
                child.core.create(tx, call.context, parent, project_id=new.project_id, **new.values) for new in wanted
            ]

        made = [child.view(record) for record in await guard.write(call, work)]
        return {many: made} if bulk else {one: made[0]}

    async def update(call: Call, parent_id: str, resource_id: str, body: bytes) -> Any:
        wanted = child.resource.read_change(body)

        def work(tx: Transaction) -> Any:
            parent = found(tx, call, "update", parent_id)
            record = child.core.get(tx, call.context, parent, resource_id)
            return child.core.change(tx, call.context, parent, record, **wanted.values)

        return {one: child.view(await guard.write(call, work))}

    async def delete(call: Call, parent_id: str, resource_id: str) -> Any:
        def work(tx: Transaction) -> None:
            parent = found(tx, call, "delete", parent_id)
            child.core.delete(tx, call.context, parent, child.core.get(tx, call.context, parent, resource_id))

        await guard.write(call, work)
        return Reply()

    base, path = f"{child.path}/{{parent_id}}/{many}", f"{child.path}/{{parent_id}}/{many}/{{resource_id}}"
    reading: Mapping[str, Any] = {"policy": f"get_{child.policy}", "allow": child.read, "late": True}
    return [
        Get(base, index, **reading),
        Post(base, create, policy=f"create_{child.policy}", allow=child.write, late=True, status=201),
        Get(path, show, **reading),
        Put(path, update, policy=f"update_{child.policy}", allow=child.write, late=True),
        Delete(path, delete, policy=f"delete_{child.policy}", allow=child.write, late=True),
    ]


def _target(parent: Any) -> dict[str, Any]:
    return {
        "project_id": parent.project_id,
        "tenant_id": parent.project_id,
        "ext_parent:project_id": parent.project_id,
    }
