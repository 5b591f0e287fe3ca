"""Power on a server that was stopped."""

from minicloud.agent import calls
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, keep
from minicloud.conductor.compute.wired import ensure_wired
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import lifecycle, servers
from minicloud.engines.database import Transaction


class StartServer(TakenServer):
    """From SHUTOFF to ACTIVE."""

    @classmethod
    def steps(cls) -> Steps["StartServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back),
            Step("wire", act=ensure_wired),
            Step("power_on", act=ensure_running, record=mark_active),
        ]


async def ensure_running(saga: StartServer, world: World) -> None:
    """The guest runs, with the disks that it had."""
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    await world.agents.ask(await host_of(saga, world), calls.EnsureServer(server=spec), timeout_s=600)


def mark_active(tx: Transaction, saga: StartServer, world: World) -> None:
    """It is there again."""
    servers.settle(tx, saga.server_id, saga.action_id, vm_state=lifecycle.ACTIVE, power_state=lifecycle.RUNNING)
