"""/{collection}/{id}/tags, alike for every resource that has tags."""

from collections.abc import Callable
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard
from minicloud.api.network.attributes import parse
from minicloud.api.routes import Delete, Get, Post, Put, Route
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import (
    floatingips,
    networks,
    ports,
    qos_policies,
    rbac,
    routers,
    security_groups,
    subnet_pools,
    subnets,
    tags,
    trunks,
)
from minicloud.core.network.rows import Network, Port, QosPolicy, SecurityGroup, Subnet, SubnetPool
from minicloud.core.network.standard import Tagged as TaggedRecord
from minicloud.core.records import Transaction

Getter = Callable[[Transaction, Context, str], TaggedRecord]


class Tagged(msgspec.Struct, frozen=True):
    """A kind of resource with tags: its collection's path, its name in policies, how one is got, and the default rules.

    ``remove`` is the one for taking tags away, where it is not that for writing them.
    """

    path: str
    name: str
    get: Getter
    read: str
    write: str
    remove: str | None = None


_NET_READ = f"{guard.ADMIN_OR_READER} or rule:shared or rule:external or rule:context_is_advsvc"
_SUB_READ = f"{guard.READER} or rule:shared or rule:external_network or {guard.ADMIN} or ({guard.NET_READER})"
_SUB_WRITE = f"{guard.MEMBER} or {guard.ADMIN} or ({guard.NET_MEMBER})"

TAGGED = [
    Tagged("networks", "network", networks.get, _NET_READ, guard.ADMIN_OR_MEMBER),
    Tagged("subnets", "subnet", subnets.get, _SUB_READ, _SUB_WRITE),
    Tagged(
        "subnetpools",
        "subnetpool",
        subnet_pools.get,
        f"{guard.ADMIN_OR_READER} or rule:shared_subnetpools",
        guard.ADMIN_OR_MEMBER,
    ),
    Tagged(
        "ports",
        "port",
        ports.get,
        f"rule:context_is_advsvc or {guard.ADMIN_OR_READER} or ({guard.NET_READER})",
        f"{guard.ADMIN_OR_MEMBER} or rule:context_is_advsvc",
        f"rule:context_is_advsvc or {guard.ADMIN_OR_MEMBER} or ({guard.NET_MEMBER})",
    ),
    Tagged("trunks", "trunk", trunks.get, guard.ADMIN_OR_READER, guard.ADMIN_OR_MEMBER),
    Tagged("routers", "router", routers.get, guard.ADMIN_OR_READER, guard.ADMIN_OR_MEMBER),
    Tagged("floatingips", "floatingip", floatingips.get, guard.ADMIN_OR_READER, guard.ADMIN_OR_MEMBER),
    Tagged(
        "security-groups",
        "security_group",
        security_groups.get,
        f"{guard.ADMIN_OR_READER} or rule:shared_security_group",
        guard.ADMIN_OR_MEMBER,
    ),
    Tagged(
        "policies",
        "policy",
        qos_policies.get,
        f"{guard.ADMIN_OR_READER} or rule:shared_qos_policy",
        guard.ADMIN_OR_MANAGER,
    ),
    Tagged(
        "qos/policies",
        "policy",
        qos_policies.get,
        f"{guard.ADMIN_OR_READER} or rule:shared_qos_policy",
        guard.ADMIN_OR_MANAGER,
    ),
]


