"""A transaction on a connection of the standard library's sqlite3, shared by both keepers of the database promise."""

import functools
import re
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, LiteralString

from minicloud.base.clock import Clock, stamp
from minicloud.base.errors import Conflict, Unavailable
from minicloud.base.ids import Ids
from minicloud.engines.database import Parameters, Row


class SqliteTransaction:
    """Statements on one connection between BEGIN and COMMIT, which the keeper issues."""

    __slots__ = ("_clock", "_connection", "_now", "hooks", "ids")

    def __init__(self, connection: sqlite3.Connection, clock: Clock, ids: Ids) -> None:
        self._connection = connection
        self._clock = clock
        self._now: str | None = None
        self.ids = ids
        self.hooks: list[Callable[[], None]] = []

    @property
    def now(self) -> str:
        if self._now is None:
            self._now = stamp(self._clock.now())
        return self._now

    def one(self, sql: LiteralString, parameters: Parameters = ()) -> Row | None:
        row: Row | None = self._run(sql, parameters).fetchone()
        return row

    def all(self, sql: LiteralString, parameters: Parameters = ()) -> list[Row]:
        return self._run(sql, parameters).fetchall()

    def execute(self, sql: LiteralString, parameters: Parameters = ()) -> int:
        return self._run(sql, parameters).rowcount

    def many(self, sql: LiteralString, rows: Iterable[Parameters]) -> None:
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.IntegrityError as error:
            raise _as_conflict(error) from error

    def after_commit(self, call: Callable[[], None]) -> None:
        self.hooks.append(call)

    def _run(self, sql: str, parameters: Parameters) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.IntegrityError as error:
            raise _as_conflict(error) from error


def _as_conflict(error: sqlite3.IntegrityError) -> Conflict:
    """A uniqueness or reference rule spoke: to the caller it is a conflict like any other."""
    return Conflict(f"The change contradicts other records: {error}", kind="integrity", rule=str(error))


def told(error: sqlite3.Error) -> Exception:
    """Failures of the file itself (locked, full, gone) in words that say what to do; defects of a statement stay what they are."""
    text = str(error)
    if isinstance(error, sqlite3.OperationalError) and not text.startswith(
        ("no such", "near ", "ambiguous", "incomplete")
    ):
        return Unavailable(
            f"The database cannot be used now ({text}): make room on the disk of the data folder, "
            "and let no other program hold the file",
            kind="database",
        )
    return error


def connect(path: str, *, durability: str = "normal", read_only: bool = False) -> sqlite3.Connection:
    """Open a connection as both keepers use it: explicit transactions, WAL, foreign keys, a large statement cache."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=1024, check_same_thread=False)
    prepare(connection, durability=durability, read_only=read_only)
    return connection


def prepare(connection: sqlite3.Connection, *, durability: str, read_only: bool) -> None:
    """Set the pragmas of a fresh connection."""
    pragmas: dict[str, Any] = {
        "journal_mode": "WAL",
        "synchronous": "FULL" if durability == "full" else "NORMAL",
        "foreign_keys": "ON",
        "busy_timeout": 10_000,
        "temp_store": "MEMORY",
        "cache_size": -8_000,
        "query_only": "ON" if read_only else "OFF",
    }
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name}={value}")
    connection.create_function("REGEXP", 2, _matches, deterministic=True)


@functools.lru_cache(256)
def _search(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern).search


def _matches(pattern: str, text: str | None) -> bool:
    return text is not None and _search(pattern)(text) is not None
