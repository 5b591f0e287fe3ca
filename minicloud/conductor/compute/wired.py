"""The step that every start of a guest has: its networks and ports stand on its host."""

from minicloud.conductor.compute.taken import TakenServer, host_of
from minicloud.conductor.world import World


async def ensure_wired(saga: TakenServer, world: World) -> None:
    """All ports of the server are wired on its host. Nothing is undone: a server that is off keeps its ports."""
    await world.wiring.ensure_ports(await host_of(saga, world), saga.server_id)
