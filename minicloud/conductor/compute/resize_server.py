"""Give a server another flavor, another host, or both: it stops, its disks go along, and it waits to be confirmed.

Cold migration is the same with the flavor that it has. Until the move is confirmed or reverted the old host keeps the old
disks (on the same host: a snapshot of them), and Placement the old place, under the migration's id.

Once its disks lie on the new host, the server lives there: a guest that does not start is in ERROR there, with the new flavor, and a
hard reboot may start it (nova 34.0.0: compute/manager.py, finish_resize).
"""

import msgspec

from minicloud.agent import calls, move_calls
from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, ErrorFacts, Failed, from_facts, to_facts
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.moved import MovingServer
from minicloud.conductor.compute.specs import server_spec, spec_of
from minicloud.conductor.compute.taken import advance, keep
from minicloud.conductor.step import Attempts, Step, Steps, max_attempts
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import actions, lifecycle, local_disks, migrations, servers
from minicloud.core.compute.servers import Server
from minicloud.core.scheduler import moving
from minicloud.core.volume import attachments
from minicloud.engines.database import Transaction


class ResizeServer(MovingServer, kw_only=True):
    """From ACTIVE or SHUTOFF to VERIFY_RESIZE. ``source`` and ``was`` are its host and state before; ``packed`` are disks on
    their way. Failures before the guest is touched leave it as it was; later ones in ERROR, on its old host until its disks are
    on the new one. ``broken`` is why it does not run there."""

    source: str
    was: str = lifecycle.ACTIVE
    packed: list[move_calls.PackedDisk] = []
    touched: bool = False
    broken: ErrorFacts | None = None

    @classmethod
    def steps(cls) -> Steps["ResizeServer"]:
        return [
            Step("claim", record=keep, unrecord=give_up),
            Attempts(
                [
                    Step("place", record=place, unrecord=unplace),
                    Step("prepare", act=ensure_prepared),
                ],
                limit=max_attempts,
            ),
            Step("leave", record=leave),
            Step("power_off", act=ensure_off, undo=ensure_as_it_was),
            Step("keep", act=ensure_kept, undo=ensure_restored),
            Step("carry", act=ensure_carried, undo=ensure_not_there),
            Step("unwire", act=ensure_unwired, undo=ensure_rewired),
            Step("move", record=move, unrecord=move_back),
            Step("wire", act=ensure_wired, undo=ensure_nothing_wired),
            Step("spawn", act=ensure_there, undo=ensure_not_there),
            Step("tidy", act=ensure_tidy),
            Step("publish", record=mark_resized),
        ]

    @property
    def elsewhere(self) -> bool:
        """Whether it goes to another host."""
        return self.host != self.source


def place(tx: Transaction, saga: ResizeServer, world: World) -> None:
    """A host for the new flavor, and the claim on it."""
    server = advance(tx, saga, "resize_prep")
    wanted = migrations.get(tx, saga.migration_id)
    try:
        chosen = moved.choose(tx, saga, world, server, flavor=wanted.new_flavor)
    except CloudError as error:
        if saga.tried and saga.failed is not None:
            raise Failed(
                f"{error.message} All hosts that were tried failed: {', '.join(saga.tried)}. "
                f"Last exception: {saga.failed.message}"
            ) from error
        raise
    moved.claim(tx, saga, server, chosen, "pre-migrating", "compute_prep_resize")


def unplace(tx: Transaction, saga: ResizeServer, world: World) -> None:
    """The claim is given back."""
    moved.unclaim(tx, saga)


async def ensure_prepared(saga: ResizeServer, world: World) -> None:
    """The new host answers, and has the networks: it is the last moment at which another one can be taken instead."""
    assert saga.host is not None
    await moved.ensure_networks(saga.host, saga.server_id, world)


def leave(tx: Transaction, saga: ResizeServer, world: World) -> None:
    """From here on the guest itself is concerned. Raises Failed for a smaller disk, as upstream finds that out this late."""
    wanted = migrations.get(tx, saga.migration_id)
    old, new = wanted.old_flavor, wanted.new_flavor
    if old is not None and new is not None and (new.disk < old.disk or new.ephemeral < old.ephemeral):
        raise Failed("Resize error: Unable to resize disk down.")
    advance(tx, saga, "resize_migrating")
    migrations.move(tx, saga.migration_id, "migrating")
    actions.next_event(tx, saga.action_id, "compute_resize_instance", saga.source)
    saga.touched = True


