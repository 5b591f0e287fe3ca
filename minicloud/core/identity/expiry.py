"""Moments that clients name as an end: read in the forms that they come in, refused when they are over."""

from datetime import UTC, datetime

from minicloud.base.clock import moment, stamp
from minicloud.base.errors import Invalid
from minicloud.engines.database import Transaction


def end_named(tx: Transaction, text: str | None) -> str | None:
    """The stamp of a moment to come; None where none is named. Raises Invalid."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"The 'expires_at' {text!r} is no moment in ISO 8601, such as 2030-01-31T12:00:00Z") from error
    if found <= moment(tx.now):
        raise Invalid(
            "The 'expires_at' must not be before now. The server could not comply with the request since it is "
            "either malformed or otherwise incorrect. The client is assumed to be in error."
        )
    return stamp(found)
