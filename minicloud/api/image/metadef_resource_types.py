"""Resource types over HTTP: all that metadata definitions are meant for, and those of one namespace."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.image import metadefs
from minicloud.api.image.metadef_namespaces import association_view
from minicloud.api.image.metadef_schemas import ASSOCIATION
from minicloud.api.image.metadefs import READABLE, WRITABLE, judged, stamps
from minicloud.api.routes import Delete, Get, Post
from minicloud.core.image import metadef_resource_types
from minicloud.core.image.metadef_resource_types import Association
from minicloud.core.records import Transaction


async def index(call: Call) -> Any:
    """GET /v2/metadefs/resource_types."""
    found = await call.read(metadef_resource_types.all_types)
    return {"resource_types": [{"name": one.name, **stamps(one)} for one in found]}


async def show(call: Call, namespace: str) -> Any:
    """GET /v2/metadefs/namespaces/{namespace}/resource_types."""

    def work(tx: Transaction) -> list[Association]:
        found = judged(call, tx, namespace, "list_metadef_resource_types", "get_metadef_resource_type")
        return metadef_resource_types.of_namespace(tx, found)

    return {"resource_type_associations": [association_view(one) for one in await call.read(work)]}


async def create(call: Call, namespace: str, body: bytes) -> Any:
    """POST /v2/metadefs/namespaces/{namespace}/resource_types."""
    given = metadefs.read(body, ASSOCIATION, "created_at", "updated_at")

    def work(tx: Transaction) -> Association:
        found = judged(call, tx, namespace, "add_metadef_resource_type_association")
        return metadef_resource_types.associate(tx, found, given.pop("name"), **given)

    return association_view(await call.write(work))


async def delete(call: Call, namespace: str, name: str) -> None:
    """DELETE /v2/metadefs/namespaces/{namespace}/resource_types/{name}."""

    def work(tx: Transaction) -> None:
        found = judged(call, tx, namespace, "remove_metadef_resource_type_association")
        metadef_resource_types.dissociate(tx, found, name)

    await call.write(work)


_ALL = "/metadefs/namespaces/{namespace}/resource_types"

routes = [
    Get("/metadefs/resource_types", index, policy="list_metadef_resource_types", allow=READABLE),
    Get(
        _ALL,
        show,
        policy="list_metadef_resource_types",
        allow=READABLE,
        late=True,
        extra=[("get_metadef_resource_type", READABLE)],
    ),
    Post(_ALL, create, policy="add_metadef_resource_type_association", allow=WRITABLE, late=True, status=201),
    Delete(f"{_ALL}/{{name}}", delete, policy="remove_metadef_resource_type_association", allow=WRITABLE, late=True),
]
