"""/routers, and what joins them to subnets."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.network import guard, lists, values
from minicloud.api.network.attributes import Attribute, Resource, Written, parse
from minicloud.api.network.kinds import common, of_its_project
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.network import router_interfaces, routers, standard, zones
from minicloud.core.network.router_interfaces import Interface
from minicloud.core.network.routers import Gateway, GatewayWish
from minicloud.core.network.rows import HostRoute, Router
from minicloud.core.records import Transaction

_GATEWAY = ("network_id", "enable_snat", "external_fixed_ips", "qos_policy_id")


def _gateway(value: Any) -> GatewayWish | None:
    if not value:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"'{value}' is not a dictionary")
    unknown = sorted(set(value) - set(_GATEWAY))
    if unknown:
        raise ValueError(f"Unexpected keys supplied: {', '.join(unknown)}")
    if "network_id" not in value:
        raise ValueError(
            f"Validation of dictionary's keys failed. Expected keys: ['network_id'] Provided keys: {sorted(value)}"
        )
    fixed = value.get("external_fixed_ips")
    return GatewayWish(
        network_id=values.uuid(value["network_id"]),
        snat=None if value.get("enable_snat") is None else values.boolean(value["enable_snat"]),
        fixed_ips=None if fixed is None else values.fixed_ips(fixed),
        qos_policy_id=values.or_none(values.uuid)(value["qos_policy_id"])
        if "qos_policy_id" in value
        else msgspec.UNSET,
    )


ROUTER = Resource(
    "router",
    "routers",
    [
        Attribute("name", values.name, "", filter="text", sort=True),
        Attribute("admin_state_up", values.boolean, True, filter="flag", sort=True),
        Attribute("status", filter="text", sort=True),
        Attribute("external_gateway_info", _gateway, None, ruled=True, column="gateway"),
        Attribute("routes", values.or_empty(values.routes), new=False),
        Attribute("availability_zone_hints", values.zone_hints, [], change=False),
        Attribute("availability_zones"),
        Attribute("tags", values.tags, [], change=False, ruled=True),
    ],
)


async def index(call: Call) -> Any:
    """Routers that exist for whoever asks."""
    wanted, sees = lists.read(call, ROUTER), guard.sight(call, "get_router")

    def load(tx: Transaction) -> list[tuple[Router, Gateway | None]]:
        found = routers.page(tx, call.context, wanted.query)
        return _with_gateways(
            tx, [one for one in found if sees(one.project_id, partial(of_its_project, tx, call.context, one))]
        )

    return await lists.answer(call, ROUTER, wanted, load, lambda row: view(*row))


async def show(call: Call, router_id: str) -> Any:
    """One router."""

    def load(tx: Transaction) -> tuple[Router, Gateway | None]:
        return _with_gateways(tx, [routers.get(tx, call.context, router_id)])[0]

    router, gateway = await call.read(load)
    guard.permit_seeing(call, "get_router", {"project_id": router.project_id})
    return {"router": lists.pick(call, view(router, gateway))}


async def create(call: Call, body: bytes) -> Any:
    """One router, or several at once."""
    wanted, bulk = ROUTER.read_new(call, body)
    for one in wanted:
        guard.permit(call, "create_router", {"project_id": one.project_id}, _ruled(one))

    def work(tx: Transaction) -> list[tuple[Router, Gateway | None]]:
        made = [routers.create(tx, call.context, project_id=one.project_id, **one.values) for one in wanted]
        return _with_gateways(tx, made)

    found = [view(*pair) for pair in await guard.write(call, work)]
    return {"routers": found} if bulk else {"router": found[0]}


async def update(call: Call, router_id: str, body: bytes) -> Any:
    """Change a router."""
    wanted = ROUTER.read_change(body)
    revision = guard.revision(call)

    def work(tx: Transaction) -> tuple[Router, Gateway | None]:
        router = routers.get(tx, call.context, router_id)
        guard.permit(call, "update_router", {"project_id": router.project_id}, _ruled(wanted))
        standard.expect(router, revision)
        changes = dict(wanted.values)
        if "gateway" in changes:
            router = routers.set_gateway(tx, call.context, router, changes.pop("gateway"))
        return _with_gateways(tx, [routers.change(tx, router, **changes)])[0]

    return {"router": view(*await guard.write(call, work))}


async def delete(call: Call, router_id: str) -> Any:
    """Delete a router."""
    revision = guard.revision(call)

    def work(tx: Transaction) -> None:
        router = routers.get(tx, call.context, router_id)
        guard.permit(call, "delete_router", {"project_id": router.project_id})
        standard.expect(router, revision)
        routers.delete(tx, router)

    await guard.write(call, work)
    return Reply()


async def add_router_interface(call: Call, router_id: str, body: bytes) -> Any:
    """Join a router to a subnet."""
    wanted = _interface(body)

    def work(tx: Transaction) -> Interface:
        router = routers.get(tx, call.context, router_id)
        guard.permit(call, "add_router_interface", {"project_id": router.project_id})
        return router_interfaces.add(tx, call.context, router, **wanted)

    return _interface_view(await guard.write(call, work))


async def remove_router_interface(call: Call, router_id: str, body: bytes) -> Any:
    """Part a router from a subnet."""
    wanted = _interface(body)

    def work(tx: Transaction) -> Interface:
        router = routers.get(tx, call.context, router_id)
        guard.permit(call, "remove_router_interface", {"project_id": router.project_id})
        return router_interfaces.remove(tx, router, **wanted)

    return _interface_view(await guard.write(call, work))


async def add_extraroutes(call: Call, router_id: str, body: bytes) -> Any:
    """Give a router further routes, whatever others do to its routes at the same time."""
    return await _change_routes(call, router_id, body, "add_extraroutes", routers.add_routes)


async def remove_extraroutes(call: Call, router_id: str, body: bytes) -> Any:
    """Take routes from a router."""
    return await _change_routes(call, router_id, body, "remove_extraroutes", routers.remove_routes)


async def _change_routes(
    call: Call,
    router_id: str,
    body: bytes,
    action: str,
    change: Callable[[Transaction, Router, Sequence[HostRoute]], Router],
) -> Any:
    wanted = ROUTER.read_change(body)
    if "routes" not in wanted.values:
        raise Invalid("Failed to parse request. Required attribute 'routes' not specified", kind="HTTPBadRequest")

    def work(tx: Transaction) -> tuple[Router, Gateway | None]:
        router = routers.get(tx, call.context, router_id)
        guard.permit(call, action, {"project_id": router.project_id})
        return _with_gateways(tx, [change(tx, router, wanted.values["routes"])])[0]

    return {"router": view(*await guard.write(call, work))}


def view(router: Router, gateway: Gateway | None) -> dict[str, Any]:
    """A router as clients read it."""
    return common(router) | {
        "name": router.name,
        "admin_state_up": router.admin_state_up,
        "status": router.status,
        "external_gateway_info": None
        if gateway is None
        else {
            "network_id": gateway.network_id,
            "external_fixed_ips": gateway.fixed_ips,
            "enable_snat": router.enable_snat,
            # Upstream speaks of it only where there is a policy.
            **({"qos_policy_id": router.gateway_qos_policy_id} if gateway.limited else {}),
        },
        "routes": router.routes,
        "availability_zone_hints": router.availability_zone_hints,
        "availability_zones": [zones.ZONE] if gateway is not None else [],
    }


def _interface(raw: bytes) -> dict[str, str | None]:
    document = parse(raw) if raw.strip() not in (b"", b"{}") else {}
    found: dict[str, str | None] = {}
    for name in ("subnet_id", "port_id"):
        if name in document:
            try:
                found[name] = values.uuid(document[name])
            except ValueError as error:
                raise router_interfaces.bad(str(error)) from None
    return found


def _interface_view(made: Interface) -> dict[str, Any]:
    return {
        "id": made.router_id,
        "tenant_id": made.project_id,
        "project_id": made.project_id,
        "port_id": made.port_id,
        "network_id": made.network_id,
        "subnet_id": made.subnet_ids[0],
        "subnet_ids": made.subnet_ids,
    }


def _with_gateways(tx: Transaction, found: list[Router]) -> list[tuple[Router, Gateway | None]]:
    gateways = routers.gateways_of(tx, found)
    return [(router, gateways.get(router.id)) for router in found]


def _ruled(wanted: Written) -> list[str]:
    """The rules that a gateway asks for, down to what stands in it."""
    found = ["tags"] if "tags" in wanted.named else []
    if "external_gateway_info" not in wanted.named:
        return found
    inner: Mapping[str, Any] = wanted.given["external_gateway_info"] or {}
    ruled = [f"external_gateway_info:{name}" for name in sorted(inner) if name != "qos_policy_id"]
    return [*found, "external_gateway_info", *ruled]


def _rules(verb: str) -> list[tuple[str, str]]:
    return [
        (f"{verb}:external_gateway_info", guard.ADMIN_OR_MEMBER),
        (f"{verb}:external_gateway_info:network_id", guard.ADMIN_OR_MEMBER),
        (f"{verb}:external_gateway_info:enable_snat", guard.ADMIN),
        (f"{verb}:external_gateway_info:external_fixed_ips", guard.ADMIN),
    ]


_MEMBER = guard.ADMIN_OR_MEMBER

routes = [
    Get("/routers", index, policy=None),
    Post(
        "/routers", create, policy="create_router", allow=_MEMBER, late=True, extra=_rules("create_router"), status=201
    ),
    Get("/routers/{router_id}", show, policy="get_router", allow=guard.ADMIN_OR_READER, late=True),
    Put(
        "/routers/{router_id}", update, policy="update_router", allow=_MEMBER, late=True, extra=_rules("update_router")
    ),
    Delete("/routers/{router_id}", delete, policy="delete_router", allow=_MEMBER, late=True),
    Put(
        "/routers/{router_id}/add_router_interface",
        add_router_interface,
        policy="add_router_interface",
        allow=_MEMBER,
        late=True,
    ),
    Put(
        "/routers/{router_id}/remove_router_interface",
        remove_router_interface,
        policy="remove_router_interface",
        allow=_MEMBER,
        late=True,
    ),
    Put("/routers/{router_id}/add_extraroutes", add_extraroutes, policy="add_extraroutes", allow=_MEMBER, late=True),
    Put(
        "/routers/{router_id}/remove_extraroutes",
        remove_extraroutes,
        policy="remove_extraroutes",
        allow=_MEMBER,
        late=True,
    ),
]
