"""/subnetpools."""

from collections.abc import Callable, Sequence
from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import OMITTED, REQUIRED, Attribute, Resource, Written, parse
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.network import standard, subnet_pools
from minicloud.core.network.rows import SubnetPool
from minicloud.core.records import Transaction


def _name(value: Any) -> str:
    name: str = values.name(value)
    if not name.strip():
        raise ValueError(f"'{value}' Blank strings are not permitted")
    return name


def _prefixes(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError(f"'{value}' is not a list")
    found = [values.cidr(prefix) for prefix in value]
    twice = sorted({prefix for prefix in found if found.count(prefix) > 1})
    if twice:
        raise ValueError(f"Duplicate items in the list: '{', '.join(twice)}'")
    return found


_length = values.number_in(0, 2**31 - 1)

POOL = Resource(
    "subnetpool",
    "subnetpools",
    [
        Attribute("name", _name, REQUIRED, filter="text", sort=True),
        Attribute("prefixes", _prefixes, REQUIRED),
        Attribute("default_quota", values.or_none(_length), None, filter="number", sort=True),
        Attribute("ip_version", filter="number", sort=True),
        Attribute("default_prefixlen", _length, OMITTED, filter="number", sort=True),
        Attribute("min_prefixlen", _length, OMITTED, filter="number", sort=True),
        Attribute("max_prefixlen", _length, OMITTED, filter="number", sort=True),
        Attribute("is_default", values.boolean, False, ruled=True, filter="flag", sort=True),
        Attribute("shared", values.boolean, False, change=False, ruled=True, filter="flag", sort=True),
        Attribute("tags"),
    ],
)


async def index(call: Call) -> Any:
    """Pools that exist for whoever asks."""
    wanted = lists.read(call, POOL)
    return await lists.answer(call, POOL, wanted, lambda tx: subnet_pools.page(tx, call.context, wanted.query), _view)


async def show(call: Call, pool_id: str) -> Any:
    """One pool."""
    pool = await call.read(lambda tx: subnet_pools.get(tx, call.context, pool_id))
    guard.permit(call, "get_subnetpool", _target(pool))
    return {"subnetpool": lists.pick(call, _view(pool))}


async def create(call: Call, body: bytes) -> Any:
    """One pool, or several at once."""
    wanted, bulk = POOL.read_new(call, body)
    for one in wanted:
        guard.permit(call, "create_subnetpool", {"project_id": one.project_id}, _ruled(one))

    def work(tx: Transaction) -> list[SubnetPool]:
        return [subnet_pools.create(tx, project_id=one.project_id, **one.values) for one in wanted]

    found = [_view(pool) for pool in await call.write(work)]
    return {"subnetpools": found} if bulk else {"subnetpool": found[0]}


async def update(call: Call, pool_id: str, body: bytes) -> Any:
    """Change a pool."""
    wanted = POOL.read_change(body)
    revision = guard.revision(call)

    def work(tx: Transaction) -> SubnetPool:
        pool = subnet_pools.get(tx, call.context, pool_id)
        guard.permit(call, "update_subnetpool", _target(pool), _ruled(wanted))
        standard.expect(pool, revision)
        return subnet_pools.change(tx, pool, **wanted.values)

    return {"subnetpool": _view(await call.write(work))}


async def delete(call: Call, pool_id: str) -> Any:
    """Delete a pool."""
    revision = guard.revision(call)

    def work(tx: Transaction) -> None:
        pool = subnet_pools.get(tx, call.context, pool_id)
        guard.permit(call, "delete_subnetpool", _target(pool))
        standard.expect(pool, revision)
        subnet_pools.delete(tx, pool)

    await call.write(work)
    return Reply()


async def add_prefixes(call: Call, pool_id: str, body: bytes) -> Any:
    """Let a pool grow."""
    return await _change(call, pool_id, body, "add_prefixes", subnet_pools.add_prefixes)


async def remove_prefixes(call: Call, pool_id: str, body: bytes) -> Any:
    """Let a pool shrink."""
    return await _change(call, pool_id, body, "remove_prefixes", subnet_pools.remove_prefixes)


async def _change(
    call: Call,
    pool_id: str,
    body: bytes,
    action: str,
    change: Callable[[Transaction, SubnetPool, Sequence[str]], SubnetPool],
) -> Any:
    given = parse(body).get("prefixes")
    if not given or not isinstance(given, list):
        raise Invalid("Request body contains invalid data", kind="HTTPBadRequest")
    try:
        wanted = _prefixes(given)
    except ValueError as error:
        raise Invalid(f"Invalid input for prefixes. Reason: {error}.", kind="HTTPBadRequest") from None

    def work(tx: Transaction) -> SubnetPool:
        pool = subnet_pools.get(tx, call.context, pool_id)
        guard.permit(call, action, _target(pool))
        return change(tx, pool, wanted)

    return {"prefixes": (await call.write(work)).prefixes}


def _view(pool: SubnetPool) -> dict[str, Any]:
    return {
        "id": pool.id,
        "name": pool.name,
        "description": pool.description,
        "tenant_id": pool.project_id,
        "project_id": pool.project_id,
        "prefixes": pool.prefixes,
        "ip_version": pool.ip_version,
        # Text, as upstream has it.
        "default_prefixlen": str(pool.default_prefixlen),
        "min_prefixlen": str(pool.min_prefixlen),
        "max_prefixlen": str(pool.max_prefixlen),
        "default_quota": pool.default_quota,
        "address_scope_id": None,
        "is_default": pool.is_default,
        "shared": pool.shared,
        "tags": pool.tags,
        "created_at": f"{pool.created_at[:19]}Z",
        "updated_at": f"{pool.updated_at[:19]}Z",
        "revision_number": pool.revision_number,
    }


def _target(pool: SubnetPool) -> dict[str, Any]:
    return {"project_id": pool.project_id, "shared": pool.shared}


def _ruled(wanted: Written) -> list[str]:
    return sorted(name for name in wanted.named if POOL.attributes[name].ruled)


_MEMBER = guard.ADMIN_OR_MEMBER
_ONE = "/subnetpools/{pool_id}"
_RULES = [("shared_subnetpools", "field:subnetpools:shared=True")]

routes = [
    Get("/subnetpools", index, policy=None, extra=_RULES),
    Post(
        "/subnetpools",
        create,
        policy="create_subnetpool",
        allow=_MEMBER,
        late=True,
        extra=[(f"create_subnetpool:{name}", guard.ADMIN) for name in ("shared", "is_default")],
        status=201,
    ),
    Get(_ONE, show, policy="get_subnetpool", allow=f"{guard.ADMIN_OR_READER} or rule:shared_subnetpools", late=True),
    Put(
        _ONE,
        update,
        policy="update_subnetpool",
        allow=_MEMBER,
        late=True,
        extra=[("update_subnetpool:is_default", guard.ADMIN)],
    ),
    Delete(_ONE, delete, policy="delete_subnetpool", allow=_MEMBER, late=True),
    Put(f"{_ONE}/add_prefixes", add_prefixes, policy="add_prefixes", allow=_MEMBER, late=True),
    Put(f"{_ONE}/remove_prefixes", remove_prefixes, policy="remove_prefixes", allow=_MEMBER, late=True),
]
