"""Leftovers: whatever stands in the world, or in a table, for a server or image that is no more.

Undos and deletes leave nothing behind where they can reach; a host that was down could not be reached, and a process that
was killed between a commit and a file could not finish. What is being worked on (an open saga, a task) is left alone.
"""

from collections.abc import Callable, Iterable

from minicloud.agent import calls
from minicloud.conductor import log
from minicloud.core.compute import hosts
from minicloud.core.image import uploads
from minicloud.core.network import ports
from minicloud.core.placement import allocations
from minicloud.engines.database import Transaction
from minicloud.reconcilers import reports
from minicloud.reconcilers.loop import Mending


class Leftovers:
    """Removes machines, disks, wires, claims, ports and blobs that nothing accounts for."""

    name = "leftovers"

    async def mend(self, at: Mending) -> list[str]:
        return [
            *await self._on_hosts(at),
            *await at.world.database.write(_records),
            *await self._blobs(at),
        ]

    async def _on_hosts(self, at: Mending) -> list[str]:
        mended = []
        for host, report in (await reports.of_hosts(at)).items():
            present = {machine.id for machine in report.machines} | set(report.disks)
            for server_id in sorted(await at.world.database.read(_strange(host, present))):
                await at.world.agents.ask(host, calls.EnsureServerGone(server_id=server_id))
                mended.append(f"server {server_id} had remains on {host}")
            for port_id in sorted(await at.world.database.read(_unwanted(host, report.fabric.ports))):
                await at.world.wiring.ensure_no_port(host, port_id)
                mended.append(f"port {port_id} had remains on {host}")
        return mended

    async def _blobs(self, at: Mending) -> list[str]:
        keys = await at.world.blobs.keys()
        mended = []
        for key in await at.world.database.read(lambda tx: uploads.leftover_blobs(tx, keys)):
            await at.world.blobs.delete(key)
            mended.append(f"blob {key} belonged to no image")
        return mended


def _busy(tx: Transaction) -> set[str]:
    """What open sagas are about: not to be touched."""
    return {row.resource for row in log.unfinished(tx)}


def _strange(host: str, present: Iterable[str]) -> Callable[[Transaction], set[str]]:
    def find(tx: Transaction) -> set[str]:
        known = {server_id for (server_id,) in tx.all("SELECT id FROM servers WHERE host = ? AND deleted = 0", [host])}
        return set(present) - known - _busy(tx)

    return find


def _unwanted(host: str, present: Iterable[str]) -> Callable[[Transaction], set[str]]:
    def find(tx: Transaction) -> set[str]:
        rows = tx.all("SELECT id, device_id FROM ports WHERE host = ?", [host])
        busy = _busy(tx)
        # A port whose row is gone may belong to a server that is being built or deleted this moment.
        return set() if busy else set(present) - {port_id for port_id, _ in rows}

    return find


def _records(tx: Transaction) -> list[str]:
    """Claims and ports of servers that are no more."""
    mended = []
    busy = _busy(tx)
    known = {node.uuid for node in hosts.nodes(tx)}
    rows = tx.all(
        "SELECT DISTINCT a.consumer_id, a.provider_id FROM placement_allocations a "
        "JOIN servers s ON s.id = a.consumer_id WHERE s.deleted = 1 OR s.host IS NULL"
    )
    for consumer_id, provider_id in rows:
        if consumer_id not in busy and provider_id in known:
            allocations.free(tx, consumer_id)
            mended.append(f"claim of {consumer_id} was never given back")
    gone = tx.all(
        "SELECT DISTINCT p.device_id FROM ports p JOIN servers s ON s.id = p.device_id "
        "WHERE s.deleted = 1 AND p.device_owner LIKE 'compute:%'"
    )
    for (server_id,) in gone:
        if server_id not in busy:
            ports.release_of_server(tx, server_id)
            mended.append(f"ports of {server_id} were never released")
    return mended
