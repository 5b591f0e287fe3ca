"""What every resource of the network service has: a revision that counts changes, and the time of the last one."""

from typing import Any, TypeVar

import msgspec

from minicloud.base.errors import PreconditionFailed
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.records import Condition
from minicloud.engines.database import Transaction


class Owned(records.Record, kw_only=True):
    """What a project owns."""

    id: str
    project_id: str


class Resource(Owned, kw_only=True):
    """What a project owns, with a revision."""

    revision_number: int = 1
    created_at: str
    updated_at: str


class Tagged(Resource, kw_only=True):
    """What a project owns, with a revision and tags."""

    tags: list[str] = []


class Part(records.Record, kw_only=True):
    """What hangs on a resource, or on the whole service, and has no owner but that; it has a revision of its own."""

    id: str
    revision_number: int = 1
    created_at: str
    updated_at: str


R = TypeVar("R", bound=Resource | Part)
Mine = TypeVar("Mine", bound=Owned)


def own(tx: Transaction, context: Context, kind: type[Mine], record_id: str) -> Mine:
    """What exists for whoever asks because it is their project's; an administrator's is everything. Raises NotFound."""
    found = records.find(tx, kind, record_id)
    if found is None or not context.sees(found.project_id):
        raise kind.missing(record_id)
    return found


def own_page(tx: Transaction, context: Context, kind: type[Mine], query: records.Query) -> list[Mine]:
    """A page of what exists for whoever asks because it is their project's."""
    mine = [] if context.is_admin else [Condition("project_id", "=", context.project_id or "")]
    return records.page(tx, kind, msgspec.structs.replace(query, where=[*query.where, *mine]))


def change(tx: Transaction, record: R, **values: Any) -> R:
    """Swap values in and count one more revision; nothing happens when nothing differs."""
    if all(getattr(record, name) == value for name, value in values.items()):
        return record
    return touch(tx, record, **values)


def touch(tx: Transaction, record: R, **values: Any) -> R:
    """Count one more revision even where no column of the row changed: what hangs on it did."""
    return records.change(tx, record, **values, revision_number=record.revision_number + 1, updated_at=tx.now)


def expect(record: Resource | Part, revision: int | None) -> None:
    """Raises PreconditionFailed unless the record is at the revision that an If-Match names."""
    at = record.revision_number
    if revision is not None and at != revision:
        raise PreconditionFailed(
            f"Constrained to {revision}, but current revision is {at}", kind="RevisionNumberConstraintFailed"
        )
