"""Evacuate a server from a host that is down: it gets another host and begins there anew from its image, with its addresses.

The old host is not asked: whatever it has of the server is destroyed when it returns, and its place is kept until then.
"""

from minicloud.agent import calls
from minicloud.base.errors import Failed
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.moved import MovingServer
from minicloud.conductor.compute.resize_server import now_at
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import advance, give_back_in_error, keep
from minicloud.conductor.step import Attempts, Step, Steps, max_attempts
from minicloud.conductor.world import World
from minicloud.core.compute import actions, lifecycle, migrations
from minicloud.core.scheduler import moving
from minicloud.engines.database import Transaction


class EvacuateServer(MovingServer, kw_only=True):
    """To what it was, or to ``target``; one that was in ERROR is ACTIVE again. A failure leaves it in ERROR, as upstream.

    ``on_shared_storage``: somebody believes that its disks can be had from elsewhere.
    """

    source: str
    target: str
    on_shared_storage: bool = False

    @classmethod
    def steps(cls) -> Steps["EvacuateServer"]:
        return [
            Step("claim", record=check, unrecord=give_up),
            Attempts(
                [
                    Step("place", record=place, unrecord=unplace),
                    Step("prepare", act=ensure_prepared),
                ],
                limit=max_attempts,
            ),
            Step("move", record=move, unrecord=move_back),
            Step("wire", act=ensure_wired, undo=ensure_unwired),
            Step("spawn", act=ensure_there, undo=ensure_gone),
            Step("publish", record=mark_done),
        ]


def check(tx: Transaction, saga: EvacuateServer, world: World) -> None:
    """The server is still taken for this. Raises Failed for disks on a shared storage, which there is none of."""
    keep(tx, saga, world)
    if saga.on_shared_storage:
        raise Failed("Invalid state of instance files on shared storage")


def place(tx: Transaction, saga: EvacuateServer, world: World) -> None:
    """Another host, claimed beside what the server still has of the old one."""
    server = advance(tx, saga, saga.claimed)
    chosen = moved.choose(tx, saga, world, server)
    moving.add(tx, server, chosen)
    actions.next_event(tx, saga.action_id, "compute_rebuild_instance", chosen.host)
    moved.towards(tx, saga, chosen, "pre-migrating")


def unplace(tx: Transaction, saga: EvacuateServer, world: World) -> None:
    """It has of the old host what it had, and of no other anything."""
    source = migrations.get(tx, saga.migration_id).source_compute
    server = moved.still_there(tx, saga.server_id)
    if server is not None and source is not None:
        moving.keep_only(tx, server, source)
    if saga.host is not None and saga.host != saga.destination:
        saga.tried.append(saga.host)
    saga.host = None


async def ensure_prepared(saga: EvacuateServer, world: World) -> None:
    """The new host answers, and has the networks."""
    assert saga.host is not None
    await moved.ensure_networks(saga.host, saga.server_id, world)


def move(tx: Transaction, saga: EvacuateServer, world: World) -> None:
    """The records say the new host."""
    assert saga.host is not None
    server = advance(tx, saga, "rebuild_spawning")
    node = migrations.get(tx, saga.migration_id).dest_node
    now_at(tx, server.id, saga.host, node, server.flavor, world)


def move_back(tx: Transaction, saga: EvacuateServer, world: World) -> None:
    """The records say the old host again."""
    server = moved.still_there(tx, saga.server_id)
    if server is not None:
        node = migrations.get(tx, saga.migration_id).source_node
        now_at(tx, server.id, saga.source, node, server.flavor, world)


async def ensure_wired(saga: EvacuateServer, world: World) -> None:
    """The ports stand on the new host."""
    assert saga.host is not None
    await world.wiring.ensure_ports(saga.host, saga.server_id)


async def ensure_unwired(saga: EvacuateServer, world: World) -> None:
    """The new host has nothing of the ports."""
    await moved.ensure_unwired(saga.host, saga.server_id, world)


async def ensure_there(saga: EvacuateServer, world: World) -> None:
    """The guest runs from its image; one that shall be off has its disks, and is not started."""
    assert saga.host is not None
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    if saga.target == lifecycle.ACTIVE:
        await world.agents.ask(saga.host, calls.EnsureServer(server=spec), timeout_s=600)
    else:
        await world.agents.ask(saga.host, calls.EnsureServerDisks(server=spec), timeout_s=600)


async def ensure_gone(saga: EvacuateServer, world: World) -> None:
    """The new host has nothing of the guest."""
    await moved.ensure_gone(saga.host, saga.server_id, world)


def mark_done(tx: Transaction, saga: EvacuateServer, world: World) -> None:
    """It is there; the old host is to be cleaned when it returns."""
    advance(tx, saga, saga.claimed)
    migrations.move(tx, saga.migration_id, "done")
    running = saga.target == lifecycle.ACTIVE
    moved.settle_there(tx, saga, saga.target, running=running, fault=None)


def give_up(tx: Transaction, saga: EvacuateServer, world: World) -> None:
    """On its old host, in ERROR with a fault that says why."""
    moved.settled_move(tx, saga, "error")
    give_back_in_error(tx, saga, world)
