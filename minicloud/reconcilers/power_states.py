"""Power states: what hosts see of their machines goes into the servers' records."""

from functools import partial

from minicloud.base import trace
from minicloud.base.errors import Conflict, NotFound
from minicloud.conductor.compute.stop_server import StopServer
from minicloud.conductor.host_reports import settle_power
from minicloud.core.compute import lifecycle, servers
from minicloud.core.compute.servers import Idle
from minicloud.engines.database import Transaction
from minicloud.reconcilers import reports
from minicloud.reconcilers.loop import Mending

WATCHED = (lifecycle.ACTIVE, lifecycle.STOPPED, lifecycle.PAUSED)
OFF = "shutdown"


class PowerStates:
    """As Nova's own periodic sync: a guest that is off makes its server SHUTOFF, one that runs though its server is SHUTOFF is
    stopped; servers with a task are left alone."""

    name = "power_states"

    async def mend(self, at: Mending) -> list[str]:
        # The records first: whatever moves a server after this moment moves its generation, and what was seen counts no more.
        idle = await at.world.database.read(servers.idle)
        mended: list[str] = []
        for host, report in (await reports.of_hosts(at)).items():
            seen = {machine.id: str(machine.power_state) for machine in report.machines}
            for server in idle.get(host, []):
                state = seen.get(server.id, OFF)
                if server.vm_state not in WATCHED or lifecycle.POWER_NUMBERS[state] == server.power_state:
                    continue
                told = await at.world.database.write(partial(_mend, at=at, server=server, seen=state))
                if told is not None:
                    mended.append(told)
        return mended


def _mend(tx: Transaction, *, at: Mending, server: Idle, seen: str) -> str | None:
    try:
        if server.vm_state == lifecycle.STOPPED and seen == "running":
            # The work is about a request of its own, so that it can be asked for as any other.
            with trace.about(request_id=f"req-{tx.ids.uuid()}", resource=server.id):
                taken, action_id = servers.seize(tx, server, "stop")
                claimed = taken.task_state or ""
                at.executor.begin(tx, StopServer(server_id=taken.id, action_id=action_id, claimed=claimed))
            return f"server {server.id}: running on {server.host} although it is stopped, so it is stopped again"
        return settle_power(tx, server.id, server.host, seen, generation=server.generation)
    except (Conflict, NotFound):
        # Somebody was faster: what the host saw is old.
        return None
