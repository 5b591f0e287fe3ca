"""The query string of an image listing: filters with operators, two ways to sort, tags, member status."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from minicloud.base.clock import stamp
from minicloud.base.errors import Invalid
from minicloud.core.image.images import VISIBILITIES
from minicloud.core.image.search import Wanted
from minicloud.core.records import AnyOf, Condition

DEFAULT_LIMIT = 25
LARGEST_LIMIT = 1000
SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
_LISTS = ("name", "id", "status", "container_format", "disk_format")
_NUMBERS = ("size", "min_disk", "min_ram", "virtual_size")
_TEXTS = ("owner", "checksum", "os_hash_value", "os_hash_algo")
_ELSEWHERE = ("limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "tag", "visibility", "os_hidden")


def read(parameters: Sequence[tuple[str, str]]) -> Wanted:
    """What a listing's query string asks for. Raises Invalid in upstream's words."""
    values: dict[str, str] = dict(parameters)
    conditions: list[Condition | AnyOf] = []
    properties: list[tuple[str, str]] = []
    for name, value in values.items():
        if name in _ELSEWHERE:
            continue
        found = _conditions(name, value)
        if found is None:
            properties.append((name, value))
        else:
            conditions += found
    return Wanted(
        conditions=conditions,
        properties=properties,
        visibility=_visibility(values.get("visibility")),
        member_status=_member_status(values.get("member_status", "accepted")),
        hidden=_truth("os_hidden", values.get("os_hidden", "false").lower()),
        tags=[value.strip() for name, value in parameters if name == "tag"],
        sort=_sort(parameters),
        limit=_limit(values.get("limit")),
        marker=values.get("marker"),
    )


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[+-]?\d{1,18}", text.strip()):
        raise Invalid("limit param must be an integer")
    limit = int(text)
    if limit < 0:
        raise Invalid("limit param must be positive")
    return min(limit, LARGEST_LIMIT)


def _visibility(text: str | None) -> str | None:
    if text and text not in (*VISIBILITIES, "all"):
        raise Invalid(f"Invalid visibility value: {text}")
    return text or None


def _member_status(text: str) -> str:
    if text not in ("pending", "accepted", "rejected", "all"):
        raise Invalid(f"Invalid status: {text}")
    return text


def _truth(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise Invalid(f"Invalid value '{text}' for '{name}' filter. Valid values are 'true' or 'false'.")
    return text == "true"


def _sort(parameters: Sequence[tuple[str, str]]) -> list[tuple[str, bool]]:
    keys = [value.strip() for name, value in parameters if name == "sort_key"]
    directions = [value.strip() for name, value in parameters if name == "sort_dir"]
    together = [value for name, value in parameters if name == "sort"]
    if together:
        if keys or directions:
            raise Invalid("Old and new sorting syntax cannot be combined")
        parts = [part.partition(":") for part in together[-1].strip().split(",")]
        keys = [key.strip() for key, _, _ in parts]
        directions = [direction.strip() or "desc" for _, _, direction in parts]
    elif len(directions) > 1 and len(directions) != len(keys):
        raise Invalid("Number of sort dirs does not match the number of sort keys")
    for key in keys:
        if key not in SORT_KEYS:
            raise Invalid(f"Invalid sort key: {key}. It must be one of the following: {', '.join(SORT_KEYS)}.")
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise Invalid(f"Invalid sort direction: {direction}")
    keys = keys or ["created_at"]
    directions = directions or ["desc"]
    if len(directions) == 1:
        directions *= len(keys)
    found = dict(zip(keys, (direction == "desc" for direction in directions), strict=True))
    return list(found.items())


def _conditions(name: str, value: str) -> list[Condition | AnyOf] | None:
    """A filter on an attribute; None when the name is that of a property."""
    if name == "changes-since" and value:
        raise Invalid('The "changes-since" filter is no longer available on v2.')
    if name == "protected":
        return [Condition("protected", "=", _truth("protected", value))]
    if name[:-4] in _NUMBERS and name.endswith(("_min", "_max")):
        if not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value):
            raise Invalid("Unable to filter on a range with a non-numeric value.")
        return [Condition(name[:-4], ">=" if name.endswith("_min") else "<=", int(value))]
    if name in ("created_at", "updated_at"):
        return _time(name, value)
    if name in _LISTS:
        operator, _, text = value.partition(":") if ":" in value else ("eq", "", value)
        if operator == "in":
            return [Condition(name, "in", split_values(text))]
        if operator == "eq":
            return [Condition(name, "=", text)]
        raise Invalid(f"Unable to filter by unknown operator '{operator}'.")
    if name in _NUMBERS:
        # A text that is no number equals no size: nothing is found.
        return [Condition(name, "=", int(value) if re.fullmatch(r"-?\d{1,18}", value) else -1)]
    if name in _TEXTS:
        return [Condition(name, "=", value)]
    return None


def _time(column: str, value: str) -> list[Condition | AnyOf]:
    """Clients compare whole seconds; stamps are finer."""
    moment, operator = _moment(value), "eq"
    if moment is None:
        operator, _, text = value.partition(":")
        moment = _moment(text)
    if moment is None:
        raise Invalid(f'Bad "{column}" query filter format. Use ISO 8601 DateTime notation.')
    begin, end = stamp(moment), stamp(moment + timedelta(seconds=1))
    match operator:
        case "eq":
            return [Condition(column, ">=", begin), Condition(column, "<", end)]
        case "neq":
            return [AnyOf([Condition(column, "<", begin), Condition(column, ">=", end)])]
        case "gt":
            return [Condition(column, ">=", end)]
        case "gte":
            return [Condition(column, ">=", begin)]
        case "lt":
            return [Condition(column, "<", begin)]
        case "lte":
            return [Condition(column, "<", end)]
    raise Invalid(f"Unable to filter by unknown operator '{operator}'.")


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def split_values(text: str) -> list[str]:
    """The values of an ``in:`` filter: split at commas, those with commas inside stand in double quotes. Raises Invalid."""
    found: list[str] = []
    rest = text
    while rest:
        if rest[0] == '"':
            match = re.match(r'"([^"\\]*(?:\\.[^"\\]*)*)"', rest)
            if match is None:
                raise Invalid(f"Invalid filter value {text}. The quote is not closed.")
            found.append(match[1])
            rest = rest[match.end() :]
            if rest and rest[0] != ",":
                raise Invalid(f"Invalid filter value {text}. There is no comma after closing quotation mark.")
            rest = rest[1:]
        else:
            part, _, rest = rest.partition(",")
            if re.search(r'(?<!\\)"', part):
                raise Invalid(f"Invalid filter value {text}. There is no comma before opening quotation mark.")
            found.append(part)
    return found
