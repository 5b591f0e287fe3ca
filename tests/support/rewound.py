"""A database in memory that is put back to its beginning, for the many histories of a saga that all begin alike.

One transaction around all of them is never committed, and theirs are savepoints in it: going back costs nothing, and sqlite keeps
the tables and statements that it has read, which takes longer than running them does.
"""

import sqlite3
from typing import Any

from minicloud.engines.database.inline import InlineDatabase

_WORDS = {
    "BEGIN": ("SAVEPOINT transaction_",),
    "BEGIN IMMEDIATE": ("SAVEPOINT transaction_",),
    "COMMIT": ("RELEASE transaction_",),
    "ROLLBACK": ("ROLLBACK TO transaction_", "RELEASE transaction_"),
}


class _Within:
    """A connection whose transactions are savepoints."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner
        self.in_transaction = False
        self.executemany = inner.executemany
        self.close = inner.close

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        words = _WORDS.get(sql)
        if words is None:
            return self._inner.execute(sql, parameters)
        for word in words:
            done = self._inner.execute(word)
        self.in_transaction = sql.startswith("BEGIN")
        return done


class RewoundDatabase(InlineDatabase):
    """Begins as a copy of the database that an image was taken of. One history at a time."""

    def __init__(self, image: bytes) -> None:
        super().__init__(image=image)
        self._all: sqlite3.Connection = self._connection
        self._all.execute("BEGIN")
        self._connection: Any = _Within(self._all)

    def rewind(self) -> None:
        """What happened since the beginning has not."""
        self._all.execute("PRAGMA query_only=OFF")
        self._all.execute("ROLLBACK")
        self._all.execute("BEGIN")
        self._connection.in_transaction = False

    async def close(self) -> None:
        """It may be needed again."""
