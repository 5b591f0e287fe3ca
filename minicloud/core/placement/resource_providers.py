"""Resource providers: whoever has something to give, in trees."""

from typing import ClassVar

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.placement import changes
from minicloud.engines.database import Transaction

CONCURRENT = "placement.concurrent_update"
CHANGED_MEANWHILE = "Another thread concurrently updated the resource provider data. Please retry your update"


class ResourceProvider(records.Record, kw_only=True):
    """A provider. ``generation`` moves with its inventories, traits, allocations and (since 1.19) aggregates, not its name."""

    TABLE = "placement_providers"
    MISSING: ClassVar[str] = "No resource provider with uuid {id} found"

    id: str
    name: str
    generation: int = 0
    parent_id: str | None = None
    root_id: str
    created_at: str
    updated_at: str


def create(
    tx: Transaction, name: str, *, provider_id: str | None = None, parent_id: str | None = None
) -> ResourceProvider:
    """A new provider, a root unless it has a parent.

    Raises Invalid for a parent that does not exist or is itself, Conflict (``placement.duplicate_name``) for a name or id
    in use.
    """
    new_id = provider_id or tx.ids.uuid()
    root_id = new_id
    if parent_id is not None:
        if parent_id == new_id:
            raise _not_created(
                name,
                new_id,
                "parent provider UUID cannot be same as UUID. Please set parent provider UUID to None if there is no parent.",
            )
        parent = records.find(tx, ResourceProvider, parent_id)
        if parent is None:
            raise _not_created(name, new_id, "parent provider UUID does not exist.")
        root_id = parent.root_id
    if records.find(tx, ResourceProvider, new_id) is not None:
        raise _duplicate(f"uuid: {new_id}")
    if with_name(tx, name) is not None:
        raise _duplicate(f"name: {name}")
    provider = ResourceProvider(
        id=new_id, name=name, parent_id=parent_id, root_id=root_id, created_at=tx.now, updated_at=tx.now
    )
    records.insert(tx, provider)
    changes.record(tx, [new_id])
    trace.note("provider_created", provider=new_id, name=name, parent=parent_id)
    return provider


def get(tx: Transaction, provider_id: str) -> ResourceProvider:
    """The provider. Raises NotFound."""
    return records.get(tx, ResourceProvider, provider_id)


def with_name(tx: Transaction, name: str) -> ResourceProvider | None:
    """The provider of this name, if there is one."""
    found = records.select(tx, ResourceProvider, "name = ?", [name])
    return found[0] if found else None


def update(
    tx: Transaction,
    provider_id: str,
    name: str,
    *,
    parent_id: str | msgspec.UnsetType | None = msgspec.UNSET,
    reparenting: bool = True,
) -> ResourceProvider:
    """Rename, or move to another parent (None: become a root); without ``reparenting`` only a root may be given a parent.

    Raises NotFound, Invalid for a parent that does not exist, a loop, or a move that is not allowed, Conflict for a name in
    use.
    """
    provider = get(tx, provider_id)
    namesake = with_name(tx, name)
    if namesake is not None and namesake.id != provider_id:
        raise Conflict(f"Conflicting resource provider {name} already exists.", kind="placement.duplicate_name")
    moved: list[str] = []
    new_parent, new_root = provider.parent_id, provider.root_id
    if parent_id is None and provider.parent_id is not None:
        if not reparenting:
            raise _not_saved(provider_id, "update", "un-parenting a provider is not currently allowed.")
        new_parent, new_root = None, provider_id
        moved = subtree(tx, provider)
    elif isinstance(parent_id, str):
        parent = records.find(tx, ResourceProvider, parent_id)
        if parent is None:
            raise _not_saved(provider_id, "create", "parent provider UUID does not exist.")
        if provider.parent_id not in (None, parent_id) and not reparenting:
            raise _not_saved(provider_id, "update", "re-parenting a provider is not currently allowed.")
        moved = subtree(tx, provider)
        if parent_id in moved:
            raise _not_saved(provider_id, "update", "creating loop in the provider tree is not allowed.")
        new_parent, new_root = parent_id, parent.root_id
    tx.execute(
        "UPDATE placement_providers SET name = ?, parent_id = ?, updated_at = ? WHERE id = ?",
        [name, new_parent, tx.now, provider_id],
    )
    tx.many("UPDATE placement_providers SET root_id = ? WHERE id = ?", [(new_root, member) for member in moved])
    changes.record(tx, moved or [provider_id])
    trace.note("provider_updated", provider=provider_id, name=name, parent=new_parent)
    return provider.with_(name=name, parent_id=new_parent, root_id=new_root, updated_at=tx.now)


