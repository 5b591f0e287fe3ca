"""Guests that stand still: the actions pause and unpause (in memory), suspend and resume (in a file)."""

from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.conductor.compute.pause_server import PauseServer
from minicloud.conductor.compute.resume_server import ResumeServer
from minicloud.conductor.compute.suspend_server import SuspendServer
from minicloud.conductor.compute.taken import TakenServer
from minicloud.conductor.compute.unpause_server import UnpauseServer
from minicloud.core.compute import servers
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

PAUSE = "os_compute_api:os-pause-server"
SUSPEND = "os_compute_api:os-suspend-server"


async def _begin(call: Call, server_id: str, name: str, kind: type[TakenServer]) -> None:
    def work(tx: Transaction) -> None:
        server, action_id = servers.take(tx, call.context, server_id, name)
        call.begin(tx, kind(server_id=server.id, action_id=action_id, claimed=server.task_state or ""))

    await call.write(work)


async def pause(call: Call, server_id: str) -> None:
    """Let the guest stand still."""
    await _begin(call, server_id, "pause", PauseServer)


async def unpause(call: Call, server_id: str) -> None:
    """Let it go on."""
    await _begin(call, server_id, "unpause", UnpauseServer)


async def suspend(call: Call, server_id: str) -> None:
    """Write the guest's memory to a file."""
    await _begin(call, server_id, "suspend", SuspendServer)


async def resume(call: Call, server_id: str) -> None:
    """Take the guest up from that file."""
    await _begin(call, server_id, "resume", ResumeServer)


routes = [
    Action("pause", pause, policy=f"{PAUSE}:pause", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("unpause", unpause, policy=f"{PAUSE}:unpause", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("suspend", suspend, policy=f"{SUSPEND}:suspend", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("resume", resume, policy=f"{SUSPEND}:resume", allow=PROJECT_MEMBER_OR_ADMIN),
]
