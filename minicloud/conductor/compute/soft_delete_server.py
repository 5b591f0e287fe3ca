"""Delete a server for the time being: it is powered off and keeps what it has; and restore one."""

from minicloud.agent import calls
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.confirm_resize import ensure_clean
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import (
    TakenServer,
    advance,
    ensure_turn,
    give_back,
    give_back_in_error,
    host_of,
    keep,
)
from minicloud.conductor.compute.wired import ensure_wired
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import lifecycle, migrations, servers
from minicloud.core.scheduler import moving
from minicloud.engines.database import Transaction


class SoftDeleteServer(TakenServer):
    """From any state to SOFT_DELETED. A resize that waits for its verdict is confirmed, as upstream."""

    @classmethod
    def steps(cls) -> Steps["SoftDeleteServer"]:
        return [
            # Whatever works on the server sees the task at its next record, and rolls back.
            Step("wait", act=ensure_turn, unrecord=give_back),
            Step("power_off", act=ensure_off, final=True),
            Step("confirm", act=ensure_sources_clean, record=mark_deleted),
        ]


class RestoreServer(TakenServer):
    """From SOFT_DELETED to ACTIVE."""

    @classmethod
    def steps(cls) -> Steps["RestoreServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back_in_error),
            Step("wire", act=ensure_wired),
            Step("power_on", act=ensure_running, record=mark_active, undo=ensure_off),
        ]


async def ensure_off(saga: SoftDeleteServer | RestoreServer, world: World) -> None:
    """The guest is off; on a host that is down it will be found so."""
    server = await world.database.read(lambda tx: moved.still_there(tx, saga.server_id))
    if server is not None and server.host is not None and await moved.is_up(server.host, world):
        await moved.ensure_off(server.host, server.id, world, grace_s=0)


async def ensure_sources_clean(saga: SoftDeleteServer, world: World) -> None:
    """Hosts from which it was moved have nothing of it."""
    for move in await world.database.read(lambda tx: migrations.open_of_server(tx, saga.server_id)):
        await ensure_clean(move, saga.server_id, world)


def mark_deleted(tx: Transaction, saga: SoftDeleteServer, world: World) -> None:
    """It is out of sight from now on."""
    advance(tx, saga, saga.claimed)
    for move in migrations.open_of_server(tx, saga.server_id):
        moving.let_go(tx, move.uuid)
        migrations.move(tx, move.uuid, "confirmed" if move.status == "finished" else "error")
    servers.settle(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        vm_state=lifecycle.SOFT_DELETED,
        power_state=lifecycle.SHUTDOWN,
        deleted_at=tx.now,
    )


async def ensure_running(saga: RestoreServer, world: World) -> None:
    """The guest runs, with the disks that it had."""
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    await world.agents.ask(await host_of(saga, world), calls.EnsureServer(server=spec), timeout_s=600)


def mark_active(tx: Transaction, saga: RestoreServer, world: World) -> None:
    """It is there again."""
    servers.settle(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        vm_state=lifecycle.ACTIVE,
        power_state=lifecycle.RUNNING,
        deleted_at=None,
    )
