"""Let a guest that stood still go on."""

from minicloud.agent import calls
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, keep, mark_active
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World


class UnpauseServer(TakenServer):
    """From PAUSED to ACTIVE."""

    @classmethod
    def steps(cls) -> Steps["UnpauseServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back),
            Step("unpause", act=ensure_unpaused, record=mark_active, undo=ensure_paused),
        ]


async def ensure_unpaused(saga: UnpauseServer, world: World) -> None:
    """The guest goes on."""
    await world.agents.ask(await host_of(saga, world), calls.EnsureServerUnpaused(server_id=saga.server_id))


async def ensure_paused(saga: UnpauseServer, world: World) -> None:
    """The guest stands still again, unless it is off meanwhile."""
    await asked_if_up(saga, world, calls.EnsureServerPaused(server_id=saga.server_id))
