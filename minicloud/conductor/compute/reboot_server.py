"""Start a guest anew: softly by asking it, hard by a new process on the same disks."""

from typing import Literal

import msgspec

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import Conflict
from minicloud.conductor import log
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import (
    TakenServer,
    action_of,
    ensure_turn,
    give_back,
    give_back_in_error,
    host_of,
    keep,
    mark_active,
    while_taken,
)
from minicloud.conductor.compute.wired import ensure_wired
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import lifecycle, servers
from minicloud.engines.database import Transaction


class RebootServer(TakenServer):
    """A soft reboot that the guest ignores becomes a hard one, as in Nova."""

    kind: Literal["SOFT", "HARD"] = "HARD"

    @classmethod
    def steps(cls) -> Steps["RebootServer"]:
        return [
            # A hard reboot may be asked for while another reboot is under way: one after the other.
            Step("wait", act=ensure_turn, unrecord=give_back_and_hand_over),
            Step("claim", record=reclaim),
            Step("wire", act=ensure_wired),
            Step("reboot", act=ensure_rebooted, record=mark_rebooted, unrecord=give_back_in_error),
        ]


KIND = RebootServer.__name__


def reclaim(tx: Transaction, saga: RebootServer, world: World) -> None:
    """The server is still taken for this, or was let go of by an administrator, and is taken again.

    Raises Conflict when something else was done with it since: a guest that was stopped later than this was asked for stays off.
    """
    server = servers.living(tx, saga.server_id)
    if server.task_state is None:
        if done := [row.kind for row in log.of_resource(tx, server.id) if row.kind != KIND and _later(row, saga)]:
            raise Conflict(f"Instance {server.id} was taken by {done[-1]} before it could be rebooted")
        lifecycle.check(lifecycle.TABLE[f"reboot_{saga.kind.lower()}"], server.id, server.vm_state, None)
        records.change(tx, server, task_state=saga.claimed, updated_at=tx.now)
    else:
        keep(tx, saga, world)


def mark_rebooted(tx: Transaction, saga: RebootServer, world: World) -> None:
    """It runs; or goes on to the next reboot."""
    mark_active(tx, saga, world)
    hand_over(tx, saga)


def give_back_and_hand_over(tx: Transaction, saga: RebootServer, world: World) -> None:
    """The server as it was, unless another reboot waits for it."""
    give_back(tx, saga, world)
    hand_over(tx, saga)


def hand_over(tx: Transaction, saga: RebootServer) -> None:
    """A server that another reboot waits for stays taken: what came between them would be undone by that reboot."""
    server = servers.find(tx, saga.server_id)
    if server is None or server.task_state is not None:
        return
    for row in log.of_resource(tx, server.id):
        if row.kind == KIND and row.state not in (*log.ENDED, "stuck") and _later(row, saga):
            waiting = msgspec.json.decode(row.body, type=RebootServer)
            records.change(tx, server, task_state=waiting.claimed, updated_at=tx.now)
            return


def _later(row: log.SagaRow, saga: RebootServer) -> bool:
    return action_of(row) > saga.action_id


async def ensure_rebooted(saga: RebootServer, world: World) -> None:
    """The guest has started anew. Asked twice, it starts anew twice: nobody can tell."""
    host = await host_of(saga, world)
    grace_s = world.options.shutdown_timeout
    if saga.kind == "SOFT":
        message = calls.RebootServer(server_id=saga.server_id, grace_s=grace_s)
        if await while_taken(saga, world, lambda: world.agents.ask(host, message, timeout_s=grace_s + 120)):
            return
        trace.note("soft_reboot_ignored", server=saga.server_id, grace_s=grace_s)
    await moved.ensure_off(host, saga.server_id, world, grace_s=0)
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    await world.agents.ask(host, calls.EnsureServer(server=spec), timeout_s=600)
