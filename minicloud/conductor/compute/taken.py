"""What the sagas of actions share: a server that was taken for an action is given back when the action fails."""

from minicloud.base.errors import Conflict, Unavailable, from_facts
from minicloud.conductor.step import Saga
from minicloud.conductor.world import World
from minicloud.core.compute import hosts, lifecycle, servers
from minicloud.core.compute.servers import Server
from minicloud.engines.database import Transaction


class TakenServer(Saga):
    """An action on a server: ``claimed`` is the task that was set when it was taken."""

    server_id: str
    action_id: int
    claimed: str

    @property
    def about(self) -> str:
        return self.server_id


def keep(tx: Transaction, saga: TakenServer, world: World) -> None:
    """The server was taken in the transaction that began this saga; it must not have been taken for deletion since."""
    server = servers.living(tx, saga.server_id)
    if server.task_state != saga.claimed:
        raise Conflict(f"Instance {saga.server_id} was taken for {server.task_state} before {saga.claimed} could begin")


def give_back(tx: Transaction, saga: TakenServer, world: World) -> None:
    """The server as it was, and the record says why."""
    error = None if saga.failed is None else from_facts(saga.failed)
    servers.give_back(tx, saga.server_id, saga.action_id, saga.claimed, error)


def give_back_in_error(tx: Transaction, saga: TakenServer, world: World) -> None:
    """As ``give_back``, for actions that leave a server without a guest: it ends in ERROR with a fault."""
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("The action was rolled back")
    servers.give_back(
        tx,
        saga.server_id,
        saga.action_id,
        saga.claimed,
        error,
        vm_state=lifecycle.ERROR,
        fault=servers.fault_of(tx, error),
    )


async def host_of(saga: TakenServer, world: World) -> str:
    """The host that the server lives on. Raises Unavailable when it is down or there is none."""
    server: Server = await world.database.read(lambda tx: servers.living(tx, saga.server_id))
    if server.host is None:
        raise Unavailable(f"Instance {saga.server_id} has no host")
    if not await world.servicegroup.is_up(hosts.member(server.host)):
        raise Unavailable(f"Host {server.host} of instance {saga.server_id} is down", host=server.host)
    return server.host
