"""How long hosts have been up, asked of them all at once."""

from collections.abc import Iterable

import anyio

from minicloud.agent import calls
from minicloud.base.errors import CloudError
from minicloud.conductor.world import World
from minicloud.core.compute import hosts

PATIENCE_S = 5.0


async def uptimes(world: World, names: Iterable[str]) -> dict[str, str]:
    """What each host says; one that is down or does not answer in time is left out."""
    found: dict[str, str] = {}

    async def ask(host: str) -> None:
        if not await world.servicegroup.is_up(hosts.member(host)):
            return
        try:
            found[host] = await world.agents.ask(host, calls.HostUptime(), timeout_s=PATIENCE_S)
        except CloudError:
            return

    async with anyio.create_task_group() as group:
        for host in names:
            group.start_soon(ask, host)
    return found