async def ensure_off(saga: ResizeServer, world: World) -> None:
    """The guest is off, having been asked to."""
    await moved.require_up(saga.source, world)
    await moved.ensure_off(saga.source, saga.server_id, world, grace_s=world.options.shutdown_timeout)


async def ensure_as_it_was(saga: ResizeServer, world: World) -> None:
    """The guest runs again on its old host, if it did."""
    server = await world.database.read(lambda tx: moved.still_there(tx, saga.server_id))
    if server is not None and saga.was == lifecycle.ACTIVE and server.task_state != "deleting":
        spec = await world.database.read(lambda tx: server_spec(tx, server))
        await moved.tell_if_up(saga.source, calls.EnsureServer(server=spec), world)


async def ensure_kept(saga: ResizeServer, world: World) -> None:
    """The old disks can be had again, whatever happens; for another host they are packed."""
    if saga.elsewhere:
        message = move_calls.EnsureServerPacked(server_id=saga.server_id, prefix=f"move-{saga.migration_id}")
        saga.packed = await world.agents.ask(saga.source, message, timeout_s=3600)
    else:
        await world.agents.ask(saga.source, move_calls.EnsureDisksKept(server_id=saga.server_id))


async def ensure_restored(saga: ResizeServer, world: World) -> None:
    """The disks are the old ones, and nothing is on its way."""
    if not saga.elsewhere:
        await moved.tell_if_up(saga.source, move_calls.EnsureDisksRestored(server_id=saga.server_id), world)
    await ensure_nothing_packed(saga, world)


async def ensure_carried(saga: ResizeServer, world: World) -> None:
    """The disks lie on the new host, as large as the new flavor says."""
    assert saga.host is not None

    def read(tx: Transaction) -> calls.ServerSpec:
        server, flavor = servers.living(tx, saga.server_id), migrations.get(tx, saga.migration_id).new_flavor
        assert flavor is not None
        if flavor.swap == server.flavor.swap:
            return server_spec(tx, server.with_(flavor=flavor), packed=saga.packed)
        # A swap area of another size is made anew: nobody misses what was on it.
        packed = [disk for disk in saga.packed if disk.name != "disk.swap"]
        spec = server_spec(tx, server.with_(flavor=flavor), packed=packed)
        return msgspec.structs.replace(spec, swap_mb=flavor.swap, swap_anew=True)

    spec = await world.database.read(read)
    await world.agents.ask(saga.host, calls.EnsureServerDisks(server=spec), timeout_s=3600)


async def ensure_unwired(saga: ResizeServer, world: World) -> None:
    """The old host has nothing of the ports."""
    if saga.elsewhere:
        await moved.ensure_unwired(saga.source, saga.server_id, world)


async def ensure_rewired(saga: ResizeServer, world: World) -> None:
    """The ports stand on the old host again."""
    server = await world.database.read(lambda tx: moved.still_there(tx, saga.server_id))
    if server is not None and server.task_state != "deleting" and await moved.is_up(saga.source, world):
        await world.wiring.ensure_ports(saga.source, saga.server_id)


def move(tx: Transaction, saga: ResizeServer, world: World) -> None:
    """The records say the new host and the new flavor."""
    wanted = migrations.move(tx, saga.migration_id, "post-migrating")
    assert saga.host is not None
    assert wanted.new_flavor is not None
    advance(tx, saga, "resize_migrated")
    actions.next_event(tx, saga.action_id, "compute_finish_resize", saga.host)
    now_at(tx, saga.server_id, saga.host, wanted.dest_node, wanted.new_flavor, world)
    advance(tx, saga, "resize_finish")


def move_back(tx: Transaction, saga: ResizeServer, world: World) -> None:
    """The records say the old host and the old flavor again."""
    wanted = migrations.get(tx, saga.migration_id)
    if wanted.old_flavor is not None and moved.still_there(tx, saga.server_id) is not None:
        now_at(tx, saga.server_id, saga.source, wanted.source_node, wanted.old_flavor, world)
        moved.activate_all(tx, saga.server_id)


