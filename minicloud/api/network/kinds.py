"""Kinds of resources whose five calls are alike: list, show, create, change and delete, made out of what core offers.

    SCOPES = Kind(resource=SCOPE, path="/address-scopes", core=address_scopes, view=_view, read=..., write=...)
    routes = five(SCOPES)

What a kind's core must offer is in ``Core``. Resources with ways of their own (ports, networks, routers) are written out in
their files.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import Resource, Written
from minicloud.api.routes import Delete, Get, Post, Put, Route
from minicloud.core.context import Context
from minicloud.core.network import rbac, standard
from minicloud.core.records import Condition, Record, Transaction

Target = Callable[[Transaction, Context, Any], dict[str, Any]]
Documents = Callable[[Transaction, Context, Sequence[Any]], list[dict[str, Any]]]


def of_its_project(tx: Transaction, context: Context, record: Any) -> dict[str, Any]:
    """What policies look at, of a resource that has nothing more to it than its project."""
    return {"project_id": record.project_id, "tenant_id": record.project_id}


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of resource. ``core`` is what keeps it, a module as a rule: ``get``, ``page``, ``create``, ``change`` (taking values
    by core's names) and ``delete``, each on a transaction and for a context. ``view`` makes documents of records; ``ruled`` are defaults of its attributes' own rules by verb.

    ``listed`` is the policy's default where a list is refused as a whole; elsewhere everybody gets a list of what exists for
    them. ``hides``: whoever may not change what is only shared with them is told that it is not there, as where upstream does
    not look at ``shared`` before it answers. ``shared_as`` is the object type by which it can be shared. ``wires`` says that hosts have to follow what is changed.
    """

    resource: Resource
    path: str
    core: Any
    view: Documents
    read: str
    write: str
    name: str = ""
    target: Target = of_its_project
    ruled: Mapping[str, Mapping[str, str]] = {}
    listed: bool = False
    hides: bool = False
    shared_as: str = ""
    wires: bool = False
    extra: Sequence[tuple[str, str]] = ()
    changes: bool = True

    @property
    def policy(self) -> str:
        """Its name in policies."""
        return self.name or self.resource.name


def common(record: Any) -> dict[str, Any]:
    """The part of a document that all resources with standard attributes share."""
    found = {
        "id": record.id,
        "tenant_id": record.project_id,
        "project_id": record.project_id,
        "description": record.description,
        "created_at": f"{record.created_at[:19]}Z",
        "updated_at": f"{record.updated_at[:19]}Z",
        "revision_number": record.revision_number,
    }
    if hasattr(record, "tags"):
        found["tags"] = record.tags
    return found


def shared(tx: Transaction, call: Call, object_type: str, texts: Sequence[str]) -> Condition:
    """The condition of a filter on ``shared``: whether an object is shared with whoever asks."""
    ids = rbac.shared_ids(tx, call.context, object_type)
    return Condition("id", "in" if values.boolean(texts[-1]) else "not in", ids)


def ruled(resource: Resource, wanted: Written) -> list[str]:
    """The rules that the named attributes ask for."""
    return sorted(name for name in wanted.named if resource.attributes[name].ruled)


