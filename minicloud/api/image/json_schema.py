"""Documents held to a JSON schema: the words of it that the image service's own schemas are written in, and no others."""

import re
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
_TYPES: Mapping[str, type[Any] | tuple[type[Any], ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
    "null": type(None),
}


def fault(value: Any, schema: Schema, definitions: Schema | None = None) -> str | None:
    """What is wrong with a value, in the words of JSON schema's validators; None when nothing is."""
    known: Schema = definitions or schema.get("definitions", {})
    if "$ref" in schema:
        return fault(value, known[schema["$ref"].removeprefix("#/definitions/")], known)
    for part in schema.get("allOf", ()):
        if (found := fault(value, part, known)) is not None:
            return found
    types = schema.get("type", ())
    types = (types,) if isinstance(types, str) else types
    if types and not any(_is(value, kind) for kind in types):
        return f"{value!r} is not of type {', '.join(repr(kind) for kind in types)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{value!r} is not one of {list(schema['enum'])!r}"
    if isinstance(value, str):
        return _text_fault(value, schema)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if "minimum" in schema and value < schema["minimum"]:
            return f"{value!r} is less than the minimum of {schema['minimum']}"
        return None
    if isinstance(value, list):
        return _list_fault(value, schema, known)
    return _object_fault(value, schema, known) if isinstance(value, dict) else None


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind in ("integer", "number"):
        return False
    return isinstance(value, _TYPES[kind])


def _text_fault(value: str, schema: Schema) -> str | None:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{value!r} does not match {schema['pattern']!r}"
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        return f"{value!r} is too long"
    if schema.get("format") == "regex":
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError):
            return f"{value!r} is not a 'regex'"
    return None


def _list_fault(value: list[Any], schema: Schema, known: Schema) -> str | None:
    if len(value) < schema.get("minItems", 0):
        return f"{value!r} is too short"
    if schema.get("uniqueItems") and any(one in value[:at] for at, one in enumerate(value)):
        return f"{value!r} has non-unique elements"
    if "items" in schema:
        return next((found for one in value if (found := fault(one, schema["items"], known)) is not None), None)
    return None


def _object_fault(value: dict[str, Any], schema: Schema, known: Schema) -> str | None:
    for name in schema.get("required", ()):
        if name not in value:
            return f"{name!r} is a required property"
    named: Schema = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, part in value.items():
        if name in named:
            found = fault(part, named[name], known)
        elif others is False:
            found = f"Additional properties are not allowed ({name!r} was unexpected)"
        else:
            found = fault(part, others, known) if isinstance(others, Mapping) else None
        if found is not None:
            return found
    return None
