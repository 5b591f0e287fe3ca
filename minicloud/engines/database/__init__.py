"""The database promise: hand over a function of a transaction, get its result after the commit. Keepers: ``sqlite``, ``inline``.

A function is run once, as a whole, with nothing between its statements; what it raises rolls back what it did, and reaches
the caller. ``core`` is written against ``Transaction`` alone and is therefore synchronous.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, LiteralString, Protocol, TypeVar

from minicloud.base.ids import Ids

T = TypeVar("T")
Row = tuple[Any, ...]
Parameters = Sequence[Any]


class Transaction(Protocol):
    """One transaction. It knows what time it is (the same throughout) and hands out identifiers."""

    @property
    def now(self) -> str:
        """The moment of this transaction, as ``base.clock.stamp`` writes it."""

    @property
    def ids(self) -> Ids:
        """Where new identifiers come from."""

    def one(self, sql: LiteralString, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None."""

    def all(self, sql: LiteralString, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query."""

    def execute(self, sql: LiteralString, parameters: Parameters = ()) -> int:
        """Run a statement; the number of rows it changed."""

    def many(self, sql: LiteralString, rows: Iterable[Parameters]) -> None:
        """Run a statement once for each row of parameters."""

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this in the event loop once the transaction is durable, before its caller goes on; never if it is rolled back."""


class Database(Protocol):
    """Runs functions in transactions."""

    async def read(self, fn: Callable[[Transaction], T]) -> T:
        """Run ``fn`` on a consistent view that includes every write acknowledged so far; it may not write."""

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        """Run ``fn`` and commit; its result is returned only when the commit is durable. Waiting writers may share a commit."""

    async def close(self) -> None:
        """Finish what is under way and let go of the file."""
