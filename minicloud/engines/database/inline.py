"""The database without threads: functions run at once, in the caller's own thread.

For tests on a virtual clock (a thread would let a mock clock jump while it works, and aiosqlite knows asyncio only), and
for clouds in memory, where it is the fastest there is.
"""

import functools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from minicloud.base.clock import Clock, SystemClock
from minicloud.base.ids import Ids, RandomIds
from minicloud.engines.database import Transaction
from minicloud.engines.database.migrate import migrate
from minicloud.engines.database.transaction import SqliteTransaction, connect, told

T = TypeVar("T")


class InlineDatabase:
    """Keeps the database promise on one connection, inline. ``path`` may be ``:memory:``."""

    def __init__(
        self,
        path: str = ":memory:",
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        durability: str = "normal",
        image: bytes | None = None,
    ) -> None:
        """``image``: begin as a copy of the database that it was taken of, in memory."""
        self._clock = clock or SystemClock()
        self._ids = ids or RandomIds()
        self._connection = connect(path, durability=durability)
        if path == ":memory:":
            # A copy, and not what deserialize() makes of the connection itself: that may not grow beyond a GiB.
            with closing(sqlite3.connect(path)) as like:
                like.deserialize(_without_rows() if image is None else image)
                like.backup(self._connection)
        if path != ":memory:" or image is not None:
            migrate(self._connection)

    def image(self) -> bytes:
        """All that is in it, to begin another one with."""
        return self._connection.serialize()

    async def read(self, fn: Callable[[Transaction], T]) -> T:
        connection = self._connection
        connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN")
        try:
            return fn(SqliteTransaction(connection, self._clock, self._ids))
        finally:
            connection.execute("ROLLBACK")
            connection.execute("PRAGMA query_only=OFF")

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        tx = SqliteTransaction(self._connection, self._clock, self._ids)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            result = fn(tx)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            raise told(error) from error
        except BaseException:
            self._rollback()
            raise
        for hook in tx.hooks:
            hook()
        return result

    async def close(self) -> None:
        self._connection.close()

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.OperationalError:
                # A full disk makes sqlite roll back by itself; the first error is the one to tell.
                pass


@functools.cache
def _without_rows() -> bytes:
    """A database with all tables. Making them takes twenty times as long as a copy, and a program may have many clouds in memory."""
    with closing(connect(":memory:")) as made:
        migrate(made)
        return made.serialize()
