"""Hosts that returned after their servers were evacuated: once nothing of these is left there, their old places are free."""

from functools import partial

from minicloud.core.compute import hosts, migrations, servers
from minicloud.core.compute.migrations import Migration
from minicloud.core.scheduler import moving
from minicloud.engines.database import Transaction
from minicloud.reconcilers import reports
from minicloud.reconcilers.loop import Mending


class Evacuated:
    """Ends evacuations. Runs after the reconciler of leftovers, which destroys what a returned host still has of their servers."""

    name = "evacuated"

    async def mend(self, at: Mending) -> list[str]:
        done = await at.world.database.read(lambda tx: migrations.in_state(tx, "done", "evacuation"))
        if not done:
            return []
        mended: list[str] = []
        away = await at.world.database.read(hosts.forced_down)
        for host, report in (await reports.of_hosts(at)).items():
            if host in away:
                continue
            present = {machine.id for machine in report.machines} | set(report.disks)
            for move in done:
                if move.source_compute == host and move.server_id not in present:
                    mended += await at.world.database.write(partial(_complete, move=move))
        return mended


def _complete(tx: Transaction, *, move: Migration) -> list[str]:
    if migrations.get(tx, move.uuid).status != "done":
        return []
    server = servers.find(tx, move.server_id)
    if server is not None and not server.deleted:
        if server.task_state is not None:
            # What it claims is about to change: in the next round.
            return []
        if server.host is not None:
            moving.keep_only(tx, server, server.host)
    migrations.move(tx, move.uuid, "completed")
    return [f"server {move.server_id} has nothing left on {move.source_compute}, from which it was evacuated"]
