"""Power off a server: ask the guest, and force it when it does not listen."""

from minicloud.agent import calls
from minicloud.conductor.compute.taken import TakenServer, give_back, host_of, keep, while_taken
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import lifecycle, servers
from minicloud.engines.database import Transaction


class StopServer(TakenServer):
    """From ACTIVE to SHUTOFF; the disks and the place on the host stay."""

    @classmethod
    def steps(cls) -> Steps["StopServer"]:
        return [
            Step("claim", record=keep, unrecord=give_back),
            Step("power_off", act=ensure_shutdown, record=mark_stopped),
        ]


async def ensure_shutdown(saga: StopServer, world: World) -> None:
    """The guest is off. The image's ``os_shutdown_timeout`` says how long it may take, as in Nova."""
    server = await world.database.read(lambda tx: servers.living(tx, saga.server_id))
    own = server.image_properties.properties.get("os_shutdown_timeout", "")
    grace_s = float(own) if own.isdigit() else world.options.shutdown_timeout
    host, message = await host_of(saga, world), calls.EnsureServerShutdown(server_id=saga.server_id, grace_s=grace_s)
    await while_taken(saga, world, lambda: world.agents.ask(host, message, timeout_s=grace_s + 60))


def mark_stopped(tx: Transaction, saga: StopServer, world: World) -> None:
    """It is off."""
    servers.settle(
        tx, saga.server_id, saga.action_id, saga.claimed, vm_state=lifecycle.STOPPED, power_state=lifecycle.SHUTDOWN
    )
