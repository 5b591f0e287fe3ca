"""Lists: filters on every attribute, sorting, pages in both directions with links, and the fields that a client wants to see."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from minicloud.api.call import Call
from minicloud.api.network import values
from minicloud.api.network.attributes import Resource
from minicloud.base.errors import Invalid
from minicloud.core.network import tags
from minicloud.core.records import AnyOf, Condition, Query

R = TypeVar("R")
TAG_FILTERS = ("tags", "tags-any", "not-tags", "not-tags-any")
NOT_FILTERS = ("fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse")


class Wanted(msgspec.Struct):
    """What a client wants to see of a collection. ``special`` are filters that only the resource itself understands."""

    query: Query
    special: dict[str, list[str]]
    limit: int | None
    reverse: bool


def read(call: Call, resource: Resource) -> Wanted:
    """The query string of a list. Raises Invalid for unknown filters, sort keys and limits."""
    given: dict[str, list[str]] = {}
    for name, value in call.parameters:
        if name not in NOT_FILTERS:
            given.setdefault(name, []).append(value)
    tagged = {name: _words(given.pop(name, [])) for name in TAG_FILTERS} if "tags" in resource.attributes else {}
    since = given.pop("changed_since", []) if "updated_at" in resource.attributes else []
    unknown = [n for n in given if n not in resource.attributes or not resource.attributes[n].filter]
    if unknown:
        raise Invalid(f"{unknown} is invalid attribute for filtering", kind="HTTPBadRequest")
    conditions: list[Condition | AnyOf] = [Condition("updated_at", ">=", _moment(text)) for text in since]
    if tagged:
        conditions += tags.conditions(
            every=tagged["tags"], some=tagged["tags-any"], not_every=tagged["not-tags"], none=tagged["not-tags-any"]
        )
    special: dict[str, list[str]] = {}
    for name, texts in given.items():
        attribute = resource.attributes[name]
        match attribute.filter:
            case "special":
                special[name] = texts
            case "moment":
                conditions.append(AnyOf([Condition(attribute.key, "like", f"{_moment(text)}%") for text in texts]))
            case "flag":
                conditions.append(_one_of(attribute.key, [values.boolean(text) for text in texts]))
            case "number":
                conditions.append(_one_of(attribute.key, [values.integer(text) for text in texts]))
            case _:
                conditions.append(_one_of(attribute.key, texts))
    limit = _limit(call)
    reverse = (call.parameter("page_reverse") or "").lower() == "true" and limit is not None
    sort = _sort(call, resource)
    query = Query(
        where=conditions,
        sort=[(column, descending != reverse) for column, descending in sort],
        limit=limit,
        marker=(call.parameter("marker") or None) if limit is not None else None,
    )
    return Wanted(query, special, limit, reverse)


async def answer(
    call: Call,
    resource: Resource,
    wanted: Wanted,
    load: Callable[[Any], Sequence[R]],
    view: Callable[[R], dict[str, Any]],
) -> dict[str, Any]:
    """The collection's document: loaded in one transaction, cut to the fields that are asked for, with links."""
    rows = list(await call.read(load))
    if wanted.reverse:
        rows.reverse()
    documents = [view(row) for row in rows]
    links = _links(call, wanted, [document["id"] for document in documents])
    found: dict[str, Any] = {resource.collection: [pick(call, document) for document in documents]}
    if links:
        found[f"{resource.collection}_links"] = links
    return found


def pick(call: Call, document: dict[str, Any]) -> dict[str, Any]:
    """A document with no more than the fields that are asked for."""
    fields = {value for name, value in call.parameters if name == "fields" and value}
    return document if not fields else {name: value for name, value in document.items() if name in fields}


def _words(texts: Sequence[str]) -> list[str]:
    return [word for text in texts for word in text.split(",") if word]


def _one_of(column: str, found: Sequence[Any]) -> Condition:
    return Condition(column, "=", found[0]) if len(found) == 1 else Condition(column, "in", list(found))


def _moment(text: str) -> str:
    """A time as rows have it, to the second. Raises Invalid."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError:
        raise Invalid(
            f"Invalid input for operation: The value {text} is not a valid timestamp.", kind="InvalidInput"
        ) from None


def _limit(call: Call) -> int | None:
    text = call.parameter("limit")
    if text is None or text == "":
        return None
    if not text.isdecimal() or len(text) > 15:
        raise Invalid(f"Bad limit request: Limit must be an integer 0 or greater and not '{text}'.", kind="BadRequest")
    return int(text) or None


def _sort(call: Call, resource: Resource) -> list[tuple[str, bool]]:
    keys = [value for name, value in call.parameters if name == "sort_key" and value]
    directions = [value for name, value in call.parameters if name == "sort_dir" and value]
    if len(keys) != len(directions):
        raise Invalid("The number of sort_keys and sort_dirs must be same", kind="HTTPBadRequest")
    unknown = [key for key in keys if key not in resource.attributes or not resource.attributes[key].sort]
    if unknown:
        raise Invalid(f"{unknown} is invalid attribute for sort_keys", kind="HTTPBadRequest")
    wrong = [direction for direction in directions if direction not in ("asc", "desc")]
    if wrong:
        raise Invalid(f"{wrong} is invalid value for sort_dirs, valid value is 'asc' and 'desc'", kind="HTTPBadRequest")
    found = [
        (resource.attributes[key].key, direction == "desc") for key, direction in zip(keys, directions, strict=True)
    ]
    named = [column for column, _ in found]
    if not found:
        return [("created_at", False), ("id", False)] if "created_at" in resource.attributes else [("id", False)]
    return [pair for i, pair in enumerate(found) if pair[0] not in named[:i]] + (
        [] if "id" in named or "id" not in resource.attributes else [("id", False)]
    )


def _links(call: Call, wanted: Wanted, ids: Sequence[str]) -> list[dict[str, str]]:
    """A full page may have neighbours on both sides; a short one ends the direction in which it was read."""
    if wanted.limit is None:
        return []
    here = f"{call.base_url}{call.request.scope['path'][len(call.mount) :]}"
    kept = [(name, value) for name, value in call.parameters if name not in ("marker", "page_reverse")]
    short = len(ids) < wanted.limit
    links = []
    if not short or wanted.reverse:
        links.append({"rel": "next", "href": f"{here}?{urlencode([*kept, *_marker(ids[-1:])])}"})
    if not short or not wanted.reverse:
        query = urlencode([*kept, *_marker(ids[:1]), ("page_reverse", "True")])
        links.append({"rel": "previous", "href": f"{here}?{query}"})
    return links


def _marker(ids: Sequence[str]) -> list[tuple[str, str]]:
    return [("marker", ids[0])] if ids else []
