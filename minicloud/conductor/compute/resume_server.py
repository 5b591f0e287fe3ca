"""Take a guest up where its memory was written to a file."""

from minicloud.agent import calls
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, keep, mark_active
from minicloud.conductor.compute.wired import ensure_wired
from minicloud.conductor.compute.woken import asked_if_up
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World


class ResumeServer(TakenServer):
    """From SUSPENDED to ACTIVE."""

    @classmethod
    def steps(cls) -> Steps["ResumeServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back),
            Step("wire", act=ensure_wired),
            Step("resume", act=ensure_running, record=mark_active, undo=ensure_suspended),
        ]


async def ensure_running(saga: ResumeServer, world: World) -> None:
    """The guest goes on where it was."""
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    await world.agents.ask(await host_of(saga, world), calls.EnsureServer(server=spec), timeout_s=900)


async def ensure_suspended(saga: ResumeServer, world: World) -> None:
    """The memory lies in the file again."""
    await asked_if_up(saga, world, calls.EnsureServerSuspended(server_id=saga.server_id), timeout_s=900)
