"""Resource classes: kinds of things that are counted; the standard ones, and custom ones that operators add."""

from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.placement import changes
from minicloud.core.placement.names import CUSTOM, standard_resource_classes
from minicloud.engines.database import Transaction


class ResourceClass(records.Record, kw_only=True):
    """A custom resource class; a standard one has no row and no dates."""

    TABLE = "placement_resource_classes"
    KEY: ClassVar[tuple[str, ...]] = ("name",)
    MISSING: ClassVar[str] = "No such resource class {id}."

    name: str
    created_at: str | None = None
    updated_at: str | None = None


def listed(tx: Transaction) -> list[ResourceClass]:
    """All classes, the standard ones first."""
    standard = [ResourceClass(name=name) for name in standard_resource_classes()]
    return standard + records.select(tx, ResourceClass, "1 = 1 ORDER BY created_at, name")


def get(tx: Transaction, name: str) -> ResourceClass:
    """The class. Raises NotFound."""
    if name in standard_resource_classes():
        return ResourceClass(name=name)
    return records.get(tx, ResourceClass, name)


def require(tx: Transaction, names: list[str]) -> None:
    """Raises NotFound for the first of these that is no class."""
    standard = standard_resource_classes()
    for name in names:
        if name not in standard and records.find(tx, ResourceClass, name) is None:
            raise NotFound(f"No such resource class {name}.")


def create(tx: Transaction, name: str) -> ResourceClass:
    """A new custom class. Raises Conflict when it is there already."""
    if name in standard_resource_classes() or records.find(tx, ResourceClass, name) is not None:
        raise Conflict(f"Conflicting resource class already exists: {name}")
    trace.note("resource_class_created", name=name)
    return records.insert(tx, ResourceClass(name=name, created_at=tx.now, updated_at=tx.now))


def ensure(tx: Transaction, name: str) -> bool:
    """The custom class is there; whether it was created now."""
    if records.find(tx, ResourceClass, name) is not None:
        return False
    create(tx, name)
    return True


def rename(tx: Transaction, name: str, new_name: str) -> ResourceClass:
    """Another name for a custom class; inventories follow, and allocations with them (by the rule in their table).

    Raises NotFound, Invalid for a standard class, Conflict for a name in use.
    """
    found = get(tx, name)
    if not name.startswith(CUSTOM):
        raise Invalid(f"Cannot update standard resource class {name}")
    if new_name == name:
        return found
    if records.find(tx, ResourceClass, new_name) is not None:
        raise Conflict(f"Resource class already exists: {new_name}")
    holders = [
        row[0] for row in tx.all("SELECT provider_id FROM placement_inventories WHERE resource_class = ?", [name])
    ]
    tx.execute(
        "UPDATE placement_resource_classes SET name = ?, updated_at = ? WHERE name = ?", [new_name, tx.now, name]
    )
    tx.execute("UPDATE placement_inventories SET resource_class = ? WHERE resource_class = ?", [new_name, name])
    changes.record(tx, holders)
    return ResourceClass(name=new_name, created_at=found.created_at, updated_at=tx.now)


def delete(tx: Transaction, name: str) -> None:
    """Forget a custom class. Raises NotFound, Invalid for a standard one, Conflict while there is inventory of it."""
    get(tx, name)
    if not name.startswith(CUSTOM):
        raise Invalid(f"Error in delete resource class: Cannot delete standard resource class {name}.")
    if in_use(tx, name):
        raise Conflict(
            f"Error in delete resource class: Cannot delete resource class {name}. Class is in use in inventory."
        )
    tx.execute("DELETE FROM placement_resource_classes WHERE name = ?", [name])
    trace.note("resource_class_deleted", name=name)


def in_use(tx: Transaction, name: str) -> bool:
    """Whether any provider has inventory of the class."""
    return tx.one("SELECT 1 FROM placement_inventories WHERE resource_class = ? LIMIT 1", [name]) is not None
