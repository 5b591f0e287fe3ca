"""Listings as data: what may be sorted and filtered by, how large a page is, and how each service links to the next.

    SERVERS = Listing("servers", sort=("created_at", "desc"), sort_keys={...}, filters={"name": like("name")})

A route carries its Listing; the machine reads the query string into a ``Page``; ``core`` reads the records of
``page.query``; ``page.links`` tells the client where to go on.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

from minicloud.base.clock import stamp
from minicloud.base.errors import Invalid
from minicloud.core.records import AnyOf, Condition, Query

Reader = Callable[[str], list[Condition]]


def equal(column: str) -> Reader:
    """Filter: the column is this text."""
    return lambda text: [Condition(column, "=", text)]


def flag(column: str) -> Reader:
    """Filter: the column is this truth, in any of the ways in which clients write it."""
    return lambda text: [Condition(column, "=", truth(text))]


def number(column: str) -> Reader:
    """Filter: the column is this whole number."""

    def read(text: str) -> list[Condition]:
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise Invalid(f"Invalid value for {column}: {text} is not an integer", kind="filter")
        return [Condition(column, "=", int(text))]

    return read


def since(column: str) -> Reader:
    """Filter: the column, a stamp, is at this moment or later."""
    return lambda text: [Condition(column, ">=", moment(text))]


def until(column: str) -> Reader:
    """Filter: the column, a stamp, is at this moment or earlier."""
    return lambda text: [Condition(column, "<=", moment(text))]


def moment(text: str) -> str:
    """A client's time as a stamp; without a zone it means UTC. Raises Invalid."""
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Invalid(
            f"Invalid input for query parameters. Value: {text}. '{text}' is not a 'date-time'", kind="filter"
        ) from error
    return stamp(at if at.tzinfo else at.replace(tzinfo=UTC))


def truth(text: str) -> bool:
    """What a client means by a word of truth. Raises Invalid for other words."""
    if text.lower() in ("1", "t", "true", "on", "y", "yes"):
        return True
    if text.lower() in ("0", "f", "false", "off", "n", "no"):
        return False
    raise Invalid(f"Invalid value '{text}', must be a boolean", kind="filter")


Links = Literal["rel", "glance", "keystone", "always_rel"]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """How one collection is listed. ``sort_keys`` maps the API's names to columns; repeated filters mean any of the values.

    ``unsorted_by`` are sort keys that are passed over with their direction (a key in ``sort_keys``, too, counts).
    ``descending`` is the direction of a key without one; ``then_by`` columns follow the keys that were asked for.
    ``links_when_full``: a page that is just full links on, too, as Nova's do, whose next page may be empty.
    """

    name: str
    sort_keys: dict[str, str] = msgspec.field(default_factory=lambda: {"id": "id"})
    sort: list[tuple[str, bool]] = msgspec.field(default_factory=lambda: [("id", False)])
    unsorted_by: Sequence[str] = ()
    descending: bool = False
    then_by: Sequence[str] = ()
    filters: dict[str, Reader] = {}
    largest: int = 1000
    default_limit: int | None = 1000
    links: Links = "rel"
    zero_limit_means_all: bool = False
    links_when_full: bool = False


class Page(msgspec.Struct, kw_only=True):
    """What a request wants to see of a collection. ``query`` asks for one record more than the page holds, to know whether to link on."""

    listing: Listing
    query: Query
    limit: int | None
    base: str
    parameters: list[tuple[str, str]]

    def cut(self, rows: Sequence[Any]) -> tuple[list[Any], bool]:
        """The rows of this page, and whether there are more."""
        if self.limit is None or len(rows) <= self.limit:
            return list(rows), self.listing.links_when_full and len(rows) == self.limit != 0
        return list(rows[: self.limit]), True

    def next_url(self, marker: str) -> str:
        """The address of the page after ``marker``."""
        kept = [(k, v) for k, v in self.parameters if k != "marker"]
        return f"{self.base}?{urlencode([*kept, ('marker', marker)])}"

    def document(self, items: Sequence[Any], *, more: bool, last_id: str | None) -> dict[str, Any]:
        """The collection under its name, with links in the service's manner."""
        name = self.listing.name
        following = self.next_url(last_id) if more and last_id is not None else None
        match self.listing.links:
            case "keystone":
                here = f"{self.base}?{urlencode(self.parameters)}" if self.parameters else self.base
                return {name: list(items), "links": {"self": here, "previous": None, "next": following}}
            case "glance":
                document: dict[str, Any] = {name: list(items), "first": _path(self.base, self.parameters)}
                document["schema"] = f"/v2/schemas/{name}"
                if following is not None:
                    document["next"] = _path(following, [])
                return document
            case _:
                document = {name: list(items)}
                if following is not None:
                    document[f"{name}_links"] = [{"rel": "next", "href": following}]
                return document


