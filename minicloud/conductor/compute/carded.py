"""What the sagas about one network card share: the server goes on meanwhile, and no task of it is claimed, as in Nova."""

from minicloud.base.errors import Conflict, Unavailable
from minicloud.conductor.compute.woken import AboutServer
from minicloud.conductor.step import Saga
from minicloud.conductor.world import World
from minicloud.core.compute import hosts, servers
from minicloud.core.compute.servers import Server
from minicloud.engines.database import Transaction


class CardedServer(Saga):
    """A card of a server: the port it is plugged to."""

    server_id: str
    action_id: int
    port_id: str

    @property
    def about(self) -> str:
        return self.server_id


def unless_deleting(tx: Transaction, saga: AboutServer) -> Server:
    """The server. Raises NotFound, Conflict when it is being deleted: that takes its cards along."""
    server = servers.living(tx, saga.server_id)
    if server.task_state == "deleting":
        raise Conflict(f"Instance {saga.server_id} is being deleted", kind="deleting")
    return server


async def host_of(saga: AboutServer, world: World) -> str:
    """The host that the server lives on. Raises Unavailable when it is down or there is none."""
    server = await world.database.read(lambda tx: servers.living(tx, saga.server_id))
    if server.host is None:
        raise Unavailable(f"Instance {saga.server_id} has no host")
    if not await world.servicegroup.is_up(hosts.member(server.host)):
        raise Unavailable(f"Host {server.host} of instance {saga.server_id} is down", host=server.host)
    return server.host
