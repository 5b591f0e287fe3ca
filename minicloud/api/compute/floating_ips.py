"""Floating addresses as Nova offered them: pools and addresses before 2.36, the actions on servers before 2.44."""

import ipaddress
from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.microversions import NotNull
from minicloud.api.routes import Action, Delete, Get, Post
from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound, OverQuota
from minicloud.core import records
from minicloud.core.compute import servers
from minicloud.core.network import addressing, floatingips, networks, ports
from minicloud.core.network.rows import FloatingIp, Network, Port
from minicloud.core.policy import ANYONE, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Condition, Query, Transaction

POLICY = "os_compute_api:os-floating-ips"
POOLS = "os_compute_api:os-floating-ip-pools"
LAST, LAST_ACTIONS = "2.35", "2.43"
NETWORK_CHANGES = "network_changes"
Address = Annotated[str, msgspec.Meta(min_length=1, max_length=45)]


class FloatingCreate(Body, open=True):
    """The body of POST /os-floating-ips, which may be left out."""

    pool: str | None = None


class AddFloating(Body):
    """The body of the action addFloatingIp."""

    address: Address
    fixed_address: Annotated[Address | None, NotNull()] = None


class RemoveFloating(Body):
    """The body of the action removeFloatingIp."""

    address: Address


async def pools(call: Call) -> Any:
    """The networks that addresses come from."""

    def work(tx: Transaction) -> list[Network]:
        return networks.page(tx, call.context, Query(where=[Condition("external", "=", True)], sort=[("name", False)]))

    return {"floating_ip_pools": [{"name": found.name or found.id} for found in await call.read(work)]}


async def index(call: Call) -> Any:
    """The project's addresses."""

    def work(tx: Transaction) -> list[dict[str, Any]]:
        mine = Condition("project_id", "=", call.context.project_id or "")
        found = floatingips.page(tx, call.context, Query(where=[mine], sort=[("created_at", False)]))
        return [_view(tx, one) for one in found]

    return {"floating_ips": await call.read(work)}


def _view(tx: Transaction, floating: FloatingIp) -> dict[str, Any]:
    port = None if floating.port_id is None else records.find(tx, Port, floating.port_id)
    network = records.get(tx, Network, floating.floating_network_id)
    return {
        "fixed_ip": floating.fixed_ip_address,
        "id": floating.id,
        "instance_id": port.device_id or None if port is not None else None,
        "ip": floating.floating_ip_address,
        "pool": network.name or network.id,
    }


def _get(tx: Transaction, call: Call, floating_id: str) -> FloatingIp:
    try:
        return floatingips.get(tx, call.context, floating_id)
    except NotFound as error:
        raise NotFound(f"Floating IP not found for ID {floating_id}") from error


async def show(call: Call, floating_id: str) -> Any:
    """One address."""
    return {"floating_ip": await call.read(lambda tx: _view(tx, _get(tx, call, floating_id)))}


async def create(call: Call, body: FloatingCreate) -> Any:
    """Take an address, out of a pool if that is said."""
    where = "" if not body.pool else f" in pool {body.pool}"

    def work(tx: Transaction) -> dict[str, Any]:
        pool = _pool(tx, call, body.pool)
        project_id = call.context.require_project()
        return _view(tx, floatingips.create(tx, call.context, project_id=project_id, network_id=pool.id))

    try:
        return {"floating_ip": await call.write(work)}
    except OverQuota as error:
        raise Forbidden(f"IP allocation over quota{where}.") from error
    except Conflict as error:
        raise NotFound(f"No more floating IPs{where or ' available'}.") from error


def _pool(tx: Transaction, call: Call, name: str | None) -> Network:
    """The external network of this name or id; the only one there is, where nothing is said."""
    outside = networks.page(tx, call.context, Query(where=[Condition("external", "=", True)]))
    found = outside if name is None else [one for one in outside if name in (one.id, one.name)]
    if len(found) != 1:
        raise NotFound("Floating IP pool not found.")
    return found[0]


async def delete(call: Call, floating_id: str) -> None:
    """Give an address back, wherever it leads."""
    await call.write(lambda tx: floatingips.delete(tx, _get(tx, call, floating_id)))
    call.means.poke(NETWORK_CHANGES)


def _by_address(tx: Transaction, call: Call, address: str) -> FloatingIp:
    query = Query(where=[Condition("floating_ip_address", "=", address)])
    found = floatingips.page(tx, call.context, query)
    if not found:
        raise NotFound("floating IP not found")
    return found[0]


def _check(*addresses: str | None) -> None:
    for address in addresses:
        try:
            ipaddress.ip_address(address or "::")
        except ValueError as error:
            raise Invalid(
                f"Invalid input for field/attribute address. Value: {address}. '{address}' is not a valid IP address"
            ) from error


async def add(call: Call, server_id: str, body: AddFloating) -> None:
    """Lead an address to a server."""
    _check(body.address, body.fixed_address)

    def work(tx: Transaction) -> None:
        server = servers.get(tx, call.context, server_id)
        cards = ports.of_server(tx, server.id)
        held = addressing.held_by(tx, [card.id for card in cards])
        places = [(card.id, fixed.ip_address) for card in cards for fixed in held.get(card.id, [])]
        if not places:
            raise Invalid("No fixed IPs associated to instance")
        wanted = [place for place in places if body.fixed_address in (None, place[1])]
        if not wanted:
            raise Invalid("Specified fixed address not assigned to instance")
        reachable = [place for place in wanted if ":" not in place[1]]
        if not reachable:
            raise Invalid(
                f"Unable to associate floating IP {body.address} to any fixed IPs for instance {server_id}. "
                "Instance has no fixed IPv4 addresses to associate."
            )
        port_id, fixed_ip = reachable[0]
        floatingips.associate(tx, call.context, _by_address(tx, call, body.address), port_id, fixed_ip)

    try:
        await call.write(work)
    except (Conflict, NotFound) as error:
        if error.kind is None or error.kind == "FloatingIPPortAlreadyAssociated":
            raise (Invalid(f"Floating IP association failed: {error.message}") if error.kind else error) from error
        raise Invalid(f"Unable to associate floating IP {body.address}: {error.message}") from error
    call.means.poke(NETWORK_CHANGES)


async def remove(call: Call, server_id: str, body: RemoveFloating) -> None:
    """Let an address lead to the server no more."""
    _check(body.address)

    def work(tx: Transaction) -> None:
        server = servers.get(tx, call.context, server_id)
        floating = _by_address(tx, call, body.address)
        if floating.port_id not in [card.id for card in ports.of_server(tx, server.id)]:
            raise Conflict(f"Floating IP {body.address} is not associated with instance {server_id}.")
        floatingips.disassociate(tx, floating)

    await call.write(work)
    call.means.poke(NETWORK_CHANGES)


routes = [
    Get("/os-floating-ip-pools", pools, policy=POOLS, allow=ANYONE, until=LAST),
    Get("/os-floating-ips", index, policy=f"{POLICY}:list", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Post("/os-floating-ips", create, policy=f"{POLICY}:create", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST, optional_body=True),
    Get("/os-floating-ips/{floating_id}", show, policy=f"{POLICY}:show", allow=PROJECT_READER_OR_ADMIN, until=LAST),
    Delete("/os-floating-ips/{floating_id}", delete, policy=f"{POLICY}:delete", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST, status=202),
    Action("addFloatingIp", add, policy=f"{POLICY}:add", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST_ACTIONS),
    Action("removeFloatingIp", remove, policy=f"{POLICY}:remove", allow=PROJECT_MEMBER_OR_ADMIN, until=LAST_ACTIONS),
]  # fmt: skip
