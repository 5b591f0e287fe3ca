"""Types of groups: what a group of volumes promises to be."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.records import Query
from minicloud.engines.database import Transaction

CONSISTENT = "consistent_group_snapshot_enabled"
REPLICATED = ("group_replication_enabled", "consistent_group_replication_enabled")
TRUE = "<is> True"
CGSNAPSHOT = "default_cgsnapshot_type"
"""The type of consistency groups, which every cloud has; only their own, older calls know its groups."""


class GroupType(records.Record, kw_only=True):
    """A type of groups. ``group_specs`` are what the backend is asked for."""

    TABLE = "volume_group_types"
    MISSING: ClassVar[str] = "Group type {id} could not be found."

    id: str
    name: str
    description: str | None = None
    is_public: bool = True
    group_specs: dict[str, str] = {}
    created_at: str
    updated_at: str | None = None

    @property
    def possible(self) -> bool:
        """Whether a backend of this cloud can keep what the type promises: none keeps a second copy elsewhere."""
        return not any(self.group_specs.get(name) == TRUE for name in REPLICATED)

    @property
    def consistent(self) -> bool:
        """Whether snapshots of its groups are of one moment."""
        return self.group_specs.get(CONSISTENT) == TRUE


def ensure_cgsnapshot_type(tx: Transaction) -> GroupType:
    """The type of consistency groups is there."""
    found = _named(tx, CGSNAPSHOT)
    if found is not None:
        return found
    words = {"name": CGSNAPSHOT, "description": "Default group type for migrating cgsnapshot"}
    return create(tx, **words, is_public=True, specs={CONSISTENT: TRUE})


def cgsnapshot_type_id(tx: Transaction) -> str | None:
    """Which type consistency groups are of; None where somebody deleted it."""
    found = _named(tx, CGSNAPSHOT)
    return None if found is None else found.id


def check_generic(tx: Transaction, type_id: str, *, what: str = "group", calls: str = "CG") -> None:
    """A group of this type may be dealt with under that name. Raises Invalid for a consistency group."""
    if type_id == cgsnapshot_type_id(tx):
        raise Invalid(
            f"Group_type {type_id} is reserved for migrating CGs to groups. Migrated {what} can only be operated by "
            f"{calls} APIs."
        )


def find(tx: Transaction, type_id: str) -> GroupType | None:
    """A type, whoever asks."""
    return records.find(tx, GroupType, type_id)


def by_id(tx: Transaction, context: Context, type_id: str) -> GroupType:
    """A type that exists for whoever asks. Raises NotFound."""
    found = find(tx, type_id)
    if found is None or not (found.is_public or context.is_admin):
        raise GroupType.missing(type_id)
    return found


def get(tx: Transaction, context: Context, text: str) -> GroupType:
    """A type that exists for whoever asks, by id or else by name. Raises NotFound."""
    found = find(tx, text) or _named(tx, text)
    if found is None or not (found.is_public or context.is_admin):
        raise NotFound(f"Group type with name {text} could not be found.")
    return found


def _named(tx: Transaction, name: str) -> GroupType | None:
    found = records.select(tx, GroupType, "name = ?", [name])
    return found[0] if found else None


def page(tx: Transaction, query: Query) -> list[GroupType]:
    """Types that meet the query."""
    return records.page(tx, GroupType, query)


def create(
    tx: Transaction, *, name: str, description: str | None, is_public: bool, specs: Mapping[str, str]
) -> GroupType:
    """A new type. Raises Conflict when the name is taken."""
    _check_free(tx, name)
    made = GroupType(
        id=tx.ids.uuid(),
        name=name,
        description=description,
        is_public=is_public,
        group_specs=dict(specs),
        created_at=tx.now,
    )
    trace.note("group_type", id=made.id, name=name)
    return records.insert(tx, made)


def _check_free(tx: Transaction, name: str) -> None:
    if _named(tx, name) is not None:
        raise Conflict(f"Group Type {name} already exists.")


def change(
    tx: Transaction, found: GroupType, *, name: str | None, description: str | None, is_public: bool | None
) -> GroupType:
    """Change what is given. Raises Conflict when the name is taken."""
    if name is not None and name != found.name:
        _check_free(tx, name)
    wanted = {"name": name, "description": description, "is_public": is_public}
    changes = {field: value for field, value in wanted.items() if value is not None}
    return records.change(tx, found, **changes, updated_at=tx.now)


def delete(tx: Transaction, found: GroupType) -> None:
    """The type is gone. Raises Invalid while a group has it."""
    if tx.one("SELECT 1 FROM volume_groups WHERE group_type_id = ? LIMIT 1", [found.id]) is not None:
        raise Invalid("Target group type is still in use.")
    records.remove(tx, found)


def set_specs(tx: Transaction, found: GroupType, specs: Mapping[str, str], *, drop: Iterable[str] = ()) -> GroupType:
    """Other specs beside those that stay."""
    dropped = set(drop)
    kept = {key: value for key, value in {**found.group_specs, **specs}.items() if key not in dropped}
    return records.change(tx, found, group_specs=kept, updated_at=tx.now)
