"""What a guest has used, asked of its host."""

from minicloud.agent import calls
from minicloud.base.errors import Conflict
from minicloud.conductor.world import World
from minicloud.core.compute import hosts, lifecycle
from minicloud.core.compute.servers import Server

Usage = calls.MachineUsage

_WORDS = {
    lifecycle.NOSTATE: "pending",
    lifecycle.RUNNING: "running",
    lifecycle.POWER_PAUSED: "paused",
    lifecycle.SHUTDOWN: "shutdown",
    lifecycle.CRASHED: "crashed",
    lifecycle.POWER_SUSPENDED: "suspended",
}


async def usage(world: World, server: Server) -> Usage:
    """Raises Conflict in Nova's words when the guest does not run, or its host cannot be asked."""
    if server.host is None or not await world.servicegroup.is_up(hosts.member(server.host)):
        raise Conflict(f"Instance {server.id} is not ready")
    if server.power_state != lifecycle.RUNNING:
        raise Conflict(
            f"Cannot 'get_diagnostics' instance {server.id} while it is in power state {_WORDS[server.power_state]}"
        )
    return await world.agents.ask(server.host, calls.ServerUsage(server_id=server.id), timeout_s=30)