def five(kind: Kind) -> list[Route]:
    """The calls of a kind; four of one that cannot be changed."""
    one, many = kind.resource.name, kind.resource.collection

    async def index(call: Call) -> Any:
        wanted, sees = lists.read(call, kind.resource), guard.sight(call, f"get_{kind.policy}")
        if kind.listed:
            call.judged = True
            if not call.allows(f"get_{kind.policy}"):
                return {many: []}

        def load(tx: Transaction) -> list[dict[str, Any]]:
            if "shared" in wanted.special:
                wanted.query.where.append(shared(tx, call, kind.shared_as, wanted.special["shared"]))
            found = kind.core.page(tx, call.context, wanted.query)
            return kind.view(
                tx, call.context, [one for one in found if sees(one.id, partial(kind.target, tx, call.context, one))]
            )

        return await lists.answer(call, kind.resource, wanted, load, lambda document: document)

    async def show(call: Call, resource_id: str) -> Any:
        def load(tx: Transaction) -> tuple[dict[str, Any], dict[str, Any]]:
            found = kind.core.get(tx, call.context, resource_id)
            return kind.target(tx, call.context, found), kind.view(tx, call.context, [found])[0]

        target, document = await call.read(load)
        guard.permit_seeing(call, f"get_{kind.policy}", target)
        return {one: lists.pick(call, document)}

    async def create(call: Call, body: bytes) -> Any:
        wanted, bulk = kind.resource.read_new(call, body)
        for new in wanted:
            target = {**new.given, "project_id": new.project_id, "tenant_id": new.project_id}
            guard.permit(call, f"create_{kind.policy}", target, ruled(kind.resource, new))

        def work(tx: Transaction) -> list[dict[str, Any]]:
            made = [kind.core.create(tx, call.context, project_id=new.project_id, **new.values) for new in wanted]
            return kind.view(tx, call.context, made)

        made = await _write(call, kind, work)
        return {many: made} if bulk else {one: made[0]}

    async def update(call: Call, resource_id: str, body: bytes) -> Any:
        wanted = kind.resource.read_change(body)
        revision = guard.revision(call)

        def work(tx: Transaction) -> dict[str, Any]:
            found = kind.core.get(tx, call.context, resource_id)
            target = {**wanted.given, **kind.target(tx, call.context, found)}
            guard.permit_seeing(call, f"get_{kind.policy}", owned(target))
            guard.permit(call, f"update_{kind.policy}", target, ruled(kind.resource, wanted))
            _expect(found, revision)
            changed = kind.core.change(tx, call.context, found, **wanted.values)
            return kind.view(tx, call.context, [changed])[0]

        return {one: await _write(call, kind, work)}

    async def delete(call: Call, resource_id: str) -> Any:
        revision = guard.revision(call)

        def work(tx: Transaction) -> None:
            found = kind.core.get(tx, call.context, resource_id)
            target = kind.target(tx, call.context, found)
            guard.permit_seeing(call, f"get_{kind.policy}", owned(target))
            guard.permit(call, f"delete_{kind.policy}", target)
            _expect(found, revision)
            kind.core.delete(tx, call.context, found)

        await _write(call, kind, work)
        return Reply()

    def owned(target: dict[str, Any]) -> dict[str, Any]:
        return target | {"shared": False} if kind.hides else target

    def further(verb: str) -> list[tuple[str, str]]:
        return [(f"{verb}_{kind.policy}:{name}", rule) for name, rule in kind.ruled.get(verb, {}).items()]

    base, path = kind.path, f"{kind.path}/{{resource_id}}"
    reading: dict[str, Any] = {"policy": f"get_{kind.policy}", "allow": kind.read}
    making: dict[str, Any] = {"policy": f"create_{kind.policy}", "extra": further("create")}
    changing: dict[str, Any] = {"policy": f"update_{kind.policy}", "extra": further("update")}
    listing: dict[str, Any] = {**reading, "late": True} if kind.listed else {"policy": None}
    routes = [
        Get(base, index, **listing, extra=kind.extra),
        Post(base, create, **making, allow=kind.write, late=True, status=201),
        Get(path, show, **reading, late=True),
        Put(path, update, **changing, allow=kind.write, late=True),
        Delete(path, delete, policy=f"delete_{kind.policy}", allow=kind.write, late=True),
    ]
    return [route for route in routes if kind.changes or route.method != "PUT"]


def _expect(record: Record, revision: int | None) -> None:
    if isinstance(record, standard.Resource | standard.Part):
        standard.expect(record, revision)


async def _write(call: Call, kind: Kind, work: Callable[[Transaction], Any]) -> Any:
    return await (guard.write(call, work) if kind.wires else call.write(work))
