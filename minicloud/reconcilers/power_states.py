"""Power states: what hosts see of their machines goes into the servers' records."""

from minicloud.conductor.host_reports import settle_power
from minicloud.core.compute import lifecycle, servers
from minicloud.engines.database import Transaction
from minicloud.reconcilers import reports
from minicloud.reconcilers.loop import Mending


class PowerStates:
    """As Nova's own periodic sync: a guest that is off makes its server SHUTOFF; servers with a task are left alone."""

    name = "power_states"

    async def mend(self, at: Mending) -> list[str]:
        mended: list[str] = []
        for host, report in (await reports.of_hosts(at)).items():
            seen = {machine.id: str(machine.power_state) for machine in report.machines}

            def differing(tx: Transaction, host: str = host, seen: dict[str, str] = seen) -> list[str]:
                return [
                    server.id
                    for server in servers.on_host(tx, host)
                    if server.task_state is None and _differs(server, seen.get(server.id, "shutdown"))
                ]

            for server_id in await at.world.database.read(differing):
                state = seen.get(server_id, "shutdown")

                def settle(
                    tx: Transaction, server_id: str = server_id, host: str = host, state: str = state
                ) -> str | None:
                    return settle_power(tx, server_id, host, state)

                told = await at.world.database.write(settle)
                if told is not None:
                    mended.append(told)
        return mended


def _differs(server: servers.Server, seen: str) -> bool:
    return server.vm_state in (lifecycle.ACTIVE, lifecycle.STOPPED, lifecycle.PAUSED) and (
        lifecycle.POWER_NUMBERS[seen] != server.power_state
    )