def _path(url: str, parameters: list[tuple[str, str]]) -> str:
    kept = [(k, v) for k, v in parameters if k != "marker"]
    path = url[url.index("/v2/") :] if "/v2/" in url else url
    return f"{path}?{urlencode(kept)}" if kept else path


def read_page(listing: Listing, parameters: list[tuple[str, str]], *, base: str) -> Page:
    """The page a query string asks for. Raises Invalid for a bad limit, sort key, direction or filter value."""
    values: dict[str, list[str]] = {}
    for name, value in parameters:
        values.setdefault(name, []).append(value)
    limit = _limit(listing, values)
    query = Query(
        where=_conditions(listing, values),
        sort=_sort(listing, values),
        limit=None if limit is None else limit + 1,
        marker=(values.get("marker") or [""])[-1] or None,
    )
    return Page(listing=listing, query=query, limit=limit, base=base, parameters=parameters)


def _limit(listing: Listing, values: Mapping[str, list[str]]) -> int | None:
    text = (values.get("limit") or [""])[-1]
    if not text:
        return listing.default_limit
    if not re.fullmatch(r"\d{1,18}", text):
        raise Invalid(f"limit param must be an integer: {text}", kind="limit")
    limit = int(text)
    if limit == 0 and listing.zero_limit_means_all:
        return listing.default_limit
    return min(limit, listing.largest)


def _sort(listing: Listing, values: Mapping[str, list[str]]) -> list[tuple[str, bool]]:
    keys, directions = values.get("sort_key", []), values.get("sort_dir", [])
    pairs = [(key, directions[min(i, len(directions) - 1)] if directions else "") for i, key in enumerate(keys)]
    for text in values.get("sort", []):
        pairs += [(key, direction) for key, _, direction in (part.strip().partition(":") for part in text.split(","))]
    if not pairs:
        if directions and directions[-1] not in ("asc", "desc"):
            raise Invalid(f"Unknown sort direction, must be one of: asc, desc (not {directions[-1]})", kind="sort_dir")
        descending = {"asc": False, "desc": True}.get(directions[-1] if directions else "")
        return [
            (column, listing_descending if descending is None else descending)
            for column, listing_descending in listing.sort
        ]
    found = []
    pairs = [(key, direction) for key, direction in pairs if key in listing.sort_keys or key not in listing.unsorted_by]
    if not pairs:
        return listing.sort
    for key, direction in pairs:
        if key not in listing.sort_keys:
            raise Invalid(f"Sort key {key} is not supported", kind="sort_key")
        if direction not in ("asc", "desc", ""):
            raise Invalid(f"Unknown sort direction, must be one of: asc, desc (not {direction})", kind="sort_dir")
        default = dict(listing.sort).get(listing.sort_keys[key], listing.descending)
        found.append((listing.sort_keys[key], default if direction == "" else direction == "desc"))
    first = found[0][1]
    return [*found, *((column, first) for column in listing.then_by if column not in dict(found))]


def _conditions(listing: Listing, values: Mapping[str, list[str]]) -> list[Condition | AnyOf]:
    found: list[Condition | AnyOf] = []
    for name, reader in listing.filters.items():
        if name not in values:
            continue
        each = [reader(text) for text in values[name]]
        if len(each) == 1:
            found += each[0]
            continue
        plain = [
            part[0] for part in each if len(part) == 1 and isinstance(part[0], Condition) and part[0].operator == "="
        ]
        if len(plain) == len(each):
            found.append(Condition(plain[0].column, "in", [condition.value for condition in plain]))
        else:
            found += each[-1]
    return found
