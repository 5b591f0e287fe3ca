"""Listings of block storage: pages with marker and offset, several sort keys, filters that grew with the microversions.

Until 3.30 a filter that is not offered is passed over; from 3.31 on it is refused, and from 3.34 on ``name~`` finds what is
similar. An administrator may filter by any attribute; by one that does not exist, nothing is found.
"""

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from minicloud.api.call import Call
from minicloud.api.volume import values
from minicloud.base.errors import Invalid
from minicloud.core.records import AnyOf, Condition, Query, Record, Transaction

MOST = 1000
_OPERATORS = {"gt": ">", "gte": ">=", "eq": "=", "neq": "!=", "lt": "<", "lte": "<="}
NOTHING = AnyOf([])


def lenient(text: str) -> bool:
    """What ``all_tenants`` means to most listings: what is no truth is none."""
    return text.strip().lower() in ("1", "t", "true", "on", "y", "yes")


def strict(text: str) -> bool:
    """What it means to volumes. Raises Invalid for what is no truth."""
    return values.parameter("all_tenants", text)


def there(text: str) -> bool:
    """What it means to groups, their snapshots and attachments: that it is there counts, whatever it says."""
    return True


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of thing is listed.

    ``filters`` are those offered to everybody; ``columns`` the record's columns by the API's names, for filters and sorting;
    ``flags`` columns of truths, ``maps`` columns of JSON objects, ``times`` filters that compare; ``since`` the version from
    which a filter exists. What is not ``owned`` by projects, as the column ``owner``
    says, is everybody's. ``links`` is the key of the link to the next page, where it is not made of the collection's name;
    ``all_tenants`` reads the parameter by which administrators see what is everybody's; ``host`` is the filter that a host, a
    backend or a pool may be given to, and finds what lies there.
    """

    name: str
    collection: str
    filters: tuple[str, ...]
    columns: Mapping[str, str]
    flags: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    times: frozenset[str] = frozenset()
    since: Mapping[str, str] = {}
    owned: bool = True
    owner: str = "project_id"
    links: str | None = None
    all_tenants: Callable[[str], bool] = lenient
    host: str | None = None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants to see. ``query`` has no more rows than the page; ``offset`` are passed over first."""

    query: Query
    limit: int
    offset: int
    count: bool


def read(call: Call, resource: Resource, *, but: Collection[str] = ()) -> Wanted:
    """What the query string asks for, ``but`` for filters that the caller reads itself. Raises Invalid in Cinder's words."""
    given = {name: value for name, value in call.parameters if name not in but}
    limit = _number(given.pop("limit", ""), "limit", MOST)
    offset = _offset(given.pop("offset", "0"))
    marker = given.pop("marker", "") or None
    sort = _sort(given, resource)
    count = call.at_least("3.45") and values.parameter("with_count", given.pop("with_count", None))
    every = resource.all_tenants(given["all_tenants"]) and call.context.is_admin if "all_tenants" in given else False
    filters = _offered(call, resource, given)
    where: list[Condition | AnyOf] = []
    if resource.owned and not every:
        where.append(Condition(resource.owner, "=", call.context.project_id))
    for name, value in filters.items():
        where += _conditions(call, resource, name, value)
    return Wanted(
        query=Query(where=where, sort=sort, limit=limit + offset, marker=marker),
        limit=limit,
        offset=offset,
        count=count,
    )


def document(
    call: Call, resource: Resource, wanted: Wanted, shown: Sequence[Any], ids: Sequence[str], count: int | None
) -> dict[str, Any]:
    """The listing, with a link to the next page when this one is full."""
    found: dict[str, Any] = {resource.collection: list(shown)}
    if ids and len(ids) >= wanted.limit:
        kept = [(key, value) for key, value in call.parameters if key != "marker"]
        path = call.request.scope["path"][len(call.mount) :]
        href = f"{call.base_url}{path}?{urlencode([*kept, ('marker', ids[-1])])}"
        found[resource.links or f"{resource.collection}_links"] = [{"rel": "next", "href": href}]
    if count is not None:
        found["count"] = count
    return found


def page(
    tx: Transaction,
    wanted: Wanted,
    page_of: Callable[[Transaction, Query], list[Any]],
    kind: type[Record],
    find: Callable[[Transaction, str], Record | None],
) -> list[Any]:
    """The records of the page. Raises NotFound when the marker is none of this kind."""
    if wanted.query.marker is not None and find(tx, wanted.query.marker) is None:
        raise kind.missing(wanted.query.marker)
    if wanted.limit == 0:
        return []
    return page_of(tx, wanted.query)[wanted.offset :]


def _number(text: str, name: str, most: int) -> int:
    if text == "":
        return most
    if not re.fullmatch(r"[+-]?\d{1,18}", text.strip()):
        raise Invalid(f"{name} param must be an integer")
    number = int(text)
    if number < 0:
        raise Invalid(f"{name} param must be positive")
    return min(number, most)


