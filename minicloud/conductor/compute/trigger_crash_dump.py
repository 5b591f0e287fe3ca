"""Let a guest's kernel crash, so that it writes its memory down where it was set up to: by a non-maskable interrupt."""

from minicloud.agent import calls
from minicloud.base.errors import Conflict, Unavailable, from_facts
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import actions, hosts, servers
from minicloud.engines.database import Transaction


class TriggerCrashDump(Saga):
    """The server is not taken: what its guest makes of the interrupt, nobody knows."""

    server_id: str
    action_id: int

    @property
    def about(self) -> str:
        return self.server_id

    @classmethod
    def steps(cls) -> Steps["TriggerCrashDump"]:
        return [Step("inject", act=ensure_injected, record=mark_injected, unrecord=mark_failed)]


async def ensure_injected(saga: TriggerCrashDump, world: World) -> None:
    """The interrupt has reached the guest, once or more."""
    server = await world.database.read(lambda tx: servers.living(tx, saga.server_id))
    if server.host is None or not await world.servicegroup.is_up(hosts.member(server.host)):
        raise Unavailable(f"Host {server.host} of instance {saga.server_id} is down")
    await world.agents.ask(server.host, calls.InjectNmi(server_id=saga.server_id), timeout_s=30)


def mark_injected(tx: Transaction, saga: TriggerCrashDump, world: World) -> None:
    """The action has ended."""
    server = servers.find(tx, saga.server_id)
    actions.finish(tx, saga.action_id, host=None if server is None else server.host)


def mark_failed(tx: Transaction, saga: TriggerCrashDump, world: World) -> None:
    """The record says why."""
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("Nothing was injected")
    actions.finish(tx, saga.action_id, host=None, error=error.message)