def _routes(kind: Tagged) -> list[Route]:
    async def index(call: Call, resource_id: str) -> Any:
        return {"tags": (await call.read(lambda tx: _got(tx, call, kind, resource_id, "get"))).tags}

    async def show(call: Call, resource_id: str, tag: str) -> Any:
        found = await call.read(lambda tx: _got(tx, call, kind, resource_id, "get"))
        if tag not in found.tags:
            raise tags.missing(tag)
        return Reply()

    async def replace(call: Call, resource_id: str, body: bytes) -> Any:
        wanted = _words(body)

        def work(tx: Transaction) -> TaggedRecord:
            return tags.replace(tx, _got(tx, call, kind, resource_id, "update"), wanted)

        return {"tags": (await call.write(work)).tags}

    async def extend(call: Call, resource_id: str, body: bytes) -> Any:
        wanted = _words(body)

        def work(tx: Transaction) -> TaggedRecord:
            return tags.add(tx, _got(tx, call, kind, resource_id, "create"), wanted)

        await call.write(work)
        return Reply()

    async def add(call: Call, resource_id: str, tag: str) -> Any:
        _check(tag)
        await call.write(lambda tx: tags.add(tx, _got(tx, call, kind, resource_id, "update"), [tag]))
        return Reply()

    async def remove(call: Call, resource_id: str, tag: str) -> Any:
        await call.write(lambda tx: tags.remove(tx, _got(tx, call, kind, resource_id, "delete"), tag))
        return Reply()

    async def clear(call: Call, resource_id: str) -> Any:
        await call.write(lambda tx: tags.replace(tx, _got(tx, call, kind, resource_id, "delete"), []))
        return Reply()

    every, one = f"/{kind.path}/{{resource_id}}/tags", f"/{kind.path}/{{resource_id}}/tags/{{tag}}"
    reading: dict[str, Any] = {"policy": f"get_{kind.name}:tags", "allow": kind.read, "late": True}
    writing: dict[str, Any] = {"policy": f"update_{kind.name}:tags", "allow": kind.write, "late": True}
    making: dict[str, Any] = {"policy": f"create_{kind.name}:tags", "allow": kind.write, "late": True}
    ending: dict[str, Any] = {"policy": f"delete_{kind.name}:tags", "allow": kind.remove or kind.write, "late": True}
    return [
        Get(every, index, **reading),
        Get(one, show, status=204, **reading),
        Put(every, replace, **writing),
        Post(every, extend, status=201, **making),
        Put(one, add, status=201, **writing),
        Delete(one, remove, **ending),
        Delete(every, clear, **ending),
    ]


def _got(tx: Transaction, call: Call, kind: Tagged, resource_id: str, verb: str) -> TaggedRecord:
    """The resource, once whoever asks may do this to its tags."""
    found = kind.get(tx, call.context, resource_id)
    network: Network | None = None
    if isinstance(found, Network):
        network = found
    elif isinstance(found, (Subnet, Port)):
        network = records.get(tx, Network, found.network_id)
    target: dict[str, Any] = {"project_id": found.project_id}
    if isinstance(found, (SecurityGroup, SubnetPool, QosPolicy)):
        target["shared"] = rbac.is_shared(tx, call.context, found.id)
    if network is not None:
        target |= {
            "network:project_id": network.project_id,
            "shared": network.shared or rbac.is_shared(tx, call.context, network.id),
            "router:external": network.external,
        }
    if verb == "get":
        guard.permit_seeing(call, f"get_{kind.name}:tags", target)
    else:
        guard.permit(call, f"{verb}_{kind.name}:tags", target)
    return found


def _words(raw: bytes) -> list[str]:
    document = parse(raw)
    words = document.get("tags")
    if set(document) != {"tags"} or not isinstance(words, list):
        raise Invalid("Bad tags request: Invalid tags body.", kind="BadRequest")
    for word in words:
        _check(word)
    if len(set(words)) != len(words):
        twice = sorted({word for word in words if words.count(word) > 1})
        raise Invalid(
            f"Invalid input for tags. Reason: Duplicate items in the list: '{', '.join(twice)}'.", kind="HTTPBadRequest"
        )
    return words


def _check(word: Any) -> None:
    if not isinstance(word, str) or not word.strip() or len(word) > 255:
        reason = (
            f"'{word}' exceeds maximum length of 255"
            if isinstance(word, str) and len(word) > 255
            else f"'{word}' Blank strings are not permitted"
            if isinstance(word, str)
            else f"'{word}' is not a valid string"
        )
        raise Invalid(f"Invalid input for tags. Reason: {reason}.", kind="HTTPBadRequest")


routes = [route for kind in TAGGED for route in _routes(kind)]
