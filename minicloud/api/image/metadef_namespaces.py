"""Metadata definitions' namespaces over HTTP, created and shown with all that is in them."""

from typing import Any
from urllib.parse import urlencode

from minicloud.api.call import Call, Reply
from minicloud.api.image import metadef_schemas, metadefs
from minicloud.api.image.metadefs import (
    LISTABLE,
    READABLE,
    WRITABLE,
    judged,
    property_type,
    property_types,
    said,
    stamps,
)
from minicloud.api.image.queries import DEFAULT_LIMIT, LARGEST_LIMIT
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.errors import Invalid
from minicloud.core.image import metadef_items, metadef_namespaces, metadef_resource_types
from minicloud.core.image.metadef_namespaces import Namespace, Wanted
from minicloud.core.image.metadef_resource_types import Association
from minicloud.core.records import Transaction

_READ_ONLY = ("self", "schema", "created_at", "updated_at")
_CONTENT = {
    "resource_type_associations": "add_metadef_resource_type_association",
    "objects": "add_metadef_object",
    "properties": "add_metadef_property",
    "tags": "add_metadef_tag",
}
"""What a new namespace may bring along, and the policy for it."""


def view(namespace: Namespace) -> dict[str, Any]:
    """A namespace as clients see it, without its content."""
    return {
        **said(
            namespace=namespace.namespace,
            display_name=namespace.display_name,
            description=namespace.description,
            visibility=namespace.visibility,
            protected=namespace.protected,
            owner=namespace.owner,
        ),
        **stamps(namespace),
        "self": f"/v2/metadefs/namespaces/{namespace.namespace}",
        "schema": "/v2/schemas/metadefs/namespace",
    }


def object_view(namespace: str, item: metadef_items.Item) -> dict[str, Any]:
    """An object as clients see it."""
    return {
        "name": item.name,
        **item.body,
        **stamps(item),
        "self": f"/v2/metadefs/namespaces/{namespace}/objects/{item.name}",
        "schema": "/v2/schemas/metadefs/object",
    }


def association_view(found: Association) -> dict[str, Any]:
    """How a namespace is meant for a type, as clients see it."""
    return {**said(name=found.name, prefix=found.prefix, properties_target=found.properties_target), **stamps(found)}


async def index(call: Call) -> Any:
    """GET /v2/metadefs/namespaces."""
    call.enforce("list_metadef_resource_types")
    values = dict(call.parameters)
    asked = metadefs.paging(call.parameters)
    limit = min(DEFAULT_LIMIT if asked.limit is None else asked.limit, LARGEST_LIMIT)
    visibility = values.get("visibility") or None
    if visibility not in (None, "public", "private"):
        raise Invalid(f"Invalid visibility value: {visibility}")
    types = values["resource_types"].split(",") if "resource_types" in values else None
    wanted = Wanted(visibility=visibility, resource_types=types, sort=asked.sort, limit=limit, marker=asked.marker)

    def work(tx: Transaction) -> list[dict[str, Any]]:
        shown = []
        for found in metadef_namespaces.page(tx, call.context, wanted):
            if not call.allows("get_metadef_namespace", {"project_id": found.owner, "visibility": found.visibility}):
                continue
            associations = [association_view(one) for one in metadef_resource_types.of_namespace(tx, found)]
            shown.append(view(found) | ({"resource_type_associations": associations} if associations else {}))
        return shown

    shown = await call.read(work)
    kept = {name: value for name, value in values.items() if name != "marker"}
    path = "/v2/metadefs/namespaces"
    answer: dict[str, Any] = {
        "namespaces": shown,
        "first": f"{path}?{urlencode(kept)}" if kept else path,
        "schema": "/v2/schemas/metadefs/namespaces",
    }
    if shown and len(shown) == limit:
        answer["next"] = f"{path}?{urlencode({**kept, 'marker': shown[-1]['namespace']})}"
    return answer


async def create(call: Call, body: bytes) -> Any:
    """POST /v2/metadefs/namespaces: with everything in it, or not at all."""
    given = metadefs.read(body, metadef_schemas.NAMESPACE, *_READ_ONLY)
    content = {name: given.pop(name) for name in _CONTENT if name in given}
    for name, found in content.items():
        if found:
            call.enforce(_CONTENT[name])
        for one in found if isinstance(found, list) else ():
            if "name" not in one:
                raise Invalid(
                    f"Provided object does not match schema 'namespace': 'name' is a required property of {name}"
                )
    if "owner" not in given:
        given["owner"] = call.context.project_id

    def work(tx: Transaction) -> Namespace:
        made = metadef_namespaces.create(tx, **given)
        for one in content.get("resource_type_associations", ()):
            values = {name: one[name] for name in ("prefix", "properties_target") if name in one}
            metadef_resource_types.associate(tx, made, one["name"], **values)
        for one in content.get("objects", ()):
            metadef_items.add(tx, made, "object", one["name"], object_body(one))
        for name, one in content.get("properties", {}).items():
            metadef_items.add(tx, made, "property", name, property_type(one))
        metadef_items.replace_tags(tx, made, [one["name"] for one in content.get("tags", ())], append=True)
        return made

    made = await call.write(work)
    location = f"/v2/metadefs/namespaces/{made.namespace}"
    return Reply(view(made) | {name: part for name, part in content.items() if part}, headers={"Location": location})


