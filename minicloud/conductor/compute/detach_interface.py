"""Take a network card from a server: a guest that does not let go of it keeps it."""

from minicloud.agent import calls
from minicloud.base.errors import Conflict, NotFound, from_facts
from minicloud.conductor.compute.carded import CardedServer, host_of, unless_deleting
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import actions, hosts, interfaces, servers
from minicloud.core.network.rows import Port
from minicloud.engines.database import Transaction

GRACE_S = 60.0


class DetachInterface(CardedServer):
    """Once the guest has let go there is no way back: the port is taken from the host, too."""

    @classmethod
    def steps(cls) -> Steps["DetachInterface"]:
        return [
            Step("claim", record=check, unrecord=mark_failed),
            Step("detach", act=ensure_detached),
            Step("unwire", act=ensure_unwired, final=True),
            Step("release", record=release),
        ]


def check(tx: Transaction, saga: DetachInterface, world: World) -> None:
    """The port is the server's. Raises NotFound, Conflict."""
    server = unless_deleting(tx, saga)
    port = records.find(tx, Port, saga.port_id)
    if port is None or port.device_id != server.id:
        raise NotFound(f"Port {saga.port_id} is not attached")


def mark_failed(tx: Transaction, saga: DetachInterface, world: World) -> None:
    """The record says why; the card stays."""
    server = servers.find(tx, saga.server_id)
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("The card was not taken out")
    actions.finish(tx, saga.action_id, host=None if server is None else server.host, error=error.message)


async def ensure_detached(saga: DetachInterface, world: World) -> None:
    """The guest has no such card; a machine that its host never made has none."""
    message = calls.EnsureNicDetached(server_id=saga.server_id, port_id=saga.port_id, timeout_s=GRACE_S)
    try:
        await world.agents.ask(await host_of(saga, world), message, timeout_s=GRACE_S + 30)
    except NotFound:
        await world.database.read(lambda tx: unless_deleting(tx, saga))


async def ensure_unwired(saga: DetachInterface, world: World) -> None:
    """The host has nothing of the port; one that is down is cleaned by the reconciler when it returns."""
    server = await world.database.read(lambda tx: servers.find(tx, saga.server_id))
    if server is not None and server.host is not None and await world.servicegroup.is_up(hosts.member(server.host)):
        await world.wiring.ensure_no_port(server.host, saga.port_id)


def release(tx: Transaction, saga: DetachInterface, world: World) -> None:
    """The port is deleted, or free again."""
    server = servers.find(tx, saga.server_id)
    if server is not None:
        interfaces.forget(tx, server, saga.port_id)
    tx.after_commit(world.wiring.members_changed)
    actions.finish(tx, saga.action_id, host=None if server is None else server.host)
