"""Make a backup: the volume's bytes, or those that changed, are kept where they outlive it; or nothing is, and it says why."""

from minicloud.agent import volume_calls
from minicloud.base import trace
from minicloud.base.errors import Conflict, from_facts
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume import backup_data
from minicloud.conductor.volume.backends import ask, clean
from minicloud.conductor.volume.create_snapshot import CreateSnapshot, ensure_frozen
from minicloud.conductor.volume.told import BACK_UP, tell
from minicloud.conductor.world import World
from minicloud.core.volume import backends, backups, messages, snapshots, volumes
from minicloud.core.volume.backups import Backup
from minicloud.engines.database import Transaction

EXPORT = ".export"
_PATIENCE_S = 3600


class CreateBackup(Saga):
    """The backup's record was written, and its volume or snapshot taken, in the transaction that began this.

    What is in use, or a snapshot, is copied by way of a volume that is made of it and bears the backup's id.
    """

    backup_id: str
    volume_id: str
    host: str
    snapshot_id: str | None = None
    in_use: bool = False
    chunks: int = 0
    format: str = "qcow2"

    @property
    def about(self) -> str:
        return self.backup_id

    @classmethod
    def steps(cls) -> Steps["CreateBackup"]:
        return [
            Step("claim", record=claim, unrecord=mark_error),
            Step("export", act=ensure_exported, undo=ensure_no_export),
            Step("keep", act=ensure_kept, undo=ensure_nothing_kept),
            Step("tidy", act=ensure_no_export),
            Step("publish", record=mark_available),
        ]


def claim(tx: Transaction, saga: CreateBackup, world: World) -> None:
    """It was not taken for deletion since it was promised."""
    if backups.existing(tx, saga.backup_id).status != backups.CREATING:
        raise Conflict(f"Backup {saga.backup_id} was taken for something else before it was made", kind="taken")
    backend = backends.of_host(tx, saga.host)
    # Simulated volumes hold no bytes that another format could be made of.
    saga.format = "raw" if backend is not None and backend.driver == "fake" else "qcow2"


async def ensure_exported(saga: CreateBackup, world: World) -> None:
    """The volume's bytes of one moment are in the store."""
    source = saga.volume_id
    if saga.in_use or saga.snapshot_id is not None:
        snapshot_id = saga.snapshot_id or saga.backup_id
        if saga.snapshot_id is None:
            frozen = CreateSnapshot(snapshot_id=snapshot_id, volume_id=saga.volume_id, host=saga.host)
            await ensure_frozen(frozen, world)
        size = (await world.database.read(lambda tx: backups.existing(tx, saga.backup_id))).size
        made = volume_calls.EnsureVolume(volume_id=saga.backup_id, size_gb=size, snapshot_id=snapshot_id)
        await ask(world, saga.host, made, timeout_s=_PATIENCE_S)
        source = saga.backup_id
    export = volume_calls.ExportVolume(volume_id=source, blob=_export(saga), format=saga.format)
    done = await ask(world, saga.host, export, timeout_s=_PATIENCE_S)
    trace.note("volume_exported", volume=saga.volume_id, backup=saga.backup_id, bytes=done.size)


async def ensure_no_export(saga: CreateBackup, world: World) -> None:
    """What was only needed on the way is gone; a backend that is down is cleaned by the reconciler when it returns."""
    await world.blobs.delete(_export(saga))
    await clean(world, saga.host, volume_calls.EnsureNoVolume(volume_id=saga.backup_id))
    if saga.snapshot_id is None and saga.in_use:
        await clean(world, saga.host, volume_calls.EnsureNoSnapshot(snapshot_id=saga.backup_id))


async def ensure_kept(saga: CreateBackup, world: World) -> None:
    """The bytes are kept in chunks, those of an older backup left out."""

    def look(tx: Transaction) -> tuple[Backup, list[str]]:
        backup = backups.existing(tx, saga.backup_id)
        return backup, [one.data_id for one in backups.chain(tx, backup)[:-1]]

    backup, parents = await world.database.read(look)
    kept = await backup_data.ensure_kept(world.blobs, _export(saga), backup.data_id, parents)
    saga.chunks = kept.chunks
    trace.note("backup_kept", backup=backup.id, chunks=kept.chunks, bytes=kept.size, on=len(parents))


async def ensure_nothing_kept(saga: CreateBackup, world: World) -> None:
    """Nothing of it is kept."""
    await backup_data.ensure_none(world.blobs, saga.backup_id)


def mark_available(tx: Transaction, saga: CreateBackup, world: World) -> None:
    """It can be restored; the volume is its owner's again."""
    backups.settle(
        tx,
        saga.backup_id,
        [backups.CREATING],
        status=backups.AVAILABLE,
        object_count=saga.chunks,
        format=saga.format,
        container=backups.existing(tx, saga.backup_id).container or backups.CONTAINER,
    )
    _give_back(tx, saga)


def mark_error(tx: Transaction, saga: CreateBackup, world: World) -> None:
    """The record stays in ``error`` and says why; the volume is its owner's again."""
    why = "it was rolled back" if saga.failed is None else from_facts(saga.failed).message
    backup = backups.find(tx, saga.backup_id)
    if backup is not None and backup.status == backups.CREATING:
        tell(tx, saga, backup.project_id, messages.BACKUP, backup.id, BACK_UP)
    backups.settle(tx, saga.backup_id, [backups.CREATING], status=backups.ERROR, fail_reason=why[:255])
    _give_back(tx, saga)


def _give_back(tx: Transaction, saga: CreateBackup) -> None:
    if saga.snapshot_id is not None:
        snapshots.settle(tx, saga.snapshot_id, [backups.BACKING_UP], snapshots.AVAILABLE)
    else:
        before = volumes.IN_USE if saga.in_use else volumes.AVAILABLE
        volumes.settle(tx, saga.volume_id, [backups.BACKING_UP], status=before, previous_status=backups.BACKING_UP)


def _export(saga: CreateBackup) -> str:
    return f"{backup_data.key(saga.backup_id)}{EXPORT}"