def delete(tx: Transaction, provider_id: str) -> None:
    """Forget a provider with its inventories. Raises NotFound; Conflict while it has children or allocations."""
    if records.find(tx, ResourceProvider, provider_id) is None:
        raise NotFound(f"No resource provider with uuid {provider_id} found for delete")
    if tx.one("SELECT 1 FROM placement_providers WHERE parent_id = ? LIMIT 1", [provider_id]) is not None:
        raise Conflict(
            f"Unable to delete parent resource provider {provider_id}: It has child resource providers.",
            kind="placement.resource_provider.cannot_delete_parent",
        )
    if tx.one("SELECT 1 FROM placement_allocations WHERE provider_id = ? LIMIT 1", [provider_id]) is not None:
        raise Conflict(
            f"Unable to delete resource provider {provider_id}: Resource provider has allocations.",
            kind="placement.resource_provider.inuse",
        )
    tx.execute("DELETE FROM placement_inventories WHERE provider_id = ?", [provider_id])
    tx.execute("DELETE FROM placement_provider_traits WHERE provider_id = ?", [provider_id])
    tx.execute("DELETE FROM placement_provider_aggregates WHERE provider_id = ?", [provider_id])
    tx.execute("DELETE FROM placement_providers WHERE id = ?", [provider_id])
    changes.record(tx, [provider_id])
    trace.note("provider_deleted", provider=provider_id)


def subtree(tx: Transaction, provider: ResourceProvider) -> list[str]:
    """The provider and all that stand below it."""
    children: dict[str | None, list[str]] = {}
    for member, parent in tx.all("SELECT id, parent_id FROM placement_providers WHERE root_id = ?", [provider.root_id]):
        children.setdefault(parent, []).append(member)
    found, at = [provider.id], 0
    while at < len(found):
        found += children.get(found[at], [])
        at += 1
    return found


def moved_on(tx: Transaction, provider: ResourceProvider) -> ResourceProvider:
    """The provider one generation later: what it has was changed. Raises Conflict if somebody else was quicker."""
    now = tx.now
    if (
        tx.execute(
            "UPDATE placement_providers SET generation = generation + 1, updated_at = ? WHERE id = ? AND generation = ?",
            [now, provider.id, provider.generation],
        )
        == 0
    ):
        raise Conflict(CHANGED_MEANWHILE, kind=CONCURRENT)
    changes.record(tx, [provider.id])
    return provider.with_(generation=provider.generation + 1, updated_at=now)


def expect_generation(provider: ResourceProvider, generation: int | None, message: str) -> None:
    """Raises Conflict (``placement.concurrent_update``) in these words unless the provider is of this generation."""
    if generation is not None and provider.generation != generation:
        raise Conflict(message, kind=CONCURRENT, generation=provider.generation, asked=generation)


def _not_created(name: str, provider_id: str, reason: str) -> Invalid:
    return Invalid(
        f'Unable to create resource provider "{name}", {provider_id}: Object action create failed because: {reason}'
    )


def _not_saved(provider_id: str, action: str, reason: str) -> Invalid:
    return Invalid(f"Unable to save resource provider {provider_id}: Object action {action} failed because: {reason}")


def _duplicate(what: str) -> Conflict:
    return Conflict(f"Conflicting resource provider {what} already exists.", kind="placement.duplicate_name")
