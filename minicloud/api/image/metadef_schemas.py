"""Schemas of metadata definitions: requests are held to them, and ``/v2/schemas/metadefs`` shows them."""

from collections.abc import Mapping
from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Get

Document = dict[str, Any]

_TYPES = ["array", "boolean", "integer", "number", "object", "string", None]
_TEXT: Document = {"type": "string"}
_POSITIVE: Document = {"$ref": "#/definitions/positiveInteger"}
_POSITIVE_OR_0: Document = {"$ref": "#/definitions/positiveIntegerDefault0"}
_READ_ONLY: Document = {"type": "string", "readOnly": True}
_STAMPS: Document = {
    "created_at": {**_READ_ONLY, "description": "When it was made.", "format": "date-time"},
    "updated_at": {**_READ_ONLY, "description": "When it was changed last.", "format": "date-time"},
}


def _text(longest: int, about: str = "") -> Document:
    return {**_TEXT, "maxLength": longest, **({"description": about} if about else {})}


_PROPERTY_FIELDS: Document = {
    "name": _text(80),
    "title": _TEXT,
    "description": _TEXT,
    "operators": {"type": "array", "items": _TEXT},
    "type": {"type": "string", "enum": _TYPES},
    "required": {"$ref": "#/definitions/stringArray"},
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "maxLength": _POSITIVE,
    "minLength": _POSITIVE_OR_0,
    "pattern": {"type": "string", "format": "regex"},
    "enum": {"type": "array"},
    "readonly": {"type": "boolean"},
    "default": {},
    "items": {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": _TYPES}, "enum": {"type": "array"}},
    },
    "maxItems": _POSITIVE,
    "minItems": _POSITIVE_OR_0,
    "uniqueItems": {"type": "boolean", "default": False},
    "additionalItems": {"type": "boolean"},
}
_DEFINITIONS: Document = {
    "positiveInteger": {"type": "integer", "minimum": 0},
    "positiveIntegerDefault0": {"allOf": [_POSITIVE, {"default": 0}]},
    "stringArray": {"type": "array", "items": _TEXT, "uniqueItems": True},
    "property": {
        "type": "object",
        "additionalProperties": {"type": "object", "required": ["title", "type"], "properties": _PROPERTY_FIELDS},
    },
}
_STRICT_DEFINITIONS: Document = {
    **{name: _DEFINITIONS[name] for name in ("positiveInteger", "positiveIntegerDefault0")},
    "stringArray": {**_DEFINITIONS["stringArray"], "minItems": 1},
}
_PROPERTIES: Document = {"$ref": "#/definitions/property"}
_OBJECT_FIELDS: Document = {
    "name": _text(80),
    "description": _TEXT,
    "required": {"$ref": "#/definitions/stringArray"},
    "properties": _PROPERTIES,
    "schema": _READ_ONLY,
    "self": _READ_ONLY,
    **_STAMPS,
}


def _schema(name: str, fields: Document, required: list[str], definitions: Document | None = None) -> Document:
    found: Document = {"name": name, "properties": fields, "additionalProperties": False}
    if definitions:
        found["definitions"] = definitions
    return {**found, "required": required} if required else found


NAMESPACE = _schema(
    "namespace",
    {
        "namespace": _text(80, "The namespace's name, which no other has."),
        "display_name": _text(80, "The name that people are shown."),
        "description": _text(500, "What the namespace is for, in words for people."),
        "visibility": {"type": "string", "description": "Who sees it.", "enum": ["public", "private"]},
        "protected": {"type": "boolean", "description": "Whether deleting is refused."},
        "owner": _text(255, "The project that it belongs to."),
        **_STAMPS,
        "schema": _READ_ONLY,
        "self": _READ_ONLY,
        "resource_type_associations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": _TEXT, "prefix": _TEXT, "properties_target": _TEXT},
            },
        },
        "properties": _PROPERTIES,
        "objects": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    name: field
                    for name, field in _OBJECT_FIELDS.items()
                    if name in ("description", "required", "properties")
                }
                | {"name": _TEXT},
            },
        },
        "tags": {"type": "array", "items": {"type": "object", "properties": {"name": _TEXT}}},
    },
    ["namespace"],
    _DEFINITIONS,
)
OBJECT = _schema("object", _OBJECT_FIELDS, ["name"], _DEFINITIONS)
PROPERTY = _schema("property", _PROPERTY_FIELDS, ["type", "title", "name"], _STRICT_DEFINITIONS)
NAMELESS_PROPERTY: Document = {**PROPERTY, "required": ["type", "title"]}
TAG = _schema("tag", {"name": _text(80), **_STAMPS}, ["name"])
TAGS = _schema(
    "tags",
    {
        "tags": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": _TEXT},
                "required": ["name"],
                "additionalProperties": False,
            },
        }
    },
    [],
)
ASSOCIATION = _schema(
    "resource_type_association",
    {
        "name": _text(80, "A type of resources, by Heat's name for it where there is one."),
        "prefix": _text(
            80, "What stands before the namespace's properties on such a resource, its separator included."
        ),
        "properties_target": _text(80, "Which of the resource's sets of keys is meant, where it has several."),
        **_STAMPS,
    },
    ["name"],
)


def _collection(name: str, item: Document, container: str = "items", kind: str = "array") -> Document:
    definitions = item.get("definitions")
    inner = {word: part for word, part in item.items() if word != "definitions"}
    found: Document = {
        "name": name,
        "properties": {
            name: {"type": kind, container: inner},
            "first": _TEXT,
            "next": _TEXT,
            "schema": _TEXT,
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }
    return {**found, "definitions": definitions} if definitions else found


SHOWN: Mapping[str, Document] = {
    "namespace": NAMESPACE,
    "namespaces": _collection("namespaces", NAMESPACE),
    "resource_type": ASSOCIATION,
    "resource_types": _collection("resource_type_associations", ASSOCIATION),
    "property": PROPERTY,
    "properties": _collection("properties", NAMELESS_PROPERTY, "additionalProperties", "object"),
    "object": OBJECT,
    "objects": _collection("objects", OBJECT),
    "tag": TAG,
    "tags": _collection("tags", TAG),
}
"""Each schema by its name under ``/v2/schemas/metadefs``."""


async def show(call: Call, name: str) -> Document:
    """GET /v2/schemas/metadefs/{name}."""
    if name not in SHOWN:
        raise call.absent()
    return SHOWN[name]


routes = [Get("/schemas/metadefs/{name}", show, policy=None)]
