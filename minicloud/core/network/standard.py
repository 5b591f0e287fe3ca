"""What every resource of the network service has: a revision that counts changes, and the time of the last one."""

from typing import Any, TypeVar

from minicloud.base.errors import PreconditionFailed
from minicloud.core import records
from minicloud.engines.database import Transaction

R = TypeVar("R", bound=records.Record)


def change(tx: Transaction, record: R, **values: Any) -> R:
    """Swap values in and count one more revision; nothing happens when nothing differs."""
    if all(getattr(record, name) == value for name, value in values.items()):
        return record
    return touch(tx, record, **values)


def touch(tx: Transaction, record: R, **values: Any) -> R:
    """Count one more revision even where no column of the row changed: what hangs on it did."""
    revision: int = getattr(record, "revision_number")  # noqa: B009 - not every record has one, those given here do
    return records.change(tx, record, **values, revision_number=revision + 1, updated_at=tx.now)


def expect(record: records.Record, revision: int | None) -> None:
    """Raises PreconditionFailed unless the record is at the revision that an If-Match names."""
    at = getattr(record, "revision_number")  # noqa: B009
    if revision is not None and at != revision:
        raise PreconditionFailed(
            f"Constrained to {revision}, but current revision is {at}", kind="RevisionNumberConstraintFailed"
        )