def _offset(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", text.strip()):
        raise Invalid("offset must be an integer.")
    number = int(text)
    if not 0 <= number <= values.LARGEST:
        raise Invalid(f"offset must be between 0 and {values.LARGEST}")
    return number


def _sort(given: dict[str, str], resource: Resource) -> list[tuple[str, bool]]:
    if "sort" in given and ("sort_key" in given or "sort_dir" in given):
        raise Invalid(
            "The 'sort_key' and 'sort_dir' parameters are deprecated and cannot be used with the 'sort' parameter."
        )
    if "sort" in given:
        pairs = [(key.strip(), way.strip()) for key, _, way in (p.partition(":") for p in given.pop("sort").split(","))]
    else:
        pairs = [(given.pop("sort_key", "created_at").strip(), given.pop("sort_dir", "desc").strip())]
    found: list[tuple[str, bool]] = []
    for key, way in pairs:
        column = resource.columns.get(key)
        if column is None or column in resource.maps:
            raise Invalid(f"Invalid input received: Sort key supplied is invalid: {key}")
        if way not in ("asc", "desc", ""):
            raise Invalid(f"Invalid input received: Unknown sort direction, must be one of: 'asc', 'desc'. Got: {way}")
        found.append((column, way != "asc"))
    for column in ("created_at", "id"):
        if column not in dict(found):
            found.append((column, found[0][1]))
    return found


def _offered(call: Call, resource: Resource, given: dict[str, str]) -> dict[str, str]:
    """The filters that count. Raises Invalid for one that is not offered, from 3.31 on."""
    given.pop("all_tenants", None)
    if call.at_least("3.31"):
        similar = call.at_least("3.34")
        wrong = [
            name
            for name in given
            if not call.context.is_admin
            and name not in resource.filters
            and not (similar and name.endswith("~") and f"{name}" in resource.filters)
        ]
        if wrong:
            raise Invalid(f"Invalid filters {','.join(wrong)} are found in query options.")
        return given
    kept = {
        name: value
        for name, value in given.items()
        if name not in resource.since or call.at_least(resource.since[name])
    }
    return {name: value for name, value in kept.items() if call.context.is_admin or name in resource.filters}


def _conditions(call: Call, resource: Resource, name: str, value: str) -> list[Condition | AnyOf]:
    plain = name.removesuffix("~")
    column = resource.columns.get(plain)
    if column is None:
        return [NOTHING]
    if name == resource.host:
        return [Condition(column, "matches", _at(value))]
    if name.endswith("~"):
        return [Condition(column, "matches", re.escape(value))]
    if column in resource.times:
        return _times(column, value)
    if column in resource.flags:
        return [Condition(column, "=", _flag(call, name, value))]
    if column in resource.maps:
        return _map(column, value)
    found = value if name == "name" else _literal(value)
    if isinstance(found, list | tuple | set):
        return [Condition(column, "in", [_text(one) for one in found])]
    if found is None:
        return [Condition(column, "is null")]
    number = isinstance(found, int) and abs(found) <= values.LARGEST
    return [Condition(column, "=", found if number else _text(found))]


def _at(host: str) -> str:
    """The pattern of the pools of a host or backend, or of one pool: ``host@backend#pool``."""
    further = "" if "#" in host else "(#.*)?" if "@" in host else "([@#].*)?"
    return f"^{re.escape(host)}{further}$"


def _flag(call: Call, name: str, value: str) -> bool:
    if call.at_least("3.2"):
        try:
            return values.truth(name, value.strip())
        except Invalid as error:
            raise Invalid(f"Invalid input received: '{name} = {value}'") from error
    return value not in ("False", "false", "FALSE") and bool(value)


def _map(column: str, value: str) -> list[Condition | AnyOf]:
    """Pairs that an object has to hold: ``{"key": "value"}``, in JSON or as Python writes it."""
    found = _literal(value)
    if not isinstance(found, dict):
        return [NOTHING]
    return [Condition(f"{column}", "holds", [_text(key), _text(wanted)]) for key, wanted in found.items()]


def _literal(value: str) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value


def _text(value: Any) -> str:
    """As a column may hold it: an escape in a literal can stand for what is no character."""
    return str(value).encode("utf-8", "replace").decode()


def _times(column: str, value: str) -> list[Condition | AnyOf]:
    found: list[Condition | AnyOf] = []
    for part in value.split(","):
        operator, _, time = part.partition(":")
        if operator not in _OPERATORS:
            raise Invalid(f"Invalid {operator} operator")
        match = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?)?(?:Z|\+00:00)?", time)
        if match is None:
            raise Invalid(f"Invalid {time} value")
        fraction = (match[3] or ".").ljust(7, "0")
        found.append(Condition(column, _op(_OPERATORS[operator]), f"{match[1]}T{match[2] or '00:00:00'}{fraction}"))
    return found


def _op(text: str) -> Any:
    return text
