"""Power on a server that was stopped."""

from minicloud.agent import calls
from minicloud.base.errors import NotFound
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, keep, mark_active
from minicloud.conductor.compute.wired import ensure_wired
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import hosts, servers


class StartServer(TakenServer):
    """From SHUTOFF to ACTIVE."""

    @classmethod
    def steps(cls) -> Steps["StartServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back),
            Step("wire", act=ensure_wired),
            Step("power_on", act=ensure_running, record=mark_active, undo=ensure_off),
        ]


async def ensure_running(saga: StartServer, world: World) -> None:
    """The guest runs, with the disks that it had."""
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    await world.agents.ask(await host_of(saga, world), calls.EnsureServer(server=spec), timeout_s=600)


async def ensure_off(saga: StartServer, world: World) -> None:
    """The guest is off, as its record says again; on a host that is down nobody can tell, and power states are compared later."""
    server = await world.database.read(lambda tx: servers.find(tx, saga.server_id))
    if server is None or server.deleted or server.host is None:
        return
    if await world.servicegroup.is_up(hosts.member(server.host)):
        try:
            await world.agents.ask(server.host, calls.EnsureServerShutdown(server_id=server.id, grace_s=0))
        except NotFound:
            # The host never made the machine: it is off.
            pass
