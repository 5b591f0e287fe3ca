"""Write a guest's memory to a file of its host, and let nothing of it run."""

from minicloud.agent import calls
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, keep
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import lifecycle, servers
from minicloud.engines.database import Transaction


class SuspendServer(TakenServer):
    """From ACTIVE to SUSPENDED; disks, ports and the place on the host stay."""

    @classmethod
    def steps(cls) -> Steps["SuspendServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back),
            Step("suspend", act=ensure_suspended, record=mark_suspended, undo=ensure_running),
        ]


async def ensure_suspended(saga: SuspendServer, world: World) -> None:
    """The memory lies in a file. A gigabyte takes seconds, a slow disk minutes."""
    message = calls.EnsureServerSuspended(server_id=saga.server_id)
    await world.agents.ask(await host_of(saga, world), message, timeout_s=900)


async def ensure_running(saga: SuspendServer, world: World) -> None:
    """The guest goes on where it was."""
    server = await world.database.read(lambda tx: servers.find(tx, saga.server_id))
    if server is None or server.deleted:
        return
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    await asked_if_up(saga, world, calls.EnsureServer(server=spec), timeout_s=900)


def mark_suspended(tx: Transaction, saga: SuspendServer, world: World) -> None:
    """Nothing of it runs."""
    servers.settle(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        vm_state=lifecycle.SUSPENDED,
        power_state=lifecycle.POWER_SUSPENDED,
    )
