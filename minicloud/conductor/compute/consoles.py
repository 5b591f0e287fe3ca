"""What guests say on their serial console, asked of their host."""

from minicloud.agent import calls
from minicloud.base.errors import Conflict
from minicloud.conductor.world import World
from minicloud.core.compute import hosts

LARGEST = 1 << 20
"""Bytes of a console that are looked at."""


async def output(world: World, host: str, server_id: str) -> str:
    """The end of the guest's console. Raises Conflict when its host cannot be asked."""
    if not await world.servicegroup.is_up(hosts.member(host)):
        raise Conflict(f"Instance {server_id} is not ready: its host {host} is down")
    raw = await world.agents.ask(host, calls.ConsoleOutput(server_id=server_id, tail_bytes=LARGEST), timeout_s=30)
    # Terminals want carriage returns, readers of logs do not; what is no text is shown as a mark.
    return raw.decode("utf-8", errors="replace").replace("\r\n", "\n")
