"""Confirm a resize or a cold migration: what the old host kept of the server is removed, and its old place given up."""

from minicloud.agent import move_calls
from minicloud.base.errors import Conflict, from_facts
from minicloud.conductor.compute import moved
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import actions, lifecycle, migrations, servers
from minicloud.core.compute.migrations import Migration
from minicloud.core.scheduler import moving
from minicloud.engines.database import Transaction


class ConfirmResize(Saga):
    """From VERIFY_RESIZE to ACTIVE or SHUTOFF. The migration says ``confirming`` meanwhile; the server has no task, as upstream."""

    server_id: str
    action_id: int
    migration_id: str

    @property
    def about(self) -> str:
        return self.server_id

    @classmethod
    def steps(cls) -> Steps["ConfirmResize"]:
        return [
            Step("claim", record=check, unrecord=give_up),
            # Nothing brings the old disks back once this has begun.
            Step("clean", act=ensure_source_clean, final=True),
            Step("publish", record=mark_confirmed),
        ]


def check(tx: Transaction, saga: ConfirmResize, world: World) -> None:
    """The server still waits for this."""
    server = servers.living(tx, saga.server_id)
    if server.vm_state != lifecycle.RESIZED or server.task_state is not None:
        raise Conflict(f"Instance {saga.server_id} was taken for something else before its resize was confirmed")


async def ensure_source_clean(saga: ConfirmResize, world: World) -> None:
    """The old host has nothing of the server but, if it is also the new one, its new disks."""
    await ensure_clean(
        await world.database.read(lambda tx: migrations.get(tx, saga.migration_id)), saga.server_id, world
    )


async def ensure_clean(move: Migration, server_id: str, world: World) -> None:
    """The host from which a server was moved has nothing of it that the move has kept there."""
    source = move.source_compute
    if source is None:
        return
    if source == move.dest_compute:
        if await moved.is_up(source, world):
            await world.agents.ask(source, move_calls.EnsureDisksNotKept(server_id=server_id))
        return
    await moved.ensure_unwired(source, server_id, world)
    await moved.ensure_gone(source, server_id, world)


def mark_confirmed(tx: Transaction, saga: ConfirmResize, world: World) -> None:
    """It is what it became."""
    migrations.move(tx, saga.migration_id, "confirmed")
    moving.let_go(tx, saga.migration_id)
    server = servers.find(tx, saga.server_id)
    if server is None or server.deleted or server.vm_state != lifecycle.RESIZED:
        # Deleted, or set to another state by hand, while the old host was cleaned.
        actions.finish(tx, saga.action_id, host=None)
        return
    off = server.power_state == lifecycle.SHUTDOWN
    vm_state = lifecycle.STOPPED if off else lifecycle.ACTIVE
    servers.settle(tx, server.id, saga.action_id, "", vm_state=vm_state)


def give_up(tx: Transaction, saga: ConfirmResize, world: World) -> None:
    """It can be confirmed again, unless it is no longer there."""
    if migrations.get(tx, saga.migration_id).status == "confirming":
        migrations.move(tx, saga.migration_id, "finished")
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("The confirmation was rolled back")
    servers.give_back(tx, saga.server_id, saga.action_id, "", error)
