"""/networks."""

from collections.abc import Sequence
from typing import Any

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import Attribute, Resource, Written
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.core.network import networks, security_groups, standard, subnets, zones
from minicloud.core.network.rows import DEFAULT_MTU, Network
from minicloud.core.records import Transaction

NETWORK = Resource(
    "network",
    "networks",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("admin_state_up", values.boolean, True, filter="flag", sort=True),
        Attribute("status", filter="text", sort=True),
        Attribute("subnets"),
        Attribute("shared", values.boolean, False, ruled=True, filter="flag"),
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
        Attribute("availability_zone_hints", values.zone_hints, [], change=False),
        Attribute("availability_zones"),
        Attribute("tags"),
    ],
)

HIDDEN = {
    f"provider:{name}": f"get_network:provider:{name}"
    for name in ("network_type", "physical_network", "segmentation_id")
}


async def index(call: Call) -> Any:
    """Networks that exist for whoever asks."""
    wanted = lists.read(call, NETWORK)
    look = seeing(call)

    def load(tx: Transaction) -> list[tuple[Network, list[str]]]:
        return with_subnets(tx, networks.page(tx, call.context, wanted.query))

    return await lists.answer(call, NETWORK, wanted, load, lambda row: look(*row))


async def show(call: Call, network_id: str) -> Any:
    """One network."""

    def load(tx: Transaction) -> tuple[Network, list[str]]:
        return with_subnets(tx, [networks.get(tx, call.context, network_id)])[0]

    network, subnet_ids = await call.read(load)
    guard.permit(call, "get_network", target(network))
    return {"network": lists.pick(call, seeing(call)(network, subnet_ids))}


async def create(call: Call, body: bytes) -> Any:
    """One network, or several at once."""
    wanted, bulk = NETWORK.read_new(call, body)
    for one in wanted:
        ruled = [name for name in one.named if NETWORK.attributes[name].ruled]
        guard.permit(call, "create_network", {"project_id": one.project_id}, sorted(ruled))

    def work(tx: Transaction) -> list[Network]:
        return [_create(tx, one) for one in wanted]

    look = seeing(call)
    made = [look(network, []) for network in await call.write(work)]
    return {"networks": made} if bulk else {"network": made[0]}


async def update(call: Call, network_id: str, body: bytes) -> Any:
    """Change a network."""
    wanted = NETWORK.read_change(body)
    revision = guard.revision(call)
    ruled = sorted(name for name in wanted.named if NETWORK.attributes[name].ruled)

    def work(tx: Transaction) -> tuple[Network, list[str]]:
        network = networks.get(tx, call.context, network_id)
        guard.permit(call, "update_network", target(network), ruled)
        standard.expect(network, revision)
        changes = dict(wanted.values)
        if changes.get("mtu") == 0:
            changes["mtu"] = DEFAULT_MTU
        return with_subnets(tx, [networks.change(tx, network, **changes)])[0]

    return {"network": seeing(call)(*await guard.write(call, work))}


async def delete(call: Call, network_id: str) -> Any:
    """Delete a network."""
    revision = guard.revision(call)

    def work(tx: Transaction) -> None:
        network = networks.get(tx, call.context, network_id)
        guard.permit(call, "delete_network", target(network))
        standard.expect(network, revision)
        networks.delete(tx, network)

    await guard.write(call, work)
    return Reply()


def target(network: Network) -> dict[str, Any]:
    """What policies look at."""
    return {
        "project_id": network.project_id,
        "tenant_id": network.project_id,
        "shared": network.shared,
        "router:external": network.external,
    }


def with_subnets(tx: Transaction, found: Sequence[Network]) -> list[tuple[Network, list[str]]]:
    """Networks with the ids of their subnets."""
    ids = subnets.ids_of(tx, [network.id for network in found])
    return [(network, ids.get(network.id, [])) for network in found]


def seeing(call: Call) -> Any:
    """How whoever asks sees networks."""
    known: dict[str, list[str]] = {}

    def view(network: Network, subnet_ids: list[str]) -> dict[str, Any]:
        document = {
            "id": network.id,
            "name": network.name,
            "tenant_id": network.project_id,
            "project_id": network.project_id,
            "admin_state_up": network.admin_state_up,
            "mtu": network.mtu,
            "status": network.status,
            "subnets": subnet_ids,
            "shared": network.shared,
            "availability_zone_hints": network.availability_zone_hints,
            "availability_zones": [zones.ZONE] if subnet_ids else [],
            "router:external": network.external,
            "description": network.description,
            "port_security_enabled": network.port_security_enabled,
            "tags": network.tags,
            "created_at": f"{network.created_at[:19]}Z",
            "updated_at": f"{network.updated_at[:19]}Z",
            "revision_number": network.revision_number,
            "provider:network_type": network.network_type,
            "provider:physical_network": network.physical_network,
            "provider:segmentation_id": network.segmentation_id,
        }
        if network.external:
            document["is_default"] = network.is_default
        if network.project_id not in known:
            known[network.project_id] = guard.hidden(call, HIDDEN, target(network))
        for name in known[network.project_id]:
            del document[name]
        return document

    return view


def _create(tx: Transaction, wanted: Written) -> Network:
    security_groups.ensure_default(tx, wanted.project_id)
    return networks.create(tx, project_id=wanted.project_id, **wanted.values)


_RULES = [
    *((f"create_network:{name}", guard.ADMIN) for name in ("shared", "router:external", "is_default")),
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
