"""Give a volume what a backup holds: a new volume, or one whose own content is lost; or it says ``error_restoring``."""

from minicloud.agent import volume_calls
from minicloud.agent.calls import ImageSource
from minicloud.base import trace
from minicloud.base.errors import Conflict
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume import backup_data
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.volume.told import RESTORE, tell
from minicloud.conductor.world import World
from minicloud.core.volume import backends, backups, messages, types, volumes
from minicloud.core.volume.backups import Backup
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

WHOLE = ".whole"
_PATIENCE_S = 3600


class RestoreBackup(Saga):
    """Backup and volume were taken in the transaction that began this."""

    backup_id: str
    volume_id: str
    host: str | None = None
    checksum: str = ""
    size: int = 0

    @property
    def about(self) -> str:
        return self.volume_id

    @classmethod
    def steps(cls) -> Steps["RestoreBackup"]:
        return [
            Step("place", record=place, unrecord=mark_error),
            Step("assemble", act=ensure_whole, undo=ensure_no_whole),
            Step("write", act=ensure_written),
            Step("tidy", act=ensure_no_whole),
            Step("publish", record=mark_available),
        ]


def place(tx: Transaction, saga: RestoreBackup, world: World) -> None:
    """A new volume goes where there is most room."""
    volume = volumes.existing(tx, saga.volume_id)
    if volume.status != backups.RESTORING_VOLUME:
        raise Conflict(f"Volume {volume.id} became {volume.status} before the backup was restored", kind="taken")
    if volume.host is None:
        found = backends.choose(
            tx,
            size_gb=volume.size,
            zone=volume.zone,
            extra_specs=types.specs_of(tx, volume.volume_type_id),
            is_up=lambda name: backends.member(name) not in world.servicegroup.down,
        )
        volume = volumes.change(tx, volume, host=found.pool_host)
    saga.host = volume.host


async def ensure_whole(saga: RestoreBackup, world: World) -> None:
    """What the backup stands for lies in the store in one piece."""

    def look(tx: Transaction) -> list[Backup]:
        return backups.chain(tx, backups.existing(tx, saga.backup_id))

    chain = await world.database.read(look)
    await world.blobs.delete(_whole(saga))
    facts = await world.blobs.put(_whole(saga), backup_data.whole(world.blobs, [one.data_id for one in chain]))
    saga.checksum, saga.size = facts.sha512, facts.size
    trace.note("backup_whole", backup=saga.backup_id, bytes=facts.size, of=len(chain))


async def ensure_no_whole(saga: RestoreBackup, world: World) -> None:
    """What was only needed on the way is gone."""
    await world.blobs.delete(_whole(saga))


async def ensure_written(saga: RestoreBackup, world: World) -> None:
    """The volume holds what the backup holds, and nothing else."""
    assert saga.host is not None

    def look(tx: Transaction) -> tuple[Volume, Backup]:
        return volumes.existing(tx, saga.volume_id), backups.existing(tx, saga.backup_id)

    volume, backup = await world.database.read(look)
    source = ImageSource(blob=_whole(saga), checksum=saga.checksum, format=backup.format, size=saga.size)
    await ask(world, saga.host, volume_calls.EnsureNoVolume(volume_id=volume.id), timeout_s=_PATIENCE_S)
    made = volume_calls.EnsureVolume(volume_id=volume.id, size_gb=volume.size, image=source, shared=volume.multiattach)
    await ask(world, saga.host, made, timeout_s=_PATIENCE_S)


def mark_available(tx: Transaction, saga: RestoreBackup, world: World) -> None:
    """Both are their owner's again; the volume says of itself what its original said."""
    backup = backups.existing(tx, saga.backup_id)
    volume = volumes.existing(tx, saga.volume_id)
    volumes.settle(
        tx,
        saga.volume_id,
        [backups.RESTORING_VOLUME],
        status=volumes.AVAILABLE,
        bootable=backup.bootable,
        image_metadata=backup.image_metadata or volume.image_metadata,
        metadata={**volume.metadata, **backup.volume_metadata},
        launched_at=volume.launched_at or tx.now,
    )
    backups.settle(tx, saga.backup_id, [backups.RESTORING], status=backups.AVAILABLE)


def mark_error(tx: Transaction, saga: RestoreBackup, world: World) -> None:
    """The volume stays in ``error_restoring``; the backup is as it was."""
    volume = volumes.find(tx, saga.volume_id)
    if volume is not None and volume.status == backups.RESTORING_VOLUME:
        tell(tx, saga, volume.project_id, messages.BACKUP, saga.backup_id, RESTORE)
    volumes.settle(tx, saga.volume_id, [backups.RESTORING_VOLUME], status=backups.ERROR_RESTORING)
    backups.settle(tx, saga.backup_id, [backups.RESTORING], status=backups.AVAILABLE)


def _whole(saga: RestoreBackup) -> str:
    return f"{backup_data.key(saga.backup_id)}{WHOLE}"
