"""Volume types: what a volume promises to be, by name; every cloud has ``__DEFAULT__``."""

from collections.abc import Iterable
from typing import ClassVar

from minicloud.base.errors import NotFound
from minicloud.core import records
from minicloud.engines.database import Transaction

DEFAULT = "__DEFAULT__"
MULTIATTACH = "<is> True"


class VolumeType(records.Record, kw_only=True):
    """A volume type. ``extra_specs`` are what the backend is asked for."""

    TABLE = "volume_types"
    MISSING: ClassVar[str] = "Volume type {id} could not be found."

    id: str
    name: str
    description: str | None = None
    is_public: bool = True
    extra_specs: dict[str, str] = {}
    qos_specs_id: str | None = None
    created_at: str
    updated_at: str | None = None

    @property
    def multiattach(self) -> bool:
        """Whether several servers may have one volume of this type."""
        return self.extra_specs.get("multiattach") == MULTIATTACH


def ensure_default(tx: Transaction) -> VolumeType:
    """The type that volumes have when nobody says otherwise is there."""
    found = find_by_name(tx, DEFAULT)
    if found is not None:
        return found
    made = VolumeType(id=tx.ids.uuid(), name=DEFAULT, description="Default Volume Type", created_at=tx.now)
    return records.insert(tx, made)


def find_by_name(tx: Transaction, name: str) -> VolumeType | None:
    """The type of this name, or None."""
    found = records.select(tx, VolumeType, "name = ?", [name])
    return found[0] if found else None


def named(tx: Transaction, text: str) -> VolumeType:
    """A type by id, or else by name. Raises NotFound."""
    found = records.find(tx, VolumeType, text) or find_by_name(tx, text)
    if found is None:
        raise NotFound(f"Volume type {text} could not be found.")
    return found


def default_of(tx: Transaction) -> VolumeType:
    """The type of a volume for which nobody said one. Raises NotFound when an administrator deleted it."""
    return named(tx, DEFAULT)


def of(tx: Transaction, type_ids: Iterable[str | None]) -> dict[str, VolumeType]:
    """Types by id."""
    wanted = {type_id for type_id in type_ids if type_id is not None}
    return {found.id: found for found in records.select_in(tx, VolumeType, "id", wanted)} if wanted else {}
