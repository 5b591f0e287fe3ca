"""Query strings: which parameters a call takes, and from which version on others are refused; checks of names."""

import uuid
from typing import Any

import msgspec

from minicloud.api.call import Call
from minicloud.api.listing import moment, truth
from minicloud.base.errors import Invalid
from minicloud.core.compute import quotas
from minicloud.core.records import Transaction

LARGEST_INTEGER = (1 << 31) - 1


def only(call: Call, *names: str, since: str = "2.75") -> None:
    """From this version on no other parameters may be sent. Raises Invalid."""
    if not call.at_least(since):
        return
    unknown = sorted({name for name, _ in call.parameters} - set(names))
    if unknown:
        were = "was" if len(unknown) == 1 else "were"
        raise Invalid(
            f"Additional properties are not allowed ({', '.join(map(repr, unknown))} {were} unexpected)", kind="query"
        )


def window(call: Call, most: int = 1000) -> tuple[int, int]:
    """Where a short listing begins and ends, by ``offset`` and ``limit``. Raises Invalid."""
    offset = integer("offset", call.parameter("offset") or 0, 0)
    limit = integer("limit", call.parameter("limit") or most, 0)
    return offset, offset + min(limit, most)


def only_null(raw: bytes, action: str) -> None:
    """An action that takes nothing may say no more than null. Raises Invalid."""
    if msgspec.json.decode(raw)[action] is not None:
        raise Invalid(f"Invalid input for field/attribute {action}. It is not of type 'null'", field=action)


def flag(field: str, value: bool | str) -> bool:
    """A truth in a body, which may be written as text. Raises Invalid."""
    if isinstance(value, bool):
        return value
    try:
        return truth(value)
    except Invalid as error:
        raise Invalid(f"Invalid input for field/attribute {field}. Value: {value}.", field=field) from error


def check_period(call: Call) -> None:
    """Raises Invalid where ``changes-since`` lies after ``changes-before``."""
    since, before = call.parameter("changes-since"), call.parameter("changes-before")
    if since is not None and before is not None and moment(since) > moment(before):
        raise Invalid("The value of changes-since must be less than or equal to changes-before.")


def check_uuid(text: str) -> None:
    """Raises Invalid for what is no UUID in any of the ways to write one."""
    try:
        uuid.UUID(text)
    except ValueError as error:
        raise Invalid(f"Invalid uuid {text}") from error


def check_name(field: str, value: str, *, trim: bool = False) -> str:
    """A name of printable characters, without white space at its ends (which ``trim`` takes away). Raises Invalid."""
    name = value.strip() if trim else value
    if not name or not name.isprintable() or name != name.strip():
        raise Invalid(
            f"Invalid input for field/attribute {field}. Value: {value}. {value!r} does not match: "
            "printable characters. Can not start or end with whitespace.",
            field=field,
        )
    return name


def integer(field: str, value: Any, smallest: int, largest: int = LARGEST_INTEGER) -> int:
    """A number, which may be written as text, within its bounds. Raises Invalid."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = smallest - 1
        if not isinstance(value, int):
            raise Invalid(f"Invalid input for field/attribute {field}. Value: {value}.", field=field) from None
    if number < smallest:
        raise Invalid(
            f"Invalid input for field/attribute {field}. Value: {value}. {value} is less than the minimum of {smallest}",
            field=field,
        )
    if number > largest:
        raise Invalid(
            f"Invalid input for field/attribute {field}. Value: {value}. {value} is greater than the maximum of {largest}",
            field=field,
        )
    return number


async def require_project(call: Call, project_id: str) -> None:
    """Raises Invalid when there is no such project."""

    def work(tx: Transaction) -> None:
        quotas.require_project(tx, project_id)

    await call.read(work)
