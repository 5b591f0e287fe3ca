"""Delete a backup: its bytes go with the last record that has them."""

from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume import backup_data
from minicloud.conductor.world import World
from minicloud.core.volume import backups
from minicloud.core.volume.backups import Backup
from minicloud.engines.database import Transaction


class DeleteBackup(Saga):
    """The backup was taken for deletion in the transaction that began this."""

    backup_id: str

    @property
    def about(self) -> str:
        return self.backup_id

    @classmethod
    def steps(cls) -> Steps["DeleteBackup"]:
        return [Step("remove", act=ensure_no_data, final=True), Step("forget", record=forget)]


async def ensure_no_data(saga: DeleteBackup, world: World) -> None:
    """Its bytes are gone, unless an imported record has them too."""

    def look(tx: Transaction) -> Backup | None:
        backup = backups.find(tx, saga.backup_id)
        return None if backup is None or backups.shared(tx, backup) else backup

    alone = await world.database.read(look)
    if alone is not None:
        await backup_data.ensure_none(world.blobs, alone.data_id)


def forget(tx: Transaction, saga: DeleteBackup, world: World) -> None:
    """Nothing is left of it."""
    backups.forget(tx, saga.backup_id)
