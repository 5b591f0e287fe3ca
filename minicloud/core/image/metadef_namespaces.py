"""Metadata definitions' namespaces: who sees them, how they come, change and go with all that is in them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.records import AnyOf, Condition, Query
from minicloud.engines.database import Transaction

SORT_KEYS = ("namespace", "display_name", "visibility", "owner", "protected", "created_at", "updated_at", "id")


class Namespace(records.Record, kw_only=True):
    """A namespace. ``namespace`` is its name, by which clients know it."""

    TABLE = "metadef_namespaces"

    id: str
    namespace: str
    display_name: str | None = None
    description: str | None = None
    visibility: str = "private"
    protected: bool = False
    owner: str | None = None
    created_at: str
    updated_at: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing asks for; ``resource_types`` None: whatever a namespace is meant for."""

    visibility: str | None = None
    resource_types: Sequence[str] | None = None
    sort: tuple[str, bool] = ("created_at", True)
    limit: int = 25
    marker: str | None = None


def visible(context: Context, namespace: Namespace) -> bool:
    """Whether the namespace exists for whoever asks."""
    if context.is_admin or namespace.owner is None or namespace.visibility == "public":
        return True
    return context.project_id is not None and namespace.owner == context.project_id


def find(tx: Transaction, name: str) -> Namespace | None:
    """The namespace of this name, whoever asks."""
    found = records.select(tx, Namespace, "namespace = ?", [name])
    return found[0] if found else None


def get(tx: Transaction, context: Context, name: str) -> Namespace:
    """A namespace that exists for whoever asks. Raises NotFound."""
    found = find(tx, name)
    if found is None:
        raise NotFound(f"Metadata definition namespace={name} was not found.")
    if not visible(context, found):
        raise NotFound(f"Namespace {name} not found")
    return found


def page(tx: Transaction, context: Context, wanted: Wanted) -> list[Namespace]:
    """One page of namespaces. Raises NotFound for a marker that names none, Invalid for a sort key that is none."""
    if wanted.sort[0] not in SORT_KEYS:
        raise Invalid(f"Sort key supplied was not valid: {wanted.sort[0]}", kind="sort_key")
    where: list[Condition | AnyOf] = []
    if not context.is_admin:
        ways: list[Any] = [Condition("visibility", "=", "public")]
        if context.project_id is not None:
            ways.append(Condition("owner", "=", context.project_id))
        where.append(AnyOf(ways))
    if wanted.visibility is not None:
        where.append(Condition("visibility", "=", wanted.visibility))
    if wanted.resource_types is not None:
        where.append(Condition("id", "in", _meant_for(tx, wanted.resource_types)))
    marker = None if wanted.marker is None else get(tx, context, wanted.marker).id
    sort = [wanted.sort, *([("created_at", wanted.sort[1])] if wanted.sort[0] != "created_at" else [])]
    return records.page(tx, Namespace, Query(where=where, sort=sort, limit=wanted.limit, marker=marker))


def _meant_for(tx: Transaction, resource_types: Sequence[str]) -> list[str]:
    rows = tx.all("SELECT name, namespace_id FROM metadef_associations")
    return [str(namespace_id) for name, namespace_id in rows if name in resource_types]


def create(tx: Transaction, *, namespace: str, owner: str | None, **values: Any) -> Namespace:
    """A new, empty namespace. Raises Conflict when the name is taken."""
    if find(tx, namespace) is not None:
        raise Conflict(f"The metadata definition namespace={namespace} already exists.")
    made = Namespace(id=tx.ids.uuid(), namespace=namespace, owner=owner, created_at=tx.now, updated_at=tx.now, **values)
    return records.insert(tx, made)


def change(tx: Transaction, found: Namespace, *, namespace: str, **values: Any) -> Namespace:
    """Everything about the namespace anew. Raises Conflict when the new name is taken."""
    if namespace != found.namespace and find(tx, namespace) is not None:
        raise Conflict(
            "Invalid update. It would result in a duplicate metadata definition namespace with the same name of "
            f"{namespace}"
        )
    return records.change(tx, found, namespace=namespace, **values, updated_at=tx.now)


def require_unprotected(found: Namespace) -> None:
    """Raises Forbidden: nothing of a protected namespace is deleted."""
    if found.protected:
        raise Forbidden(f"Metadata definition namespace {found.namespace} is protected and cannot be deleted.")


def delete(tx: Transaction, found: Namespace) -> None:
    """The namespace and all that is in it. Raises Forbidden when it is protected."""
    require_unprotected(found)
    tx.execute("DELETE FROM metadef_items WHERE namespace_id = ?", [found.id])
    tx.execute("DELETE FROM metadef_associations WHERE namespace_id = ?", [found.id])
    records.remove(tx, found)
