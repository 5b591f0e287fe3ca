"""Undoing what a host did to a guest, where the host can be asked and the guest is still in a state to be asked about."""

from typing import Any, Protocol

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import Conflict, NotFound
from minicloud.conductor.compute.taken import TakenServer
from minicloud.conductor.world import World
from minicloud.core.compute import hosts, servers
from minicloud.engines.messaging import Message


class AboutServer(Protocol):
    """A saga about one server."""

    server_id: str


async def asked_if_up(saga: AboutServer, world: World, message: Message[Any], *, timeout_s: float = 120.0) -> None:
    """Send the message to the server's host. Content when that is down, or when the guest has ended meanwhile: what is then
    true, the reconciler of power states finds out."""
    server = await world.database.read(lambda tx: servers.find(tx, saga.server_id))
    if server is None or server.deleted or server.host is None:
        return
    if not await world.servicegroup.is_up(hosts.member(server.host)):
        return
    try:
        await world.agents.ask(server.host, message, timeout_s=timeout_s)
    except (Conflict, NotFound) as error:
        trace.note("not_undone", server=server.id, message=type(message).__name__, why=error.message)


async def ensure_unpaused(saga: TakenServer, world: World) -> None:
    """The guest goes on, unless it is off meanwhile."""
    await asked_if_up(saga, world, calls.EnsureServerUnpaused(server_id=saga.server_id))