def now_at(
    tx: Transaction, server_id: str, host: str, node: str | None, flavor: servers.ServerFlavor, world: World
) -> Server:
    """A server lives on a host with a flavor, and its ports are bound there."""
    server = servers.living(tx, server_id)
    moved.bind_all(tx, server_id, host, world)
    attachments.follow(tx, server_id, host)
    local_disks.follow(tx, server, flavor)
    return records.change(
        tx,
        server,
        host=host,
        node=node or host,
        zone=moved.zone_of(tx, host),
        flavor=flavor,
        vcpus=flavor.vcpus,
        memory_mb=flavor.memory_mb,
        disk_gb=flavor.disk + flavor.ephemeral,
        updated_at=tx.now,
    )


async def ensure_wired(saga: ResizeServer, world: World) -> None:
    """The ports stand on the new host, or it is known why not."""
    assert saga.host is not None
    try:
        await world.wiring.ensure_ports(saga.host, saga.server_id)
    except CloudError as error:
        saga.broken = to_facts(error)


async def ensure_nothing_wired(saga: ResizeServer, world: World) -> None:
    """The new host has nothing of the ports."""
    if saga.elsewhere:
        await moved.ensure_unwired(saga.host, saga.server_id, world)


async def ensure_there(saga: ResizeServer, world: World) -> None:
    """The guest runs with its new flavor, or it is known why not; one that was off stays off."""
    assert saga.host is not None
    if saga.was != lifecycle.ACTIVE or saga.broken is not None:
        return
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    try:
        await world.agents.ask(saga.host, calls.EnsureServer(server=spec), timeout_s=3600)
    except CloudError as error:
        saga.broken = to_facts(error)


async def ensure_not_there(saga: ResizeServer, world: World) -> None:
    """The new host has nothing of the guest; on the same host it is off."""
    assert saga.host is not None
    if saga.elsewhere:
        await moved.ensure_gone(saga.host, saga.server_id, world)
    else:
        message = calls.EnsureServerShutdown(server_id=saga.server_id, grace_s=0)
        await moved.tell_if_up(saga.host, message, world)


async def ensure_tidy(saga: ResizeServer, world: World) -> None:
    """Nothing is on its way any more; and on one and the same host nothing is kept for a verdict that nobody will be asked for.
    What lies on another host is left over, and found by the reconciler."""
    await ensure_nothing_packed(saga, world)
    if saga.broken is None or saga.elsewhere:
        return
    try:
        await moved.tell_if_up(saga.source, move_calls.EnsureDisksNotKept(server_id=saga.server_id), world)
    except CloudError as error:
        # The disks are good as they are: this is no reason to take anything back.
        trace.note("disks_kept", server=saga.server_id, host=saga.source, why=error.message)


async def ensure_nothing_packed(saga: ResizeServer, world: World) -> None:
    """No disk is on its way any more."""
    for key in await world.blobs.keys():
        if key.startswith(f"move-{saga.migration_id}-"):
            await world.blobs.delete(key)


def mark_resized(tx: Transaction, saga: ResizeServer, world: World) -> None:
    """It waits for its owner's verdict; or it is in ERROR, and has its new place only."""
    advance(tx, saga, "resize_finish")
    if saga.broken is not None:
        _mark_broken(tx, saga, from_facts(saga.broken))
        return
    migrations.move(tx, saga.migration_id, "finished")
    running = saga.was == lifecycle.ACTIVE
    moved.settle_there(tx, saga, lifecycle.RESIZED, running=running, fault=None)


def _mark_broken(tx: Transaction, saga: ResizeServer, error: CloudError) -> None:
    moved.settled_move(tx, saga, "error")
    moving.let_go(tx, saga.migration_id)
    fault = servers.fault_of(tx, error)
    servers.give_back(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        error,
        vm_state=lifecycle.ERROR,
        fault=fault,
        power_state=lifecycle.SHUTDOWN,
    )


def give_up(tx: Transaction, saga: ResizeServer, world: World) -> None:
    """The server is where and what it was; in ERROR if the guest was touched, as upstream has it."""
    moved.settled_move(tx, saga, "error")
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("The move was rolled back")
    server = moved.still_there(tx, saga.server_id)
    broken = saga.touched and server is not None and server.task_state == saga.claimed
    changes = {"vm_state": lifecycle.ERROR, "fault": servers.fault_of(tx, error)} if broken else {}
    servers.give_back(tx, saga.server_id, saga.action_id, saga.claimed, error, **changes)
