"""Which images a listing shows: what whoever asks may see, narrowed by visibility, tags, properties and plain conditions."""

from collections.abc import Sequence

import msgspec

from minicloud.base.errors import Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.image.images import Image, get
from minicloud.core.records import AllOf, AnyOf, Condition, Query
from minicloud.engines.database import Transaction


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing asks for. ``visibility`` may be ``all``; ``member_status`` says which shared images count, ``all`` included."""

    conditions: Sequence[Condition | AnyOf] = ()
    visibility: str | None = None
    member_status: str = "accepted"
    hidden: bool = False
    tags: Sequence[str] = ()
    properties: Sequence[tuple[str, str]] = ()
    sort: Sequence[tuple[str, bool]] = (("created_at", True),)
    limit: int = 25
    marker: str | None = None


def page(tx: Transaction, context: Context, wanted: Wanted) -> list[Image]:
    """One page of images. Raises Invalid (kind ``marker``) when the marker is no image that whoever asks can see."""
    if wanted.marker is not None:
        try:
            get(tx, context, wanted.marker)
        except NotFound as error:
            raise Invalid(error.message, kind="marker") from error
    where: list[Condition | AnyOf] = [
        Condition("deleted", "=", False),
        Condition("os_hidden", "=", wanted.hidden),
        *_seen(tx, context, wanted.member_status),
        *_visibility(context, wanted.visibility),
        *wanted.conditions,
    ]
    where += [Condition("id", "in", _tagged(tx, tag)) for tag in wanted.tags]
    where += [Condition("id", "in", _with_property(tx, name, value)) for name, value in wanted.properties]
    sort = list(wanted.sort)
    sort += [(key, sort[-1][1]) for key in ("created_at",) if key not in dict(sort)]
    return records.page(tx, Image, Query(where=where, sort=sort, limit=wanted.limit, marker=wanted.marker))


def _seen(tx: Transaction, context: Context, member_status: str) -> list[Condition | AnyOf]:
    """What exists for whoever asks. Shared images count only once the project has answered as ``member_status`` says."""
    if context.is_admin:
        return []
    ways: list[Condition | AllOf] = [Condition("visibility", "in", ["public", "community"])]
    if context.project_id is not None:
        ways += [
            Condition("owner", "=", context.project_id),
            Condition("id", "in", _shared(tx, context.project_id, member_status)),
        ]
    return [AnyOf(ways)]


def _visibility(context: Context, visibility: str | None) -> list[Condition | AnyOf]:
    """Community images are shown to their owner, and else only to those who ask for them."""
    if visibility == "all":
        return []
    if visibility is not None:
        return [Condition("visibility", "=", visibility)]
    ways: list[Condition | AllOf] = [Condition("visibility", "!=", "community")]
    if context.project_id is not None:
        ways.append(Condition("owner", "=", context.project_id))
    return [AnyOf(ways)]


def _shared(tx: Transaction, project_id: str, status: str) -> list[str]:
    rows = tx.all(
        "SELECT m.image_id FROM image_members m JOIN images i ON i.id = m.image_id "
        "WHERE m.member_id = ? AND i.visibility = 'shared' AND (? = 'all' OR m.status = ?)",
        [project_id, status, status],
    )
    return [row[0] for row in rows]


def _tagged(tx: Transaction, tag: str) -> list[str]:
    rows = tx.all(
        "SELECT i.id FROM images i WHERE i.deleted = 0 AND EXISTS (SELECT 1 FROM json_each(i.tags) t WHERE t.value = ?)",
        [tag],
    )
    return [row[0] for row in rows]


def _with_property(tx: Transaction, name: str, value: str) -> list[str]:
    rows = tx.all(
        "SELECT i.id FROM images i WHERE i.deleted = 0 AND "
        "EXISTS (SELECT 1 FROM json_each(i.properties) p WHERE p.key = ? AND p.value = ?)",
        [name, value],
    )
    return [row[0] for row in rows]
