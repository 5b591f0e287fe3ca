"""Query strings: which parameters a call takes, and from which version on others are refused; checks of names."""

from typing import Any

from minicloud.api.call import Call
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
