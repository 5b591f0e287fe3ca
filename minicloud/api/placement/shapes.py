"""Shapes of Placement's documents: what may stand in them, and a finding in JSON Schema's words where something else does.

Here objects have keys that are data (providers' ids, resource classes), with a pattern for them, and clients read the
validator's own words ("Failed validating 'maximum'"): both are beyond what structs with marks can say.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from minicloud.base.ids import is_uuid


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A string, of so many characters, of a pattern."""

    least: int = 0
    most: int | None = None
    pattern: str | None = None
    uuid: bool = False
    one_of: tuple[str, ...] = ()


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """An integer within bounds."""

    least: int | None = None
    most: int | None = None


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """Any number up to a bound."""

    most: float


class Null(msgspec.Struct, frozen=True):
    """Nothing: JSON's null."""


class Any_of(msgspec.Struct, frozen=True):
    """One of several shapes."""

    shapes: tuple["Shape", ...]


class Many(msgspec.Struct, frozen=True, kw_only=True):
    """An array."""

    of: "Shape"
    least: int = 0
    unique: bool = False


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """An object with fields by name, of which some are required; or with any keys of a pattern. ``strict`` False lets other
    keys pass."""

    fields: Mapping[str, "Shape"] = {}
    required: Sequence[str] = ()
    keys: str | None = None
    values: "Shape | None" = None
    least: int = 0
    strict: bool = True


Shape = Text | Whole | Number | Null | Any_of | Many | Thing

UUID = Text(uuid=True)
UUID_OR_NULL = Any_of((UUID, Null()))
WHOLE_OR_NULL = Any_of((Whole(), Null()))


class Finding(msgspec.Struct, frozen=True):
    """What is wrong, the rule that it broke, and where that rule stands."""

    text: str
    rule: str
    where: tuple[str, ...] = ()

    def told(self) -> str:
        """As the validator of upstream writes it, on one line."""
        where = "".join(f"[{name!r}]" for name in self.where)
        return f"{self.text}  Failed validating {self.rule!r} in schema{where}"

    def below(self, *where: str) -> "Finding":
        """The same, seen from further out."""
        return Finding(self.text, self.rule, (*where, *self.where))


def check(value: Any, shape: Shape) -> Finding | None:
    """The first thing that is wrong with a document, or None."""
    match shape:
        case Thing():
            return _thing(value, shape)
        case Many():
            return _many(value, shape)
        case Text():
            return _text(value, shape)
        case Whole():
            if isinstance(value, bool) or not (
                isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            ):
                return Finding(f"{value!r} is not of type 'integer'", "type")
            return _bounds(value, shape.least, shape.most)
        case Number():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return Finding(f"{value!r} is not of type 'number'", "type")
            return _bounds(value, None, shape.most)
        case Null():
            return None if value is None else Finding(f"{value!r} is not of type 'null'", "type")
        case Any_of():
            if any(check(value, one) is None for one in shape.shapes):
                return None
            return Finding(f"{value!r} is not valid under any of the given schemas", "anyOf")


def _thing(value: Any, shape: Thing) -> Finding | None:
    if not isinstance(value, dict):
        return Finding(f"{value!r} is not of type 'object'", "type")
    for name in shape.required:
        if name not in value:
            return Finding(f"{name!r} is a required property", "required")
    if len(value) < shape.least:
        return Finding(f"{value!r} should be non-empty", "minProperties")
    for name, inner in value.items():
        if name in shape.fields:
            found = check(inner, shape.fields[name])
            where = ("properties", name)
        elif shape.keys is not None and shape.values is not None and re.match(shape.keys, name):
            found = check(inner, shape.values)
            where = ("patternProperties", shape.keys)
        elif not shape.strict:
            continue
        elif shape.keys is not None:
            patterns = ", ".join(repr(pattern) for pattern in shape.keys.split("|"))
            return Finding(f"{name!r} does not match any of the regexes: {patterns}", "additionalProperties")
        else:
            return Finding(f"Additional properties are not allowed ({name!r} was unexpected)", "additionalProperties")
        if found is not None:
            return found.below(*where)
    return None


def _many(value: Any, shape: Many) -> Finding | None:
    if not isinstance(value, list):
        return Finding(f"{value!r} is not of type 'array'", "type")
    if len(value) < shape.least:
        return Finding(f"{value!r} should be non-empty", "minItems")
    if shape.unique and len({msgspec.json.encode(inner) for inner in value}) != len(value):
        return Finding(f"{value!r} has non-unique elements", "uniqueItems")
    return next((found.below("items") for inner in value if (found := check(inner, shape.of)) is not None), None)


def _text(value: Any, shape: Text) -> Finding | None:
    if not isinstance(value, str):
        return Finding(f"{value!r} is not of type 'string'", "type")
    if shape.most is not None and len(value) > shape.most:
        return Finding(f"{value!r} is too long", "maxLength")
    if len(value) < shape.least:
        return Finding(f"{value!r} is too short", "minLength")
    if shape.pattern is not None and not re.search(shape.pattern, value):
        return Finding(f"{value!r} does not match {shape.pattern!r}", "pattern")
    if shape.one_of and value not in shape.one_of:
        return Finding(f"{value!r} is not one of {list(shape.one_of)!r}", "enum")
    if shape.uuid and not is_uuid(value):
        return Finding(f"{value!r} is not a 'uuid'", "format")
    return None


def _bounds(value: float, least: float | None, most: float | None) -> Finding | None:
    if least is not None and value < least:
        return Finding(f"{value} is less than the minimum of {least}", "minimum")
    if most is not None and value > most:
        return Finding(f"{value} is greater than the maximum of {most}", "maximum")
    return None
