"""What the sagas of moves share: choosing the host, and wiring and cleaning hosts by name."""

from typing import Any

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import Conflict, NotFound, Unavailable
from minicloud.conductor.compute.taken import TakenServer
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import actions, details, hosts, lifecycle, migrations, servers
from minicloud.core.compute.migrations import Migration
from minicloud.core.compute.servers import Server, ServerFlavor
from minicloud.core.network import ports
from minicloud.core.scheduler import asking, moving
from minicloud.core.scheduler.select import HostChoice
from minicloud.engines.database import Transaction
from minicloud.engines.messaging import Message


class MovingServer(TakenServer, kw_only=True):
    """``migration_id`` is given, and ``destination`` if only one host may be, ``forced`` if filters are not asked about it;
    ``host`` is the one that was chosen."""

    migration_id: str
    destination: str | None = None
    forced: bool = False
    ignored: list[str] = []
    host: str | None = None
    tried: list[str] = []


def choose(
    tx: Transaction, saga: MovingServer, world: World, server: Server, *, flavor: ServerFlavor | None = None
) -> HostChoice:
    """A host that has not failed yet. Raises NoValidHost."""
    chosen = moving.choose(
        tx,
        world.placement,
        server,
        flavor=flavor,
        destination=saga.destination,
        forced=saga.forced,
        ignored=[*saga.ignored, *saga.tried],
        is_up=hosts.up_unless(world.servicegroup.down),
        options=world.scheduler,
        known=world.known_hosts,
    )
    saga.host = chosen.host
    return chosen


def claim(
    tx: Transaction, saga: MovingServer, server: Server, chosen: HostChoice, status: str, event: str
) -> Migration:
    """The server has its new place, the migration holds the old one and says where it goes."""
    moving.hold(tx, server.id, saga.migration_id)
    asking.claim(tx, server, chosen)
    actions.next_event(tx, saga.action_id, event, chosen.host)
    return towards(tx, saga, chosen, status)


def towards(tx: Transaction, saga: MovingServer, chosen: HostChoice, status: str) -> Migration:
    """The migration says where it goes."""
    told = records.find(tx, details.HostDetails, chosen.host)
    address = None if told is None else told.host_ip
    return migrations.move(
        tx, saga.migration_id, status, dest_compute=chosen.host, dest_node=chosen.node, dest_host=address
    )


def unclaim(tx: Transaction, saga: MovingServer) -> None:
    """The server has its old place only, and the host that was chosen is not asked again, unless it is the only one that may be."""
    moving.take_back(tx, saga.server_id, saga.migration_id)
    if saga.host is not None and saga.host != saga.destination:
        saga.tried.append(saga.host)
    saga.host = None


def bind_all(tx: Transaction, server_id: str, host: str, world: World) -> None:
    """The server's ports are bound to a host: its wires are laid there from now on."""
    for port in ports.of_server(tx, server_id):
        ports.bind(tx, port.id, host)
    tx.after_commit(world.wiring.members_changed)


def activate_all(tx: Transaction, server_id: str) -> None:
    """The server's ports carry a guest."""
    for port in ports.of_server(tx, server_id):
        ports.activate(tx, port.id)


async def ensure_networks(host: str, server_id: str, world: World) -> None:
    """The networks of the server stand on a host before anything is taken away elsewhere. Raises what hosts raise."""
    for port in await world.database.read(lambda tx: ports.of_server(tx, server_id)):
        await world.wiring.ensure_network(host, port.network_id)


async def ensure_unwired(host: str | None, server_id: str, world: World) -> None:
    """A host has nothing of the server's ports any more, wherever they went."""
    if host is None or not await is_up(host, world):
        return
    for port in await world.database.read(lambda tx: ports.of_server(tx, server_id)):
        await world.wiring.ensure_no_port(host, port.id)


async def ensure_gone(host: str | None, server_id: str, world: World) -> None:
    """A host has nothing of the server; one that is down is cleaned by the reconciler of leftovers when it returns."""
    if host is None:
        return
    if await is_up(host, world):
        await world.agents.ask(host, calls.EnsureServerGone(server_id=server_id))
    else:
        trace.note("host_down", host=host, why="what lies there is removed when it returns")


async def ensure_off(host: str, server_id: str, world: World, *, grace_s: float) -> None:
    """The guest is off on a host; content when the host has no such machine."""
    try:
        message = calls.EnsureServerShutdown(server_id=server_id, grace_s=grace_s)
        await world.agents.ask(host, message, timeout_s=grace_s + 60)
    except NotFound:
        pass


async def tell_if_up(host: str, message: Message[Any], world: World, *, timeout_s: float = 600.0) -> None:
    """Send a message of an undo. Content when the host is down or the machine is in a state that forbids it."""
    if not await is_up(host, world):
        return
    try:
        await world.agents.ask(host, message, timeout_s=timeout_s)
    except (Conflict, NotFound) as error:
        trace.note("not_undone", host=host, message=type(message).__name__, why=error.message)


async def is_up(host: str, world: World) -> bool:
    """Whether a host's service reports."""
    return await world.servicegroup.is_up(hosts.member(host))


async def require_up(host: str, world: World) -> None:
    """Raises Unavailable when a host is down."""
    if not await is_up(host, world):
        raise Unavailable(f"Compute service of {host} is unavailable at this time.", host=host)


def settled_move(tx: Transaction, saga: MovingServer, status: str) -> None:
    """The migration has ended so."""
    if records.find(tx, Migration, saga.migration_id) is not None:
        migrations.move(tx, saga.migration_id, status)


def settle_there(tx: Transaction, saga: TakenServer, vm_state: str, *, running: bool, **changes: Any) -> None:
    """The server is where it shall be, with its ports, and free for the next action."""
    activate_all(tx, saga.server_id)
    servers.settle(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        vm_state=vm_state,
        power_state=lifecycle.RUNNING if running else lifecycle.SHUTDOWN,
        launched_at=tx.now,
        **changes,
    )


def zone_of(tx: Transaction, host: str) -> str | None:
    """The availability zone of a host."""
    service = hosts.service_of(tx, host)
    return None if service is None else service.zone


def still_there(tx: Transaction, server_id: str) -> Server | None:
    """The server, unless it is deleted."""
    server = servers.find(tx, server_id)
    return None if server is None or server.deleted else server