def object_body(given: dict[str, Any]) -> dict[str, Any]:
    """An object as it is kept, without its name. Raises Invalid."""
    unknown = sorted(set(given) - {"name", "description", "required", "properties"})
    if unknown:
        raise Invalid(f"Additional properties are not allowed ({unknown[0]!r} was unexpected)")
    body = {name: given[name] for name in ("description", "required") if given.get(name) is not None}
    return body | ({"properties": property_types(given["properties"])} if "properties" in given else {})


async def show(call: Call, namespace: str) -> Any:
    """GET /v2/metadefs/namespaces/{namespace}; ``resource_type`` puts that type's prefix before the properties' names."""
    kind = call.parameter("resource_type")

    def work(tx: Transaction) -> dict[str, Any]:
        rules = [f"get_metadef_{what}" for what in ("namespace", "objects", "properties", "tags")]
        found = judged(call, tx, namespace, *rules, "list_metadef_resource_types")
        objects = [object_view(namespace, one) for one in metadef_items.of_namespace(tx, found, "object")]
        properties = {one.name: one.body for one in metadef_items.of_namespace(tx, found, "property")}
        associations = metadef_resource_types.of_namespace(tx, found)
        prefix = next((one.prefix for one in associations if one.name == kind), None)
        if prefix:
            properties = {prefix + name: body for name, body in properties.items()}
            objects = [_prefixed(one, prefix) for one in objects]
        content = {
            "objects": objects,
            "properties": properties,
            "resource_type_associations": [association_view(one) for one in associations],
            "tags": [{"name": one.name} for one in metadef_items.of_namespace(tx, found, "tag")],
        }
        return view(found) | {name: part for name, part in content.items() if part}

    return await call.read(work)


def _prefixed(shown: dict[str, Any], prefix: str) -> dict[str, Any]:
    changed = {**shown}
    if "properties" in shown:
        changed["properties"] = {prefix + name: body for name, body in shown["properties"].items()}
    if shown.get("required"):
        changed["required"] = [prefix + name for name in shown["required"]]
    return changed


async def update(call: Call, namespace: str, body: bytes) -> Any:
    """PUT /v2/metadefs/namespaces/{namespace}: what is not said goes back to what a new one has."""
    given = metadefs.read(body, metadef_schemas.NAMESPACE, *_READ_ONLY)

    def work(tx: Transaction) -> Namespace:
        found = judged(call, tx, namespace, "modify_metadef_namespace")
        return metadef_namespaces.change(
            tx,
            found,
            namespace=given["namespace"],
            display_name=given.get("display_name"),
            description=given.get("description"),
            visibility=given.get("visibility", "private"),
            protected=given.get("protected", False),
            owner=given.get("owner") or call.context.project_id,
        )

    return view(await call.write(work))


async def delete(call: Call, namespace: str) -> None:
    """DELETE /v2/metadefs/namespaces/{namespace}."""
    await call.write(lambda tx: metadef_namespaces.delete(tx, judged(call, tx, namespace, "delete_metadef_namespace")))


def _empty(kind: metadef_items.Kind, *rules: str) -> Any:
    async def empty(call: Call, namespace: str) -> None:
        """DELETE /v2/metadefs/namespaces/{namespace}/(objects, properties, tags)."""

        def work(tx: Transaction) -> None:
            found = judged(call, tx, namespace, "delete_metadef_namespace", *rules)
            metadef_namespaces.require_unprotected(found)
            metadef_items.remove_all(tx, found, kind)

        await call.write(work)

    return empty


_ONE = "/metadefs/namespaces/{namespace}"
_DELETE = {"policy": "delete_metadef_namespace", "allow": WRITABLE, "late": True}

routes = [
    Get(
        "/metadefs/namespaces",
        index,
        policy="get_metadef_namespaces",
        allow=LISTABLE,
        extra=[("list_metadef_resource_types", READABLE)],
    ),
    Post(
        "/metadefs/namespaces",
        create,
        policy="add_metadef_namespace",
        allow=WRITABLE,
        extra=[(rule, WRITABLE) for rule in _CONTENT.values()],
        status=201,
    ),
    Get(
        _ONE,
        show,
        policy="get_metadef_namespace",
        allow=READABLE,
        late=True,
        extra=[(f"get_metadef_{what}", READABLE) for what in ("objects", "properties", "tags")],
    ),
    Put(_ONE, update, policy="modify_metadef_namespace", allow=WRITABLE, late=True),
    Delete(_ONE, delete, **_DELETE),
    Delete(f"{_ONE}/objects", _empty("object"), **_DELETE),
    Delete(f"{_ONE}/properties", _empty("property"), **_DELETE),
    Delete(f"{_ONE}/tags", _empty("tag", "delete_metadef_tags"), **_DELETE, extra=[("delete_metadef_tags", WRITABLE)]),
]
