"""/networks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.network import dns, guard, lists, values
from minicloud.api.network.attributes import Attribute, Resource, Written
from minicloud.api.network.kinds import common, shared
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.context import Context
from minicloud.core.network import (
    address_scopes,
    network_segments,
    networks,
    qos_policies,
    qos_rules,
    rbac,
    security_groups,
    standard,
    subnets,
    zones,
)
from minicloud.core.network.network_segments import NetworkSegment
from minicloud.core.network.provider_segments import SegmentWish
from minicloud.core.network.rows import Network
from minicloud.core.records import Transaction

PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")


def _segments(value: Any) -> list[SegmentWish]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"'{value}' is not a list of segments")
    found = []
    for item in value:
        if not isinstance(item, dict) or set(item) - set(PROVIDER):
            raise ValueError(f"Invalid data format for segment: '{item}'")
        kind, physical, number = (item.get(name) for name in PROVIDER)
        found.append(
            SegmentWish(
                None if kind is None else values.text(32)(kind),
                None if physical is None else values.text(64)(physical),
                None if number is None else values.integer(number),
            )
        )
    return found


NETWORK = Resource(
    "network",
    "networks",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("admin_state_up", values.boolean, True, filter="flag", sort=True),
        Attribute("status", filter="text", sort=True),
        Attribute("subnets"),
        Attribute("shared", values.boolean, False, ruled=True, filter="special"),
        Attribute("router:external", values.boolean, False, ruled=True, column="external", filter="flag"),
        Attribute("is_default", values.boolean, False, ruled=True, filter="flag"),
        Attribute("mtu", values.number_in(0, 2**31 - 1), filter="number", sort=True),
        Attribute("port_security_enabled", values.boolean, True, ruled=True, filter="flag"),
        Attribute(
            "provider:network_type", values.text(32), change=False, ruled=True, column="network_type", filter="text"
        ),
        Attribute(
            "provider:physical_network",
            values.or_none(values.text(64)),
            change=False,
            ruled=True,
            column="physical_network",
            filter="text",
        ),
        Attribute(
            "provider:segmentation_id",
            values.or_none(values.integer),
            change=False,
            ruled=True,
            column="segmentation_id",
            filter="number",
        ),
        Attribute("segments", _segments, change=False, ruled=True),
        Attribute("dns_domain", dns.domain, "", filter="text"),
        Attribute("qos_policy_id", values.or_none(values.uuid), filter="text"),
        Attribute("ipv4_address_scope"),
        Attribute("ipv6_address_scope"),
        Attribute("l2_adjacency"),
        Attribute("availability_zone_hints", values.zone_hints, [], change=False),
        Attribute("availability_zones"),
        Attribute("tags", values.tags, [], change=False, ruled=True),
    ],
)

HIDDEN = {name: f"get_network:{name}" for name in (*PROVIDER, "segments")}


async def index(call: Call) -> Any:
    """Networks that exist for whoever asks."""
    wanted = lists.read(call, NETWORK)
    look, sees = seeing(call), guard.sight(call, "get_network")

    def load(tx: Transaction) -> list[Seen]:
        if "shared" in wanted.special:
            wanted.query.where.append(shared(tx, call, "network", wanted.special["shared"]))
        found = with_all(tx, call.context, networks.page(tx, call.context, wanted.query))
        return [one for one in found if sees(one.network.id, partial(_target, one))]

    return await lists.answer(call, NETWORK, wanted, load, look)


async def show(call: Call, network_id: str) -> Any:
    """One network."""

    def load(tx: Transaction) -> Seen:
        return with_all(tx, call.context, [networks.get(tx, call.context, network_id)])[0]

    found = await call.read(load)
    guard.permit_seeing(call, "get_network", _target(found))
    return {"network": lists.pick(call, seeing(call)(found))}


async def create(call: Call, body: bytes) -> Any:
    """One network, or several at once."""
    wanted, bulk = NETWORK.read_new(call, body)
    for one in wanted:
        ruled = [name for name in one.named if NETWORK.attributes[name].ruled]
        guard.permit(call, "create_network", {"project_id": one.project_id}, sorted(ruled))

    def work(tx: Transaction) -> list[Seen]:
        return with_all(tx, call.context, [_create(tx, call, one) for one in wanted])

    look = seeing(call)
    made = [look(network) for network in await call.write(work)]
    return {"networks": made} if bulk else {"network": made[0]}


async def update(call: Call, network_id: str, body: bytes) -> Any:
    """Change a network."""
    wanted = NETWORK.read_change(body)
    revision = guard.revision(call)
    ruled = sorted(name for name in wanted.named if NETWORK.attributes[name].ruled)

    def work(tx: Transaction) -> Seen:
        network = networks.get(tx, call.context, network_id)
        guard.permit(call, "update_network", target(tx, call.context, network), ruled)
        standard.expect(network, revision)
        changes = dict(wanted.values)
        if "qos_policy_id" in changes:
            qos_policies.check_change(tx, call.context, network.qos_policy_id, changes["qos_policy_id"])
            qos_rules.refuse_unsupported(tx, changes["qos_policy_id"], what="network", object_id=network.id)
        return with_all(tx, call.context, [networks.change(tx, network, **changes)])[0]

    return {"network": seeing(call)(await guard.write(call, work))}


async def delete(call: Call, network_id: str) -> Any:
    """Delete a network."""
    revision = guard.revision(call)

    def work(tx: Transaction) -> None:
        network = networks.get(tx, call.context, network_id)
        guard.permit(call, "delete_network", target(tx, call.context, network))
        standard.expect(network, revision)
        networks.delete(tx, network)

    await guard.write(call, work)
    return Reply()


def target(tx: Transaction, context: Context, network: Network) -> dict[str, Any]:
    """What policies look at."""
    return {
        "project_id": network.project_id,
        "tenant_id": network.project_id,
        "shared": network.shared or rbac.is_shared(tx, context, network.id),
        "router:external": network.external,
    }


class Seen(msgspec.Struct, frozen=True):
    """A network with what is told of it: its subnets, whether it is shared with whoever asks, its address scopes.

    ``segments`` are there when there are several; ``adjacent`` is false where its subnets lie on segments of their own.
    """

    network: Network
    subnets: list[str]
    shared: bool
    segments: list[NetworkSegment]
    adjacent: bool
    scopes: tuple[str | None, str | None]


def with_all(tx: Transaction, context: Context, found: Sequence[Network]) -> list[Seen]:
    """Networks with what is told of them: three queries for any number."""
    ids = [network.id for network in found]
    inside = subnets.ids_of(tx, ids)
    shared_ids = set(rbac.shared_ids(tx, context, "network"))
    scopes = address_scopes.of_networks(tx, ids)
    segments = network_segments.of_networks(tx, ids)
    routed = subnets.on_segments(tx, ids)
    return [
        Seen(
            network,
            inside.get(network.id, []),
            network.id in shared_ids,
            segments.get(network.id, []),
            network.id not in routed,
            (scopes.get((network.id, 4)), scopes.get((network.id, 6))),
        )
        for network in found
    ]


def seeing(call: Call) -> Callable[[Seen], dict[str, Any]]:
    """How whoever asks sees networks."""
    known: dict[tuple[str, bool], list[str]] = {}

    def view(found: Seen) -> dict[str, Any]:
        network = found.network
        document = common(network) | {
            "name": network.name,
            "admin_state_up": network.admin_state_up,
            "mtu": network.mtu,
            "status": network.status,
            "subnets": found.subnets,
            "shared": found.shared,
            "availability_zone_hints": network.availability_zone_hints,
            "availability_zones": [zones.ZONE] if found.subnets else [],
            "ipv4_address_scope": found.scopes[0],
            "ipv6_address_scope": found.scopes[1],
            "router:external": network.external,
            "port_security_enabled": network.port_security_enabled,
            "dns_domain": network.dns_domain,
            "qos_policy_id": network.qos_policy_id,
            "l2_adjacency": found.adjacent,
        }
        if found.segments:
            document["segments"] = [
                _provider(one.network_type, one.physical_network, one.segmentation_id) for one in found.segments
            ]
        else:
            document |= _provider(network.network_type, network.physical_network, network.segmentation_id)
        if network.external:
            document["is_default"] = network.is_default
        key = (network.project_id, found.shared)
        if key not in known:
            known[key] = guard.hidden(call, HIDDEN, _target(found))
        for name in known[key]:
            document.pop(name, None)
        return document

    return view


def _provider(kind: str, physical_network: str | None, number: int | None) -> dict[str, Any]:
    return dict(zip(PROVIDER, (kind, physical_network, number), strict=True))


def _target(found: Seen) -> dict[str, Any]:
    return {
        "project_id": found.network.project_id,
        "tenant_id": found.network.project_id,
        "shared": found.shared,
        "router:external": found.network.external,
    }


def _create(tx: Transaction, call: Call, wanted: Written) -> Network:
    given = dict(wanted.values)
    if "qos_policy_id" in given:
        qos_policies.check(tx, call.context, given["qos_policy_id"])
    else:
        given["qos_policy_id"] = qos_policies.default_of(tx, wanted.project_id)
    if "segments" in given and any(name in wanted.given for name in PROVIDER):
        raise Invalid("Segments and provider values cannot both be set.", kind="SegmentsSetInConjunctionWithProviders")
    security_groups.ensure_default(tx, wanted.project_id)
    return networks.create(tx, project_id=wanted.project_id, **given)


_RULES = [
    *((f"create_network:{name}", guard.ADMIN) for name in ("shared", "router:external", "is_default", "segments")),
    *(
        (f"create_network:provider:{name}", guard.ADMIN)
        for name in ("network_type", "physical_network", "segmentation_id")
    ),
    ("create_network:port_security_enabled", guard.ADMIN_OR_MEMBER),
]
_CHANGES = [
    *((f"update_network:{name}", guard.ADMIN) for name in ("shared", "router:external", "is_default")),
    ("update_network:port_security_enabled", guard.ADMIN_OR_MEMBER),
]
_GET = f"{guard.ADMIN_OR_READER} or {guard.SERVICE} or rule:shared or rule:external or rule:context_is_advsvc"

routes = [
    Get(
        "/networks",
        index,
        policy=None,
        extra=[*guard.BASE, *((rule, guard.ADMIN) for rule in HIDDEN.values())],
    ),
    Post(
        "/networks", create, policy="create_network", allow=guard.ADMIN_OR_MEMBER, late=True, extra=_RULES, status=201
    ),
    Get("/networks/{network_id}", show, policy="get_network", allow=_GET, late=True),
    Put(
        "/networks/{network_id}",
        update,
        policy="update_network",
        allow=guard.ADMIN_OR_MEMBER,
        late=True,
        extra=_CHANGES,
    ),
    Delete("/networks/{network_id}", delete, policy="delete_network", allow=guard.ADMIN_OR_MEMBER, late=True),
]
