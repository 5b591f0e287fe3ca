"""Stories of the sagas of backups: one is made, restored, deleted; or nothing of it is left."""

from contextlib import AsyncExitStack
from typing import Any

from minicloud.conductor.executor import Executor
from minicloud.conductor.volume.create_backup import CreateBackup
from minicloud.conductor.volume.delete_backup import DeleteBackup
from minicloud.conductor.volume.restore_backup import RestoreBackup
from minicloud.core import records
from minicloud.core.volume import backups, volumes
from minicloud.core.volume.backups import Backup
from minicloud.engines.database import Transaction
from tests.support.datacenters import OWNER
from tests.support.volume_stories import VolumeStory, only_volume
from tests.support.worlds import Outside


def promise(tx: Transaction, executor: Executor) -> str:
    volume = only_volume(tx)
    made = backups.ask(tx, OWNER, volume, None, incremental=False, force=False)
    assert volume.host is not None
    return executor.begin(tx, CreateBackup(backup_id=made.id, volume_id=volume.id, host=volume.host))


class Making(VolumeStory):
    given = "volume"

    async def begin(self, executor: Executor) -> str:
        return await executor.world.database.write(lambda tx: promise(tx, executor))

    async def picture(self, outside: Outside) -> Any:
        found = await outside.database.read(lambda tx: records.select(tx, Backup, "1 = 1 ORDER BY created_at, id"))
        states = [(one.status, one.object_count, one.format, bool(one.fail_reason)) for one in found]
        return states, await super().picture(outside)

    def is_finished(self, before: Any, after: Any) -> bool:
        states, picture = after
        return bool(
            states == [("available", 1, "raw", False)]
            and picture.volumes == before[1].volumes
            and picture.blobs == before[1].blobs + 2
            and (picture.stored_volumes, picture.stored_snapshots) == (1, 0)
        )

    def is_clean(self, before: Any, after: Any) -> bool:
        return bool(after[0] == [("error", 0, "", True)] and after[1] == before[1])


class WithBackup(Making):
    """A backup is there before."""

    async def outside(self, stack: AsyncExitStack) -> Outside:
        outside = await super().outside(stack)
        async with Executor(outside.world(), [CreateBackup]) as making:
            await outside.database.write(lambda tx: promise(tx, making))
            await making.idle()
        return outside


class Restoring(WithBackup):
    async def begin(self, executor: Executor) -> str:
        def work(tx: Transaction) -> str:
            [backup], volume = records.select(tx, Backup), only_volume(tx)
            backups.take_for_restore(tx, backup, volume)
            return executor.begin(tx, RestoreBackup(backup_id=backup.id, volume_id=volume.id))

        return await executor.world.database.write(work)

    def is_finished(self, before: Any, after: Any) -> bool:
        return bool(after == before)

    def is_clean(self, before: Any, after: Any) -> bool:
        (status, *rest), *others = after[1].volumes
        return bool(
            after[0] == before[0]
            and status == backups.ERROR_RESTORING
            and [(volumes.AVAILABLE, *rest), *others] == before[1].volumes
            and after[1].blobs == before[1].blobs
        )


class Deleting(WithBackup):
    async def begin(self, executor: Executor) -> str:
        def work(tx: Transaction) -> str:
            [backup] = records.select(tx, Backup)
            backups.take_for_deletion(tx, backup, force=False)
            return executor.begin(tx, DeleteBackup(backup_id=backup.id))

        return await executor.world.database.write(work)

    def is_finished(self, before: Any, after: Any) -> bool:
        return bool(after[0] == [] and after[1].blobs == before[1].blobs - 2)
