"""Move a running server to another host: its memory and disks go there while it runs, and at the end it goes on there.

Until the switch the guest runs where it was, and everything can be taken back; from the switch on the move goes through.
"""

from functools import partial

import anyio

from minicloud.agent import calls, move_calls
from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed, NotFound, TimedOut, Unavailable, from_facts
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.moved import MovingServer
from minicloud.conductor.compute.resize_server import now_at
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import advance, keep
from minicloud.conductor.step import Attempts, Step, Steps, max_attempts
from minicloud.conductor.world import World
from minicloud.core.compute import actions, lifecycle, migrations, servers
from minicloud.core.compute.servers import Server
from minicloud.core.network import ports
from minicloud.core.scheduler import moving
from minicloud.engines.database import Transaction

FOLLOW_S = 0.5
LIMIT_S = 6 * 3600.0
ARRIVAL_S, ARRIVAL_POLL_S = 60.0, 0.1
"""Seconds that a guest may need for its last step, and between two questions whether it is there."""


class LiveMigrateServer(MovingServer, kw_only=True):
    """The server stays what it is, ACTIVE or PAUSED. ``block``: None lets the cloud see whether disks have to go along."""

    source: str
    was: str
    block: bool | None = None
    address: str = ""

    @classmethod
    def steps(cls) -> Steps["LiveMigrateServer"]:
        return [
            Step("claim", record=check, unrecord=give_up),
            Attempts(
                [
                    Step("place", record=place, unrecord=unplace),
                    Step("prepare", act=ensure_prepared, undo=ensure_not_prepared),
                ],
                limit=max_attempts,
            ),
            Step("run", record=run, unrecord=stop),
            Step("send", act=ensure_sent, undo=ensure_not_sent),
            Step("switch", act=ensure_switched, record=move, final=True),
            Step("wire", act=ensure_wired),
            Step("clean", act=ensure_source_clean),
            Step("publish", record=mark_done),
        ]


def check(tx: Transaction, saga: LiveMigrateServer, world: World) -> None:
    """The server is still taken for this, and its disks can go along. Raises Conflict, Failed in Nova's words."""
    keep(tx, saga, world)
    server = servers.living(tx, saga.server_id)
    if saga.destination is not None and saga.destination == saga.source:
        raise Failed(f"Unable to migrate instance ({server.id}) to current host ({saga.source}).")
    if saga.block is False and _has_local_disks(server):
        raise Failed(
            f"{saga.source} is not on shared storage: Live migration can not be used without shared storage except a "
            "booted from volume VM which does not have a local disk."
        )
    migrations.move(tx, saga.migration_id, "queued")


def _has_local_disks(server: Server) -> bool:
    return server.image_id is not None or server.flavor.ephemeral > 0 or server.flavor.swap > 0


def place(tx: Transaction, saga: LiveMigrateServer, world: World) -> None:
    """A host, and the claim on it."""
    server = advance(tx, saga, saga.claimed)
    _unless_aborted(tx, saga, "queued", "preparing")
    chosen = moved.choose(tx, saga, world, server)
    moved.claim(tx, saga, server, chosen, "preparing", "compute_pre_live_migration")
    _say_where(tx, saga, chosen.host)


def unplace(tx: Transaction, saga: LiveMigrateServer, world: World) -> None:
    """The claim is given back."""
    _say_where(tx, saga, None)
    moved.unclaim(tx, saga)


def _say_where(tx: Transaction, saga: LiveMigrateServer, host: str | None) -> None:
    """Ports show where they are about to go, as Nova writes it into their profile."""
    for port in ports.of_server(tx, saga.server_id):
        rest = {name: value for name, value in port.profile.items() if name != "migrating_to"}
        ports.change(tx, port, profile=rest if host is None else {**rest, "migrating_to": host})


async def ensure_prepared(saga: LiveMigrateServer, world: World) -> None:
    """The new host has the networks, the ports and the disks, and waits for the guest."""
    assert saga.host is not None
    await moved.require_up(saga.source, world)
    await world.wiring.ensure_ports_ahead(saga.host, saga.server_id)
    await _ensure_awaited(saga, world)


