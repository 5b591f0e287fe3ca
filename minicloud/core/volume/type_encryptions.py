"""How volumes of a type would be encrypted: kept as administrators say it. No volume is made of such a type without a key manager."""

from typing import Any, ClassVar

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.volume import types
from minicloud.core.volume.types import VolumeType
from minicloud.engines.database import Transaction


class TypeEncryption(records.Record, kw_only=True):
    """The encryption of a type's volumes. ``key_size`` in bits."""

    TABLE = "volume_type_encryptions"
    KEY: ClassVar[tuple[str, ...]] = ("volume_type_id",)

    volume_type_id: str
    encryption_id: str
    provider: str
    control_location: str
    cipher: str | None = None
    key_size: int | None = None
    created_at: str
    updated_at: str | None = None


def of(tx: Transaction, type_id: str) -> TypeEncryption | None:
    """The encryption of a type, or None."""
    return records.find(tx, TypeEncryption, type_id)


def create(tx: Transaction, found: VolumeType, **values: Any) -> TypeEncryption:
    """The type is an encrypted one. Raises Conflict when it is already, Invalid while a volume has it."""
    _require_unused(tx, found, "create")
    if of(tx, found.id) is not None:
        raise Conflict(f"Volume type encryption for type {found.id} already exists.")
    made = TypeEncryption(volume_type_id=found.id, encryption_id=tx.ids.uuid(), created_at=tx.now, **values)
    return records.insert(tx, made)


def change(tx: Transaction, found: VolumeType, **values: Any) -> None:
    """Other values. Raises NotFound, Invalid while a volume has the type."""
    _require_unused(tx, found, "update")
    records.change(tx, _existing(tx, found), **values, updated_at=tx.now)


def delete(tx: Transaction, found: VolumeType) -> None:
    """The type is in the clear. Raises NotFound, Invalid while a volume has it."""
    _require_unused(tx, found, "delete")
    records.remove(tx, _existing(tx, found))


def _existing(tx: Transaction, found: VolumeType) -> TypeEncryption:
    known = of(tx, found.id)
    if known is None:
        raise NotFound(f"Volume type encryption for type {found.id} does not exist.")
    return known


def _require_unused(tx: Transaction, found: VolumeType, verb: str) -> None:
    if of(tx, found.id) is not None and types.in_use(tx, found.id):
        raise Invalid(f"Cannot {verb} encryption specs. Volume type in use.")
