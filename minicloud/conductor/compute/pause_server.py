"""Let a guest stand still in memory."""

from minicloud.agent import calls
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, keep
from minicloud.conductor.compute.woken import ensure_unpaused
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import lifecycle, servers
from minicloud.engines.database import Transaction


class PauseServer(TakenServer):
    """From ACTIVE to PAUSED."""

    @classmethod
    def steps(cls) -> Steps["PauseServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back),
            Step("pause", act=ensure_paused, record=mark_paused, undo=ensure_unpaused),
        ]


async def ensure_paused(saga: PauseServer, world: World) -> None:
    """The guest stands still."""
    await world.agents.ask(await host_of(saga, world), calls.EnsureServerPaused(server_id=saga.server_id))


def mark_paused(tx: Transaction, saga: PauseServer, world: World) -> None:
    """It stands still."""
    servers.settle(
        tx, saga.server_id, saga.action_id, saga.claimed, vm_state=lifecycle.PAUSED, power_state=lifecycle.POWER_PAUSED
    )
