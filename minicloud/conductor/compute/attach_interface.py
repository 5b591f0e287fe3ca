"""Give a server one more network card: at once where its guest runs, from the next start on where it is off."""

from minicloud.agent import calls
from minicloud.base.errors import Conflict, NotFound, from_facts
from minicloud.conductor.compute import hardware
from minicloud.conductor.compute.carded import CardedServer, host_of, unless_deleting
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.network.wiring import port_spec
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import actions, hosts, interfaces, servers
from minicloud.core.network import ports
from minicloud.engines.database import Transaction

LIMIT_S = 60.0


class AttachInterface(CardedServer):
    """The port was made or lent, and bound, together with this saga."""

    @classmethod
    def steps(cls) -> Steps["AttachInterface"]:
        return [
            Step("claim", record=check, unrecord=let_go),
            Step("wire", act=ensure_wired, undo=ensure_unwired),
            Step("attach", act=ensure_attached, undo=ensure_detached),
            Step("publish", record=mark_attached),
        ]


def check(tx: Transaction, saga: AttachInterface, world: World) -> None:
    """The server is still there; addresses have come to its security groups."""
    unless_deleting(tx, saga)
    tx.after_commit(world.wiring.members_changed)


def let_go(tx: Transaction, saga: AttachInterface, world: World) -> None:
    """The port is gone, or free again, and the record says why."""
    server = servers.find(tx, saga.server_id)
    if server is not None:
        interfaces.forget(tx, server, saga.port_id)
    tx.after_commit(world.wiring.members_changed)
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("The card was taken out again")
    actions.finish(tx, saga.action_id, host=None if server is None else server.host, error=error.message)


async def ensure_wired(saga: AttachInterface, world: World) -> None:
    """The host has the port."""
    await world.wiring.ensure_port(await host_of(saga, world), saga.port_id)


async def ensure_unwired(saga: AttachInterface, world: World) -> None:
    """The host has nothing of the port; one that is down is cleaned by the reconciler when it returns."""
    server = await world.database.read(lambda tx: servers.find(tx, saga.server_id))
    if server is not None and server.host is not None and await world.servicegroup.is_up(hosts.member(server.host)):
        await world.wiring.ensure_no_port(server.host, saga.port_id)


async def ensure_attached(saga: AttachInterface, world: World) -> None:
    """The guest has the card, or will have it when it is started: a machine that its host never made is started with it."""

    def find(tx: Transaction) -> calls.NicSpec:
        server = servers.living(tx, saga.server_id)
        return calls.NicSpec(port=port_spec(tx, saga.port_id), model=hardware.nic_model(server))

    nic = await world.database.read(find)
    message = calls.EnsureNicAttached(server_id=saga.server_id, nic=nic)
    try:
        await world.agents.ask(await host_of(saga, world), message, timeout_s=LIMIT_S)
    except NotFound:
        await world.database.read(lambda tx: unless_deleting(tx, saga))


async def ensure_detached(saga: AttachInterface, world: World) -> None:
    """The guest has no such card; content when it is off or gone meanwhile."""
    message = calls.EnsureNicDetached(server_id=saga.server_id, port_id=saga.port_id, timeout_s=LIMIT_S)
    await asked_if_up(saga, world, message, timeout_s=LIMIT_S + 30)


def mark_attached(tx: Transaction, saga: AttachInterface, world: World) -> None:
    """The card is there."""
    server = unless_deleting(tx, saga)
    ports.activate(tx, saga.port_id)
    actions.finish(tx, saga.action_id, host=server.host)
