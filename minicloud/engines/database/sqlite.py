"""The database in a file: aiosqlite owns the connections and their threads, one that writes and a few that read.

Whole functions are handed to a connection's thread (a ten-statement transaction costs one hop, not ten). Writers that wait
while a commit is under way share the next one: each runs behind a savepoint of its own, so that one's failure is only its own.
"""

import asyncio
import contextvars
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import aiosqlite

from minicloud.base import trace
from minicloud.base.clock import Clock, SystemClock
from minicloud.base.errors import Unavailable
from minicloud.base.ids import Ids, RandomIds
from minicloud.engines.database import Transaction
from minicloud.engines.database.migrate import migrate
from minicloud.engines.database.transaction import SqliteTransaction, prepare, told

T = TypeVar("T")
LARGEST_GROUP = 64


class _Waiting:
    """A function that waits for the writer, and what became of it."""

    __slots__ = ("context", "error", "fn", "future", "hooks", "result")

    def __init__(self, fn: Callable[[Transaction], Any], future: "asyncio.Future[Any]") -> None:
        self.fn = fn
        self.future = future
        self.context = contextvars.copy_context()
        self.result: Any = None
        self.error: BaseException | None = None
        self.hooks: list[Callable[[], None]] = []


class SqliteDatabase:
    """Keeps the database promise on a file, under asyncio. Open it with ``await SqliteDatabase.open(path)``."""

    def __init__(
        self, writer: aiosqlite.Connection, readers: list[aiosqlite.Connection], clock: Clock, ids: Ids
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock
        self._ids = ids
        self._queue: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._turn = 0
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: str,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        durability: str = "normal",
        readers: int = 2,
    ) -> "SqliteDatabase":
        """Open or create the file and bring it up to date. Raises Conflict when a newer program wrote it."""

        async def connection(read_only: bool) -> aiosqlite.Connection:
            made = await aiosqlite.connect(path, isolation_level=None, cached_statements=1024)

            def ready() -> None:
                prepare(_raw(made), durability=durability, read_only=read_only)
                if not read_only:
                    migrate(_raw(made))

            try:
                await _on_thread(made, ready)
            except BaseException:
                await made.close()
                raise
            return made

        writer = await connection(read_only=False)
        return cls(
            writer,
            [await connection(read_only=True) for _ in range(readers)],
            clock or SystemClock(),
            ids or RandomIds(),
        )

    async def read(self, fn: Callable[[Transaction], T]) -> T:
        if self._closed:
            raise Unavailable("The database is closed: this cloud is stopping")
        self._turn = (self._turn + 1) % len(self._readers)
        reader = self._readers[self._turn]
        context = contextvars.copy_context()
        return await _on_thread(reader, context.run, self._read, _raw(reader), fn)

    def _read(self, connection: sqlite3.Connection, fn: Callable[[Transaction], T]) -> T:
        connection.execute("BEGIN")
        try:
            return fn(SqliteTransaction(connection, self._clock, self._ids))
        finally:
            connection.execute("ROLLBACK")

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        if self._closed:
            raise Unavailable("The database is closed: this cloud is stopping")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(fn, loop.create_future())
        self._queue.append(waiting)
        if self._writing is None:
            self._writing = loop.create_task(self._write_all())
        done: T = await waiting.future
        return done

    async def close(self) -> None:
        self._closed = True
        if self._writing is not None:
            await asyncio.wait([self._writing])
        for connection in [*self._readers, self._writer]:
            await connection.close()

    async def _write_all(self) -> None:
        try:
            while self._queue:
                group: list[_Waiting] = []
                while self._queue and len(group) < LARGEST_GROUP:
                    waiting = self._queue.popleft()
                    if not waiting.future.cancelled():
                        group.append(waiting)
                if group:
                    await _on_thread(self._writer, self._write_group, _raw(self._writer), group)
                if len(group) > 1:
                    # Noted here, as the writer's thread has no context; and about nobody's request, as it is about many.
                    with trace.about(request_id="", resource=""):
                        trace.note("group_commit", writers=len(group))
                for waiting in group:
                    if waiting.error is None:
                        try:
                            for hook in waiting.hooks:
                                hook()
                        except Exception as error:  # noqa: BLE001 - its caller hears of it; whoever else waits must be answered
                            waiting.error = error
                    if waiting.future.done():
                        continue
                    if waiting.error is None:
                        waiting.future.set_result(waiting.result)
                    else:
                        waiting.future.set_exception(waiting.error)
        finally:
            self._writing = None

    def _write_group(self, connection: sqlite3.Connection, group: list[_Waiting]) -> None:
        """Runs in the writer's thread. Fills in each member's result or error; raises nothing."""
        try:
            connection.execute("BEGIN IMMEDIATE")
            for waiting in group:
                self._write_one(connection, waiting, alone=len(group) == 1)
            if connection.in_transaction:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for waiting in group:
                waiting.error = waiting.error or told(error)

    def _write_one(self, connection: sqlite3.Connection, waiting: _Waiting, *, alone: bool) -> None:
        if not alone:
            connection.execute("SAVEPOINT one")
        tx = SqliteTransaction(connection, self._clock, self._ids)
        try:
            waiting.result = waiting.context.run(waiting.fn, tx)
            waiting.hooks = tx.hooks
        except BaseException as error:  # whatever it is, it belongs to the caller who waits for this function
            waiting.error = told(error) if isinstance(error, sqlite3.Error) else error
            if not connection.in_transaction:
                raise sqlite3.OperationalError(f"the transaction was lost: {error}") from error
            if alone:
                connection.execute("ROLLBACK")
            else:
                connection.execute("ROLLBACK TO one")
                connection.execute("RELEASE one")
        else:
            if not alone:
                connection.execute("RELEASE one")


async def _on_thread(connection: aiosqlite.Connection, fn: Callable[..., T], *arguments: Any) -> T:
    """Run a whole function on the connection's own thread: one hop. aiosqlite offers only single statements in public."""
    done: T = await connection._execute(fn, *arguments)  # type: ignore[no-untyped-call] # not public, hence untyped
    return done


def _raw(connection: aiosqlite.Connection) -> sqlite3.Connection:
    """The connection below; used only in its own thread."""
    return connection._conn
