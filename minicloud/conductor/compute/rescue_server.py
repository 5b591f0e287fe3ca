"""Rescue a server: it boots another image, and has its own disks behind that one; and back to its own disks."""

from minicloud.agent import calls, move_calls
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.specs import rescue_spec, server_spec, spec_of
from minicloud.conductor.compute.taken import (
    TakenServer,
    give_back_in_error,
    host_of,
    keep,
    mark_active,
    while_taken,
)
from minicloud.conductor.compute.wired import ensure_wired
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import lifecycle, servers
from minicloud.core.compute.servers import ServerImage
from minicloud.engines.database import Transaction


class RescueServer(TakenServer, kw_only=True):
    """To RESCUE. A rescue that fails leaves the server in ERROR, as upstream, with its own guest running if it did before."""

    was: str
    rescue: ServerImage

    @classmethod
    def steps(cls) -> Steps["RescueServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back_in_error),
            Step("power_off", act=ensure_off, undo=ensure_as_it_was),
            Step("wire", act=ensure_wired),
            Step("rescue", act=ensure_rescued, record=mark_rescued, undo=ensure_not_rescued),
        ]


class UnrescueServer(TakenServer, kw_only=True):
    """From RESCUE to ACTIVE."""

    @classmethod
    def steps(cls) -> Steps["UnrescueServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back_in_error),
            Step("power_off", act=ensure_stopped),
            Step("wire", act=ensure_wired),
            Step("start", act=ensure_running, record=mark_active, undo=ensure_stopped),
        ]


async def ensure_off(saga: RescueServer, world: World) -> None:
    """The guest is off, having been asked to."""
    host, grace_s = await host_of(saga, world), world.options.shutdown_timeout
    await while_taken(saga, world, lambda: moved.ensure_off(host, saga.server_id, world, grace_s=grace_s))


async def ensure_as_it_was(saga: RescueServer, world: World) -> None:
    """The guest runs from its own disks again, if it did."""
    server = await world.database.read(lambda tx: moved.still_there(tx, saga.server_id))
    if server is not None and saga.was == lifecycle.ACTIVE and server.task_state != "deleting":
        spec = await world.database.read(lambda tx: server_spec(tx, server))
        await asked_if_up(saga, world, calls.EnsureServer(server=spec), timeout_s=600)


async def ensure_rescued(saga: RescueServer, world: World) -> None:
    """The guest runs from the rescue image."""
    server = await world.database.read(lambda tx: servers.living(tx, saga.server_id))
    spec = await world.database.read(lambda tx: rescue_spec(tx, server, saga.rescue))
    await world.agents.ask(await host_of(saga, world), calls.EnsureServer(server=spec), timeout_s=600)


async def ensure_not_rescued(saga: RescueServer, world: World) -> None:
    """Nothing of the rescue is left."""
    await asked_if_up(saga, world, calls.EnsureServerShutdown(server_id=saga.server_id, grace_s=0))
    await asked_if_up(saga, world, move_calls.EnsureNoRescueDisk(server_id=saga.server_id))


def mark_rescued(tx: Transaction, saga: RescueServer, world: World) -> None:
    """It runs from the rescue image."""
    servers.settle(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        vm_state=lifecycle.RESCUED,
        power_state=lifecycle.RUNNING,
        launched_at=tx.now,
    )


async def ensure_stopped(saga: UnrescueServer, world: World) -> None:
    """The rescued guest is off, without being asked, and its disk is gone."""
    await asked_if_up(saga, world, calls.EnsureServerShutdown(server_id=saga.server_id, grace_s=0))
    await asked_if_up(saga, world, move_calls.EnsureNoRescueDisk(server_id=saga.server_id))


async def ensure_running(saga: UnrescueServer, world: World) -> None:
    """The guest runs from its own disks."""
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    await world.agents.ask(await host_of(saga, world), calls.EnsureServer(server=spec), timeout_s=600)
