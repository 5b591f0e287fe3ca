"""Tags of network resources: at most fifty short words on each."""

from collections.abc import Sequence
from typing import TypeVar

from minicloud.base.errors import Conflict, NotFound
from minicloud.core.network import standard
from minicloud.core.network.standard import Tagged
from minicloud.core.records import AnyOf, Condition
from minicloud.engines.database import Transaction

MOST = 50
R = TypeVar("R", bound=Tagged)


def replace(tx: Transaction, record: R, tags: Sequence[str]) -> R:
    """Give a record these tags, each once and in the order in which upstream keeps them. Raises Conflict for too many."""
    wanted = sorted(set(tags))
    if len(wanted) > MOST:
        raise Conflict(f"The number of tags exceeded the per-resource limit of {MOST}", kind="TagLimitExceeded")
    return standard.change(tx, record, tags=wanted)


def add(tx: Transaction, record: R, tags: Sequence[str]) -> R:
    """Give a record further tags."""
    return replace(tx, record, [*record.tags, *tags])


def remove(tx: Transaction, record: R, tag: str) -> R:
    """Take a tag away. Raises NotFound."""
    if tag not in record.tags:
        raise missing(tag)
    return standard.change(tx, record, tags=[other for other in record.tags if other != tag])


def missing(tag: str) -> NotFound:
    """The error for a tag that is not there."""
    return NotFound(f"Tag {tag} could not be found.", kind="TagNotFound")


def conditions(
    *, every: Sequence[str] = (), some: Sequence[str] = (), not_every: Sequence[str] = (), none: Sequence[str] = ()
) -> list[Condition | AnyOf]:
    """Conditions on tags: all of these, any of these, not all of these, none of these."""
    found: list[Condition | AnyOf] = [Condition("tags", "has", tag) for tag in every]
    if some:
        found.append(AnyOf([Condition("tags", "has", tag) for tag in some]))
    if not_every:
        found.append(AnyOf([Condition("tags", "has not", tag) for tag in not_every]))
    return [*found, *(Condition("tags", "has not", tag) for tag in none)]
