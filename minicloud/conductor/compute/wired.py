"""The step that every start of a guest has: its networks and ports stand on its host."""

from minicloud.conductor.compute.taken import TakenServer, host_of
from minicloud.conductor.world import World
from minicloud.core.network import ports


async def ensure_wired(saga: TakenServer, world: World) -> None:
    """All ports of the server are wired on its host. Nothing is undone: a server that is off keeps its ports."""
    host = await host_of(saga, world)
    for port in await world.database.read(lambda tx: ports.of_server(tx, saga.server_id)):
        await world.wiring.ensure_port(host, port.id)
