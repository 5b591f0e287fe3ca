"""Resource types that metadata definitions are meant for, and which namespace is meant for which."""

from typing import Any, ClassVar

from minicloud.base.errors import Conflict, Forbidden, NotFound
from minicloud.core import records
from minicloud.core.image.metadef_namespaces import Namespace
from minicloud.engines.database import Transaction

EVERYWHERE = ("OS::Glance::Image", "OS::Cinder::Volume", "OS::Nova::Flavor", "OS::Nova::Aggregate", "OS::Nova::Server")
"""Types that every cloud knows from its first start on: those of upstream's that there are here."""


class ResourceType(records.Record, kw_only=True):
    """A type of resources, by Heat's name. It stays when no namespace is meant for it any more."""

    TABLE = "metadef_resource_types"
    KEY: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    created_at: str
    updated_at: str


class Association(records.Record, kw_only=True):
    """A namespace is meant for a type of resources. ``prefix`` stands before its properties' names there."""

    TABLE = "metadef_associations"
    KEY: ClassVar[tuple[str, ...]] = ("namespace_id", "name")

    namespace_id: str
    name: str
    prefix: str | None = None
    properties_target: str | None = None
    created_at: str
    updated_at: str


def bootstrap(tx: Transaction) -> None:
    """Every cloud knows the types that it has; at later starts only what is missing."""
    known = {found.name for found in all_types(tx)}
    for name in EVERYWHERE:
        if name not in known:
            records.insert(tx, ResourceType(name=name, created_at=tx.now, updated_at=tx.now))


def all_types(tx: Transaction) -> list[ResourceType]:
    """Every type that a namespace is or was meant for."""
    return records.select(tx, ResourceType, "1 = 1 ORDER BY created_at, name")


def of_namespace(tx: Transaction, namespace: Namespace) -> list[Association]:
    """What the namespace is meant for."""
    return records.select(tx, Association, "namespace_id = ? ORDER BY created_at, name", [namespace.id])


def get(tx: Transaction, namespace: Namespace, name: str) -> Association:
    """How the namespace is meant for a type. Raises NotFound."""
    found = records.find(tx, Association, namespace.id, name)
    if found is None:
        raise NotFound(
            f"The metadata definition resource-type association of resource-type={name} to "
            f"namespace={namespace.namespace}, was not found."
        )
    return found


def associate(tx: Transaction, namespace: Namespace, name: str, **values: Any) -> Association:
    """The namespace is meant for the type, which comes to be where it was unknown. Raises Conflict when it is already."""
    if records.find(tx, Association, namespace.id, name) is not None:
        raise Conflict(
            f"The metadata definition resource-type association of resource-type={name} to "
            f"namespace={namespace.namespace} already exists."
        )
    if records.find(tx, ResourceType, name) is None:
        records.insert(tx, ResourceType(name=name, created_at=tx.now, updated_at=tx.now))
    made = Association(namespace_id=namespace.id, name=name, created_at=tx.now, updated_at=tx.now, **values)
    return records.insert(tx, made)


def dissociate(tx: Transaction, namespace: Namespace, name: str) -> None:
    """The namespace is not meant for the type any more. Raises NotFound, Forbidden in a protected namespace."""
    found = records.find(tx, Association, namespace.id, name)
    if found is None:
        raise NotFound(f"Failed to find resource type {name} to delete")
    if namespace.protected:
        raise Forbidden(f"Metadata definition resource-type-association {name} is protected and cannot be deleted.")
    records.remove(tx, found)
