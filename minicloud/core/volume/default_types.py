"""Default types: the volume type that a project's volumes have when nobody says one."""

from typing import ClassVar

from minicloud.base.errors import NotFound
from minicloud.core import records
from minicloud.core.volume.types import VolumeType
from minicloud.engines.database import Transaction


class DefaultType(records.Record, kw_only=True):
    """A project's own default."""

    TABLE = "volume_default_types"
    KEY: ClassVar[tuple[str, ...]] = ("project_id",)

    project_id: str
    volume_type_id: str


def every(tx: Transaction) -> list[DefaultType]:
    """All projects' own defaults."""
    return records.select(tx, DefaultType, "1 = 1 ORDER BY project_id")


def get(tx: Transaction, project_id: str) -> DefaultType:
    """A project's own default. Raises NotFound."""
    found = records.find(tx, DefaultType, project_id)
    if found is None:
        raise NotFound(f"Default type for project {project_id} not found.")
    return found


def set_(tx: Transaction, project_id: str, found: VolumeType) -> DefaultType:
    """The project has this default from now on."""
    unset(tx, project_id)
    return records.insert(tx, DefaultType(project_id=project_id, volume_type_id=found.id))


def unset(tx: Transaction, project_id: str) -> None:
    """The project has the cloud's default again."""
    tx.execute("DELETE FROM volume_default_types WHERE project_id = ?", [project_id])
