"""How identity lists: pages, filters that match exactly or inexactly (``name__contains=``), and lists kept to one's domain."""

import re
from collections.abc import Callable
from typing import TypeVar

from minicloud.api.call import Call
from minicloud.api.identity import views
from minicloud.api.identity.views import View
from minicloud.api.listing import Listing, Reader, equal
from minicloud.base.errors import Invalid, NotFound
from minicloud.core.records import Condition, Query, Record, Transaction

R = TypeVar("R", bound=Record)


def text_filter(name: str, column: str | None = None) -> dict[str, Reader]:
    """The filters by a text: as it is, and the inexact ones, which heed case unless their word begins with ``i``."""
    column = column or name
    made: dict[str, Reader] = {name: equal(column)}
    for word, pattern in (("contains", "{}"), ("startswith", "^{}"), ("endswith", "{}$"), ("equals", "^{}$")):
        made[f"{name}__{word}"] = _matching(column, pattern)
        made[f"{name}__i{word}"] = _matching(column, f"(?i){pattern}")
    return made


def _matching(column: str, pattern: str) -> Reader:
    return lambda text: [Condition(column, "matches", pattern.format(re.escape(text)))]


def listing(name: str, filters: dict[str, Reader], *, sort: str = "name") -> Listing:
    """A collection as Keystone lists it: everything, unless a limit is asked for."""
    return Listing(
        name=name,
        filters=filters,
        sort=[(sort, False)],
        sort_keys={"id": "id", sort: sort},
        default_limit=None,
        links="keystone",
    )


async def show(
    call: Call,
    read: Callable[[Transaction, Query], list[R]],
    view: Callable[[Call, R], View],
    *conditions: Condition,
) -> View:
    """The page that a request asks for. Raises NotFound for a marker that nothing has."""
    query = call.page.query
    query.where.extend(conditions)
    try:
        rows = await call.read(lambda tx: read(tx, query))
    except Invalid as error:
        if error.kind == "marker":
            raise NotFound(f"Marker {query.marker} could not be found.") from error
        raise
    return views.listed(call, rows, view)


def own_domain(call: Call, column: str = "domain_id") -> list[Condition]:
    """With a token for a domain one sees what is in it, and nothing else."""
    return [] if call.context.domain_id is None else [Condition(column, "=", call.context.domain_id)]
