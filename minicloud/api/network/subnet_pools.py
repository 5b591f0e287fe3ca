"""/subnetpools."""

from collections.abc import Callable, Sequence
from typing import Any

from minicloud.api.call import Call
from minicloud.api.network import guard, values
from minicloud.api.network.attributes import OMITTED, REQUIRED, Attribute, Resource, parse
from minicloud.api.network.kinds import Kind, common, five
from minicloud.api.routes import Put
from minicloud.base.errors import Invalid
from minicloud.core.context import Context
from minicloud.core.network import rbac, subnet_pools
from minicloud.core.network.rows import Subnet, SubnetPool
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
        Attribute("address_scope_id", values.or_none(values.uuid), None, filter="text", sort=True),
        Attribute("shared", values.boolean, False, change=False, ruled=True, filter="special"),
        Attribute("tags", values.tags, [], change=False, ruled=True),
    ],
)


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
    change: Callable[[Transaction, Context, SubnetPool, Sequence[str]], SubnetPool],
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
        guard.permit(call, action, _target(tx, call.context, pool))
        return change(tx, call.context, pool, wanted)

    return {"prefixes": (await call.write(work)).prefixes}


async def onboard_network_subnets(call: Call, pool_id: str, body: bytes) -> Any:
    """Take the subnets of a network into a pool."""
    network_id = parse(body).get("network_id")
    if not isinstance(network_id, str) or not network_id:
        raise Invalid("Invalid input for operation: network_id must be specified.", kind="InvalidInput")

    def work(tx: Transaction) -> list[Subnet]:
        pool = subnet_pools.get(tx, call.context, pool_id)
        guard.permit(call, "onboard_network_subnets", _target(tx, call.context, pool))
        return subnet_pools.onboard(tx, call.context, pool, network_id)

    return [{"id": subnet.id, "cidr": subnet.cidr} for subnet in await call.write(work)]


def _view(tx: Transaction, context: Context, found: Sequence[SubnetPool]) -> list[dict[str, Any]]:
    shared = set(rbac.shared_ids(tx, context, "subnetpool"))
    return [
        common(pool)
        | {
            "name": pool.name,
            "prefixes": pool.prefixes,
            "ip_version": pool.ip_version,
            # Text, as upstream has it.
            "default_prefixlen": str(pool.default_prefixlen),
            "min_prefixlen": str(pool.min_prefixlen),
            "max_prefixlen": str(pool.max_prefixlen),
            "default_quota": pool.default_quota,
            "address_scope_id": pool.address_scope_id,
            "is_default": pool.is_default,
            "shared": pool.id in shared,
        }
        for pool in found
    ]


def _target(tx: Transaction, context: Context, pool: SubnetPool) -> dict[str, Any]:
    return {"project_id": pool.project_id, "shared": rbac.is_shared(tx, context, pool.id)}


_MEMBER = guard.ADMIN_OR_MEMBER
_ONE = "/subnetpools/{pool_id}"

routes = [
    *five(
        Kind(
            resource=POOL,
            path="/subnetpools",
            core=subnet_pools,
            view=_view,
            target=_target,
            read=f"{guard.ADMIN_OR_READER} or rule:shared_subnetpools",
            write=_MEMBER,
            ruled={
                "create": {"shared": guard.ADMIN, "is_default": guard.ADMIN},
                "update": {"is_default": guard.ADMIN},
            },
            shared_as="subnetpool",
            extra=[("shared_subnetpools", "field:subnetpools:shared=True")],
        )
    ),
    Put(f"{_ONE}/add_prefixes", add_prefixes, policy="add_prefixes", allow=_MEMBER, late=True),
    Put(f"{_ONE}/remove_prefixes", remove_prefixes, policy="remove_prefixes", allow=_MEMBER, late=True),
    Put(
        f"{_ONE}/onboard_network_subnets",
        onboard_network_subnets,
        policy="onboard_network_subnets",
        allow=_MEMBER,
        late=True,
    ),
]
