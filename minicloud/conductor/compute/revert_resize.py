"""Revert a resize or a cold migration: the new guest goes, the old one runs again from the disks that its host kept."""

from minicloud.agent import calls, move_calls
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.resize_server import now_at
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import TakenServer, advance, give_back_in_error, keep
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import actions, lifecycle, migrations
from minicloud.core.scheduler import moving
from minicloud.engines.database import Transaction


class RevertResize(TakenServer):
    """From VERIFY_RESIZE to what it was before. A revert that fails leaves it in ERROR, as upstream: where, its host says."""

    migration_id: str

    @classmethod
    def steps(cls) -> Steps["RevertResize"]:
        return [
            Step("claim", record=keep, unrecord=give_up),
            Step("destroy", act=ensure_gone),
            Step("move", record=move_back),
            Step("restore", act=ensure_restored),
            Step("wire", act=ensure_wired),
            Step("start", act=ensure_running, undo=ensure_off),
            Step("publish", record=mark_reverted),
        ]


async def ensure_gone(saga: RevertResize, world: World) -> None:
    """The new host has nothing of the guest; on one and the same host the guest is off."""
    move = await world.database.read(lambda tx: migrations.get(tx, saga.migration_id))
    if move.dest_compute is None:
        return
    if move.dest_compute == move.source_compute:
        grace_s = world.options.shutdown_timeout
        await moved.ensure_off(move.dest_compute, saga.server_id, world, grace_s=grace_s)
    else:
        await moved.ensure_gone(move.dest_compute, saga.server_id, world)
        await moved.ensure_unwired(move.dest_compute, saga.server_id, world)


def move_back(tx: Transaction, saga: RevertResize, world: World) -> None:
    """The records say the old host and the old flavor again, and the server has its old place."""
    move = migrations.get(tx, saga.migration_id)
    advance(tx, saga, saga.claimed)
    assert move.source_compute is not None
    assert move.old_flavor is not None
    moving.take_back(tx, saga.server_id, saga.migration_id)
    now_at(tx, saga.server_id, move.source_compute, move.source_node, move.old_flavor, world)
    actions.next_event(tx, saga.action_id, "compute_finish_revert_resize", move.source_compute)


async def ensure_restored(saga: RevertResize, world: World) -> None:
    """The disks are the old ones."""
    move = await world.database.read(lambda tx: migrations.get(tx, saga.migration_id))
    if move.source_compute is not None and move.source_compute == move.dest_compute:
        await world.agents.ask(move.source_compute, move_calls.EnsureDisksRestored(server_id=saga.server_id))


async def ensure_wired(saga: RevertResize, world: World) -> None:
    """The ports stand on the old host."""
    move = await world.database.read(lambda tx: migrations.get(tx, saga.migration_id))
    assert move.source_compute is not None
    await world.wiring.ensure_ports(move.source_compute, saga.server_id)


async def ensure_running(saga: RevertResize, world: World) -> None:
    """The guest runs, if it did."""
    move = await world.database.read(lambda tx: migrations.get(tx, saga.migration_id))
    assert move.source_compute is not None
    if move.vm_state == lifecycle.ACTIVE:
        await moved.require_up(move.source_compute, world)
        spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
        await world.agents.ask(move.source_compute, calls.EnsureServer(server=spec), timeout_s=600)


async def ensure_off(saga: RevertResize, world: World) -> None:
    """Nothing half-started runs: a server in ERROR can be started by a hard reboot."""
    move = await world.database.read(lambda tx: migrations.get(tx, saga.migration_id))
    if move.source_compute is not None:
        message = calls.EnsureServerShutdown(server_id=saga.server_id, grace_s=0)
        await moved.tell_if_up(move.source_compute, message, world)


def mark_reverted(tx: Transaction, saga: RevertResize, world: World) -> None:
    """It is what it was."""
    move = migrations.move(tx, saga.migration_id, "reverted")
    moved.settle_there(tx, saga, move.vm_state, running=move.vm_state == lifecycle.ACTIVE)


def give_up(tx: Transaction, saga: RevertResize, world: World) -> None:
    """In ERROR; a place that is still held is given up, and what lies there is left over."""
    if migrations.get(tx, saga.migration_id).status == "reverting":
        migrations.move(tx, saga.migration_id, "error")
    moving.let_go(tx, saga.migration_id)
    give_back_in_error(tx, saga, world)
