"""Storage backends: their room is written down anew, and what lies there for a volume or snapshot that is no more is removed."""

from minicloud.agent import volume_calls
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.conductor import log
from minicloud.core.volume import backends, leftovers
from minicloud.core.volume.backends import Backend
from minicloud.engines.database import Transaction
from minicloud.reconcilers.loop import Mending


class StorageBackends:
    """Asks every backend that beats, and compares."""

    name = "storage_backends"

    async def mend(self, at: Mending) -> list[str]:
        mended: list[str] = []
        for backend in await at.world.database.read(backends.every):
            if backends.member(backend.host) in at.world.servicegroup.down:
                continue
            try:
                # Asked first, the records after: what came to be in between has a record, and so is never left over.
                report = await at.world.backends.ask(backend.host, volume_calls.ReportBackend(), timeout_s=30)
                await _on_backend(at, backend, report, mended)
            except CloudError as error:
                trace.note("leftovers_stay", host=backend.host, error=error.message)
        return mended


async def _on_backend(at: Mending, backend: Backend, report: volume_calls.BackendReport, mended: list[str]) -> None:
    def work(tx: Transaction) -> tuple[list[str], list[str]]:
        if (report.total_gb, report.free_gb) != (backend.total_gb, backend.free_gb):
            backends.register(tx, backend.host, driver=report.driver, total_gb=report.total_gb, free_gb=report.free_gb)
        busy = {row.resource for row in log.unfinished(tx)}
        return leftovers.strangers(tx, report.volumes, report.snapshots, busy)

    volume_ids, snapshot_ids = await at.world.database.write(work)
    for snapshot_id in snapshot_ids:
        await at.world.backends.ask(backend.host, volume_calls.EnsureNoSnapshot(snapshot_id=snapshot_id))
        mended.append(f"snapshot {snapshot_id} had remains on {backend.host}")
    for volume_id in volume_ids:
        await at.world.backends.ask(backend.host, volume_calls.EnsureNoVolume(volume_id=volume_id))
        mended.append(f"volume {volume_id} had remains on {backend.host}")
