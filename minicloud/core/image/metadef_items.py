"""What is in a metadata definitions' namespace: objects, properties and tags, alike but for what their bodies say."""

from collections.abc import Sequence
from typing import Any, Literal

from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound
from minicloud.core import records
from minicloud.core.image.metadef_namespaces import Namespace
from minicloud.core.records import AnyOf, Condition, Query
from minicloud.engines.database import Transaction

Kind = Literal["object", "property", "tag"]
SORT_KEYS = ("name", "created_at", "updated_at", "id")


class Item(records.Record, kw_only=True):
    """One object, property or tag. ``body`` is all of it but the name, as clients gave it."""

    TABLE = "metadef_items"

    id: str
    namespace_id: str
    kind: str
    name: str
    body: dict[str, Any] = {}
    created_at: str
    updated_at: str


def of_namespace(tx: Transaction, namespace: Namespace, kind: Kind) -> list[Item]:
    """All of a kind, the oldest first."""
    return records.select(tx, Item, "namespace_id = ? AND kind = ? ORDER BY created_at, name", [namespace.id, kind])


def page(
    tx: Transaction, namespace: Namespace, kind: Kind, *, sort: tuple[str, bool], limit: int | None, marker: str | None
) -> list[Item]:
    """One page of a kind. ``marker`` is a name. Raises NotFound when nothing has it, Invalid for a sort key that is none."""
    if sort[0] not in SORT_KEYS:
        raise Invalid(f"Sort key supplied was not valid: {sort[0]}", kind="sort_key")
    where: list[Condition | AnyOf] = [Condition("namespace_id", "=", namespace.id), Condition("kind", "=", kind)]
    after = None if marker is None else get(tx, namespace, kind, marker).id
    order = [sort, *([("created_at", sort[1])] if sort[0] != "created_at" else [])]
    return records.page(tx, Item, Query(where=where, sort=order, limit=limit, marker=after))


def _find(tx: Transaction, namespace: Namespace, kind: Kind, name: str) -> Item | None:
    found = records.select(tx, Item, "namespace_id = ? AND kind = ? AND name = ?", [namespace.id, kind, name])
    return found[0] if found else None


def get(tx: Transaction, namespace: Namespace, kind: Kind, name: str) -> Item:
    """One of a kind. Raises NotFound."""
    found = _find(tx, namespace, kind, name)
    if found is None:
        raise NotFound(
            f"The metadata definition {kind} with name={name} was not found in namespace={namespace.namespace}."
        )
    return found


def add(tx: Transaction, namespace: Namespace, kind: Kind, name: str, body: dict[str, Any] | None = None) -> Item:
    """A new one. Raises Conflict when the name is taken."""
    if _find(tx, namespace, kind, name) is not None:
        raise _taken(namespace, kind, name)
    made = Item(
        id=tx.ids.uuid(),
        namespace_id=namespace.id,
        kind=kind,
        name=name,
        body=body or {},
        created_at=tx.now,
        updated_at=tx.now,
    )
    return records.insert(tx, made)


def replace_tags(tx: Transaction, namespace: Namespace, names: Sequence[str], *, append: bool) -> list[Item]:
    """These tags, beside those that are there or in their place. Raises Conflict for a name that comes twice."""
    if names and not append:
        remove_all(tx, namespace, "tag")
    return [add(tx, namespace, "tag", name) for name in names]


def change(tx: Transaction, namespace: Namespace, item: Item, name: str, body: dict[str, Any]) -> Item:
    """Another name and body. Raises Conflict when the name is taken."""
    kind: Any = item.kind
    if name != item.name and _find(tx, namespace, kind, name) is not None:
        raise _taken(namespace, kind, name)
    return records.change(tx, item, name=name, body=body, updated_at=tx.now)


def remove(tx: Transaction, namespace: Namespace, item: Item) -> None:
    """It is gone. Raises Forbidden in a protected namespace."""
    if namespace.protected:
        raise Forbidden(f"Metadata definition {item.kind} {item.name} is protected and cannot be deleted.")
    records.remove(tx, item)


def remove_all(tx: Transaction, namespace: Namespace, kind: Kind) -> None:
    """All of a kind are gone."""
    tx.execute("DELETE FROM metadef_items WHERE namespace_id = ? AND kind = ?", [namespace.id, kind])


def _taken(namespace: Namespace, kind: Kind, name: str) -> Conflict:
    what = "metadata tag" if kind == "tag" else f"metadata definition {kind}"
    note = " (Please note that metadata tag names are case insensitive)." if kind == "tag" else ""
    return Conflict(f"A {what} with name={name} already exists in namespace={namespace.namespace}.{note}")