async def _ensure_awaited(saga: LiveMigrateServer, world: World) -> None:
    """The new host waits for a machine that is built as it is on the old one, whatever came and went since it started."""
    assert saga.host is not None
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    built = await world.agents.ask(saga.source, move_calls.GuestBuilt(server_id=saga.server_id))
    awaited = calls.EnsureGuestAwaited(server=spec, built=built)
    saga.address = await world.agents.ask(saga.host, awaited, timeout_s=600)


async def ensure_not_prepared(saga: LiveMigrateServer, world: World) -> None:
    """The new host waits for nothing."""
    if saga.host is None or not await moved.is_up(saga.host, world):
        return
    await world.agents.ask(saga.host, move_calls.EnsureGuestNotAwaited(server_id=saga.server_id))
    await moved.ensure_unwired(saga.host, saga.server_id, world)


def run(tx: Transaction, saga: LiveMigrateServer, world: World) -> None:
    """From here on the guest's memory is on its way."""
    advance(tx, saga, saga.claimed)
    _unless_aborted(tx, saga, "preparing")
    migrations.move(tx, saga.migration_id, "running")
    actions.next_event(tx, saga.action_id, "compute_live_migration", saga.source)


def stop(tx: Transaction, saga: LiveMigrateServer, world: World) -> None:
    """It came to nothing: because somebody wanted it so, or because it failed."""
    if migrations.get(tx, saga.migration_id).status == "running":
        migrations.move(tx, saga.migration_id, "cancelled" if _was_cancelled(saga) else "failed")


def _was_cancelled(saga: LiveMigrateServer) -> bool:
    return saga.failed is not None and saga.failed.kind == "cancelled"


def _unless_aborted(tx: Transaction, saga: LiveMigrateServer, *statuses: str) -> None:
    found = migrations.get(tx, saga.migration_id)
    if found.status not in statuses:
        raise Conflict(f"Migration {found.uuid} was aborted while it was {statuses[-1]}", kind="cancelled")


async def ensure_sent(saga: LiveMigrateServer, world: World) -> None:
    """All memory but the last is there. Somebody who takes the server for deletion meanwhile need not wait."""
    message = move_calls.EnsureGuestSent(server_id=saga.server_id, address=saga.address)
    failure: CloudError | None = None
    done = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(_follow, saga, world, tasks.cancel_scope))
        try:
            await world.agents.ask(saga.source, message, timeout_s=LIMIT_S)
            done = True
        except CloudError as error:
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if not done:
        raise Conflict(
            f"Instance {saga.server_id} was taken for something else while it was migrated", kind="cancelled"
        )


async def _follow(saga: LiveMigrateServer, world: World, scope: anyio.CancelScope) -> None:
    """Write down how far the guest is, for whoever asks; end the wait when the server was taken for something else."""
    while True:
        await anyio.sleep(FOLLOW_S)
        try:
            server = await world.database.read(lambda tx: servers.find(tx, saga.server_id))
            if server is None or server.task_state != saga.claimed:
                scope.cancel()
                return
            seen = await world.agents.ask(saga.source, move_calls.GuestProgress(server_id=saga.server_id))
            if seen is not None:
                await world.database.write(partial(_write_progress, saga=saga, seen=seen))
        except CloudError as error:
            trace.note("saga_retry", step="follow", in_s=FOLLOW_S, error=error.message)


def _write_progress(tx: Transaction, *, saga: LiveMigrateServer, seen: move_calls.MoveProgress) -> None:
    found = migrations.get(tx, saga.migration_id)
    if found.status == "running":
        migrations.move(
            tx,
            found.uuid,
            found.status,
            memory_total=seen.memory_total,
            memory_processed=seen.memory_processed,
            memory_remaining=seen.memory_remaining,
            disk_total=seen.disk_total,
            disk_processed=seen.disk_processed,
            disk_remaining=seen.disk_remaining,
        )


async def ensure_not_sent(saga: LiveMigrateServer, world: World) -> None:
    """The guest stays where it is, and goes on."""
    if await moved.is_up(saga.source, world):
        await world.agents.ask(saga.source, move_calls.EnsureGuestNotSent(server_id=saga.server_id))


