"""Documents for nova's request schemas: one that is valid, and ones that are wrong in a single place each."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

Valid = Callable[[Any, Any], bool]
"""Whether a document is valid under a schema, as nova's own validator sees it."""

CANDIDATES: tuple[Any, ...] = (
    *(
        "a1",
        1,
        True,
        "1",
        "00000000-0000-4000-8000-000000000000",
        "10.0.0.1",
        "::1",
        "2030-01-01T00:00:00Z",
        "aGVsbG8=",
    ),
    *("10.0.0.0/24", "http://x/y", "True", None, 1.5, [], {}, ["a1"], "SOFT", {"a": "b"}, "auto", ["hw"], "a" * 40),
)
WRONG: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    " ",
    "a" * 300,
    "?*\x00",
    -7,
    2**40,
    1.5,
    True,
    ["x", "x"],
    ["a,b"],
    [None],
    "a,b",
    "a.b-c",
    "auto",
    {"odd": None},
)


NOT_OFFERED = ("trusted_image_certificates",)
"""Fields that this cloud answers with 501, before it looks at others."""


def valid_one(schema: Any, valid: Valid) -> Any:
    """A valid document, as small as can be found. Raises LookupError when none is."""
    for wanted in schema.get("enum", ()):
        if valid(schema, wanted):
            return wanted
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "object" in kinds or "properties" in schema:
        found = _object(schema, valid)
        if found is not None:
            return found
    if "array" in kinds and "prefixItems" in schema:
        found = [valid_one(part, valid) for part in schema["prefixItems"]]
        if valid(schema, found):
            return found
    if "array" in kinds and isinstance(schema.get("items"), dict):
        for count in range(schema.get("minItems", 0), 3):
            found = [valid_one(schema["items"], valid) for _ in range(count)]
            if valid(schema, found):
                return found
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        if isinstance(part, dict) and ("type" in part or "enum" in part):
            found = valid_one(part, valid)
            if valid(schema, found):
                return found
    for candidate in CANDIDATES:
        if valid(schema, candidate):
            return candidate
    raise LookupError(str(schema)[:200])


def _object(schema: Any, valid: Valid) -> Any | None:
    properties = schema.get("properties", {})
    made = {name: valid_one(properties[name], valid) for name in schema.get("required", ()) if name in properties}
    if valid(schema, made):
        return made
    # What else is required stands in anyOf, dependencies, minProperties: one more property at a time.
    for name, part in properties.items():
        if name not in made:
            made[name] = valid_one(part, valid)
            if valid(schema, made):
                return made
    return None


EXCLUSIVE = ("block_device_mapping", "block_device_mapping_v2")
"""Fields of which nova takes one at a time, though its schema allows both."""


def whole_ones(schema: Any, smallest: Any, valid: Valid) -> list[Any]:
    """The document with all that it may have; two of them where not all of it may stand in one."""
    found: list[Any] = []
    for left_out in EXCLUSIVE:
        whole = fuller(schema, smallest, valid, (*NOT_OFFERED, left_out))
        if whole not in found:
            found.append(whole)
    return found


def fuller(schema: Any, document: Any, valid: Valid, left_out: tuple[str, ...] = NOT_OFFERED) -> Any:
    """The document with every property that it may have besides, and something in every list."""
    document = copy.deepcopy(document)
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        if isinstance(document, dict | list) and "type" in part and valid(part, document):
            trial = fuller(part, document, valid, left_out)
            return trial if valid(schema, trial) else document
    if isinstance(document, list) and isinstance(schema.get("items"), dict):
        try:
            first = document[0] if document else valid_one(schema["items"], valid)
            trial = [fuller(schema["items"], first, valid, left_out)]
        except LookupError:
            return document
        return trial if valid(schema, trial) else document
    if isinstance(document, dict):
        for name, part in schema.get("properties", {}).items():
            if not isinstance(part, dict) or name in left_out:
                continue
            try:
                inner = fuller(part, document.get(name, valid_one(part, valid)), valid, left_out)
            except LookupError:
                continue
            trial = {**document, name: inner}
            if valid(schema, trial):
                document = trial
    return document


def wrong_ones(schema: Any, document: Any, valid: Valid) -> Iterator[tuple[str, Any]]:
    """Where each document is wrong, and the document: a field too much, one too few, one of another kind."""
    for place in list(_places(document)):
        inner = _at(document, place)
        if isinstance(inner, dict):
            yield from _if_wrong(schema, valid, f"{_told(place)}+", _with(document, (*place, "surprise"), 1))
            for name in inner:
                yield from _if_wrong(schema, valid, f"{_told((*place, name))}-", _without(document, (*place, name)))
        for value in WRONG:
            if place:
                yield from _if_wrong(schema, valid, f"{_told(place)}={value!r:.20}", _with(document, place, value))


def _if_wrong(schema: Any, valid: Valid, what: str, document: Any) -> Iterator[tuple[str, Any]]:
    if not valid(schema, document):
        yield what, document


Place = tuple[str | int, ...]
"""Where something stands in a document: names of fields, and numbers in lists."""


def _places(document: Any, place: Place = ()) -> Iterator[Place]:
    yield place
    if isinstance(document, dict):
        for name, part in document.items():
            yield from _places(part, (*place, name))
    elif isinstance(document, list) and document:
        yield from _places(document[0], (*place, 0))


def _told(place: Place) -> str:
    return ".".join(str(part) for part in place)


def _at(document: Any, place: Place) -> Any:
    for name in place:
        document = document[name]
    return document


def _with(document: Any, place: Place, value: Any) -> Any:
    made = copy.deepcopy(document)
    _at(made, place[:-1])[place[-1]] = value
    return made


def _without(document: Any, place: Place) -> Any:
    made = copy.deepcopy(document)
    del _at(made, place[:-1])[place[-1]]
    return made
