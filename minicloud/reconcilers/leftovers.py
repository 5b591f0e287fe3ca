"""Leftovers: whatever stands in the world, or in a table, for a server or image that is no more.

Undos and deletes leave nothing behind where they can reach; a host that was down could not be reached, and a process that
was killed between a commit and a file could not finish. What is being worked on (an open saga, a task) is left alone.
"""

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.conductor import log
from minicloud.core.compute import hosts, leftovers, migrations
from minicloud.core.image import uploads
from minicloud.core.volume import backups
from minicloud.engines.database import Transaction
from minicloud.reconcilers import cached_images, reports
from minicloud.reconcilers.loop import Mending

TRAVELLING = "move-"
"""How the keys of disks begin that are on their way to another host; the move's id follows."""


class Leftovers:
    """Removes machines, disks, wires, claims, ports, cached images and blobs that nothing accounts for."""

    name = "leftovers"

    async def mend(self, at: Mending) -> list[str]:
        mended: list[str] = []
        # Hosts are asked first and the records after: what came to be in between is in the records, and so is never left over.
        found = await reports.of_hosts(at)
        away = await at.world.database.read(hosts.forced_down)
        for host, report in found.items():
            if host in away:
                # Its servers may be on their way elsewhere: it is cleaned when somebody says that it is back.
                continue
            try:
                await _on_host(at, host, report, mended)
            except CloudError as error:
                trace.note("leftovers_stay", host=host, error=error.message)
        mended += await cached_images.mend(at, {host: report for host, report in found.items() if host not in away})
        return [*mended, *await at.world.database.write(_records), *await _blobs(at)]


async def _on_host(at: Mending, host: str, report: calls.HostReport, mended: list[str]) -> None:
    present = {machine.id for machine in report.machines} | set(report.disks)
    if not present and not report.fabric.ports:
        return

    def find(tx: Transaction) -> tuple[list[str], list[str]]:
        busy = _busy(tx)
        return (
            leftovers.strangers(tx, host, present, busy),
            leftovers.loose_ports(tx, host, report.fabric.ports, busy),
        )

    server_ids, port_ids = await at.world.database.read(find)
    for server_id in server_ids:
        await at.world.agents.ask(host, calls.EnsureServerGone(server_id=server_id))
        mended.append(f"server {server_id} had remains on {host}")
    for port_id in port_ids:
        await at.world.wiring.ensure_no_port(host, port_id)
        mended.append(f"port {port_id} had remains on {host}")


async def _blobs(at: Mending) -> list[str]:
    keys = await at.world.blobs.keys()
    mended = []
    for key in await at.world.database.read(lambda tx: uploads.leftover_blobs(tx, keys)):
        await at.world.blobs.delete(key)
        mended.append(f"blob {key} belonged to no image")
    for key in await at.world.database.read(lambda tx: backups.leftover_blobs(tx, keys)):
        await at.world.blobs.delete(key)
        mended.append(f"blob {key} belonged to no backup")
    travelling = {key: key[len(TRAVELLING) : len(TRAVELLING) + 36] for key in keys if key.startswith(TRAVELLING)}
    over = await at.world.database.read(lambda tx: migrations.closed(tx, travelling.values()))
    for key in (key for key, move in travelling.items() if move in over):
        await at.world.blobs.delete(key)
        mended.append(f"blob {key} was a disk on its way, and its move is over")
    return mended


def _records(tx: Transaction) -> list[str]:
    busy = _busy(tx)
    return [
        *(f"claim of {server_id} was never given back" for server_id in leftovers.free_claims(tx, busy)),
        *(f"place held for a move of {server_id} was never given back" for server_id in leftovers.free_held(tx, busy)),
        *(f"ports of {server_id} were never released" for server_id in leftovers.release_ports(tx, busy)),
    ]


def _busy(tx: Transaction) -> set[str]:
    """What open sagas are about: not to be touched."""
    return {row.resource for row in log.unfinished(tx)}