async def ensure_switched(saga: LiveMigrateServer, world: World) -> None:
    """The guest goes on on the new host. Where the connection broke in the last moment and it did not arrive, it is sent once
    more; where it is nowhere, it begins anew from its disks, which are there."""
    assert saga.host is not None
    switch = move_calls.EnsureGuestSwitched(server_id=saga.server_id, address=saga.address)
    try:
        await world.agents.ask(saga.source, switch, timeout_s=600)
    except (Failed, NotFound) as error:
        if await _arrived(saga, world):
            return
        trace.note("sent_again", server=saga.server_id, why=error.message)
        await _ensure_awaited(saga, world)
        again = move_calls.EnsureGuestSent(server_id=saga.server_id, address=saga.address)
        await world.agents.ask(saga.source, again, timeout_s=LIMIT_S)
        switch = move_calls.EnsureGuestSwitched(server_id=saga.server_id, address=saga.address)
        await world.agents.ask(saga.source, switch, timeout_s=600)
    arrived = await _arrived(saga, world)
    if arrived is None:
        raise TimedOut(f"Nobody knows whether instance {saga.server_id} has arrived on {saga.host}")
    if not arrived:
        trace.note("guest_lost", server=saga.server_id, source=saga.source, host=saga.host)
        spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
        await world.agents.ask(saga.host, calls.EnsureServer(server=spec), timeout_s=600)


async def _arrived(saga: LiveMigrateServer, world: World) -> bool | None:
    """Whether the guest is on the new host, asked until the answer is sure; None when it is not after a while."""
    assert saga.host is not None
    with anyio.move_on_after(ARRIVAL_S):
        while True:
            try:
                answer = await world.agents.ask(saga.host, move_calls.GuestArrived(server_id=saga.server_id))
            except (TimedOut, Unavailable) as error:
                trace.note("saga_retry", step="switch", in_s=ARRIVAL_POLL_S, error=error.message)
                answer = None
            if answer is not None:
                return answer
            await anyio.sleep(ARRIVAL_POLL_S)
    return None


def move(tx: Transaction, saga: LiveMigrateServer, world: World) -> None:
    """The records say the new host."""
    assert saga.host is not None
    found = migrations.move(tx, saga.migration_id, "post-migrating")
    actions.next_event(tx, saga.action_id, "compute_post_live_migration_at_destination", saga.host)
    server = servers.find(tx, saga.server_id)
    if server is not None and not server.deleted:
        _say_where(tx, saga, None)
        now_at(tx, server.id, saga.host, found.dest_node, server.flavor, world)
        moved.activate_all(tx, server.id)


async def ensure_wired(saga: LiveMigrateServer, world: World) -> None:
    """The new host has what its networks tell of the ports that are bound there now."""
    server = await world.database.read(lambda tx: moved.still_there(tx, saga.server_id))
    if saga.host is not None and server is not None and await moved.is_up(saga.host, world):
        await world.wiring.ensure_ports(saga.host, saga.server_id)


async def ensure_source_clean(saga: LiveMigrateServer, world: World) -> None:
    """The old host has nothing of the server."""
    await moved.ensure_unwired(saga.source, saga.server_id, world)
    await moved.ensure_gone(saga.source, saga.server_id, world)


def mark_done(tx: Transaction, saga: LiveMigrateServer, world: World) -> None:
    """It is there."""
    migrations.move(tx, saga.migration_id, "completed")
    moving.let_go(tx, saga.migration_id)
    server = servers.find(tx, saga.server_id)
    if server is None or server.deleted:
        actions.finish(tx, saga.action_id, host=saga.host)
        return
    paused = saga.was == lifecycle.PAUSED
    power_state = lifecycle.POWER_PAUSED if paused else lifecycle.RUNNING
    servers.settle(tx, server.id, saga.action_id, saga.claimed, power_state=power_state, progress=100)


def give_up(tx: Transaction, saga: LiveMigrateServer, world: World) -> None:
    """The server runs where it ran."""
    found = migrations.get(tx, saga.migration_id)
    if found.status in migrations.OPEN:
        migrations.move(tx, saga.migration_id, "cancelled" if _was_cancelled(saga) else "error")
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("The move was rolled back")
    servers.give_back(tx, saga.server_id, saga.action_id, saga.claimed, error)
