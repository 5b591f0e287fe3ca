"""The trace kept in a small file of its own, written in batches by one thread and readable by another process meanwhile.

Taking a note is an append to a buffer. A quarter of a second of notes may be lost with the process; never the process with
its notes: what cannot be written ends the tracing with one line in the log.
"""

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from types import TracebackType
from typing import Any, Self

import msgspec

from minicloud.base.errors import Conflict, NotFound
from minicloud.base.trace import Note

SCHEMA = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    word TEXT NOT NULL,
    request_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    span TEXT NOT NULL,
    facts TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS notes_by_request ON notes (request_id, at) WHERE request_id != '';
CREATE INDEX IF NOT EXISTS notes_by_resource ON notes (resource, at) WHERE resource != '';
CREATE INDEX IF NOT EXISTS notes_by_time ON notes (at);
"""
_COLUMNS = "at, word, request_id, resource, span, facts"
_INSERT = f"INSERT INTO notes ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"

_BATCH = 500
_BATCH_S = 0.2
_MOST_IN_MEMORY = 200_000
_MOST_FACTS = 32_768
_TRIM_EVERY = 5_000

_log = logging.getLogger(__name__)


class TraceReader:
    """Reads a trace file, also one that a running cloud in another process is writing."""

    def __init__(self, path: str) -> None:
        """Raises NotFound when there is no such file, Conflict when a newer minicloud wrote it."""
        if not os.path.exists(path):
            raise NotFound(f"There is no trace at {path}: has this cloud been up, with tracing on?", kind="no_trace")
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
        try:
            # Not opened as read-only: reading beside a writer needs sqlite's shared index file, which may have to be made.
            self._connection.execute("PRAGMA query_only=ON")
            _check_schema(self._connection, path)
        except BaseException:
            self._connection.close()
            raise

    def read(
        self,
        *,
        request_id: str | None = None,
        resource: str | None = None,
        since: float | None = None,
        mentions: str | None = None,
        limit: int = 10_000,
    ) -> list[Note]:
        """Notes of this request, about this resource, since this moment (seconds since the epoch), whose facts hold this
        text; whichever are given.

        In the order of time; where there are more than ``limit``, the newest. A span stands where it began.
        """
        where, values = ["1"], list[Any]()
        # Saying `!= ''` as well lets sqlite use the indexes, which leave out the notes that belong to nothing.
        for column, wanted in (("request_id", request_id), ("resource", resource)):
            if wanted is not None:
                where.append(f"{column} = ? AND {column} != ''" if wanted else f"{column} = ?")
                values.append(wanted)
        if since is not None:
            where.append("at >= ?")
            values.append(since)
        if mentions is not None:
            where.append("instr(facts, ?) > 0")
            values.append(mentions)
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM notes WHERE {' AND '.join(where)} ORDER BY at DESC, id DESC LIMIT ?",
            (*values, limit),
        ).fetchall()
        return [
            Note(at, word, request, about, span, msgspec.json.decode(facts))
            for at, word, request, about, span, facts in reversed(rows)
        ]

    def request_ids(self, resource: str) -> list[str]:
        """The requests that had to do with this resource, the earliest first."""
        rows = self._connection.execute(
            "SELECT request_id, min(at) FROM notes WHERE resource = ? AND resource != '' AND request_id != '' "
            "GROUP BY request_id ORDER BY 2",
            (resource,),
        )
        return [request_id for request_id, _ in rows]

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class TraceFile:
    """A sink that keeps notes in a file: at most ``most_notes``, none older than ``keep_days``. Close it at the end.

    ``stopped`` tells why nothing is kept any more (a full disk), or is None.
    """

    def __init__(self, path: str, *, most_notes: int = 1_000_000, keep_days: float = 30.0) -> None:
        """Raises Conflict when a newer minicloud wrote the file. A broken file is set aside and a new one begun."""
        self.stopped: str | None = None
        self._path = path
        self._most_notes = most_notes
        self._keep_s = keep_days * 86_400
        self._buffer: deque[Note] = deque()
        self._overflowed = 0
        self._written = 0
        self._trim_at = 0
        self._alarmed = False
        self._something = threading.Event()
        self._hurry = threading.Event()
        self._writing = threading.Lock()
        self._closing = False
        self._encoder = msgspec.json.Encoder(enc_hook=str)
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection = _open(path)
        except (sqlite3.Error, OSError) as error:
            self._stop(error)
        self._thread = threading.Thread(target=self._write_until_closed, name="trace-file", daemon=True)
        self._thread.start()

    def take(self, note: Note) -> None:
        """Keep a note; from any thread."""
        buffer = self._buffer
        buffer.append(note)
        if not self._alarmed:
            self._alarmed = True
            self._something.set()
        elif len(buffer) >= _BATCH:
            if len(buffer) > _MOST_IN_MEMORY:  # the disk does not keep up: memory is dearer than old notes
                buffer.popleft()
                self._overflowed += 1
            if not self._hurry.is_set():
                self._hurry.set()

    def flush(self) -> None:
        """Write what was taken so far; blocks for some milliseconds."""
        with self._writing:
            self._drain()

    def read(
        self,
        *,
        request_id: str | None = None,
        resource: str | None = None,
        since: float | None = None,
        mentions: str | None = None,
        limit: int = 10_000,
    ) -> list[Note]:
        """As ``TraceReader.read``, with everything taken until now; blocks, so call it in a thread."""
        self.flush()
        with TraceReader(self._path) as reader:
            return reader.read(request_id=request_id, resource=resource, since=since, mentions=mentions, limit=limit)

    def request_ids(self, resource: str) -> list[str]:
        """As ``TraceReader.request_ids``, with everything taken until now; blocks, so call it in a thread."""
        self.flush()
        with TraceReader(self._path) as reader:
            return reader.request_ids(resource)

    def close(self) -> None:
        """Write the rest and let go of the file; notes taken later are lost. May be called twice."""
        self._closing = True
        self._hurry.set()
        self._something.set()
        self._thread.join()
        with self._writing:
            self._drain()
            self.stopped = self.stopped or "closed"
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _write_until_closed(self) -> None:
        while not self._closing:
            self._something.wait()
            self._hurry.wait(_BATCH_S)
            # Cleared before the buffer is emptied: a note that comes in between rings again.
            self._something.clear()
            self._hurry.clear()
            self._alarmed = False
            self.flush()

    def _drain(self) -> None:
        while self._buffer:
            batch: list[Note] = []
            while self._buffer and len(batch) < _BATCH * 4:
                batch.append(self._buffer.popleft())
            if self._overflowed:
                lost, self._overflowed = self._overflowed, 0
                batch.append(Note(time.time(), "notes_lost", "", "", "", {"count": lost}))
            if self._connection is None:
                continue
            try:
                self._write(self._connection, batch)
            except sqlite3.OperationalError as error:
                if (
                    error.sqlite_errorcode == sqlite3.SQLITE_BUSY
                ):  # somebody holds the file; it comes with the next ones
                    self._buffer.extendleft(reversed(batch))
                    return
                self._stop(error)
            except (sqlite3.Error, OSError) as error:
                self._stop(error)

    def _write(self, connection: sqlite3.Connection, batch: list[Note]) -> None:
        rows = [(n.at, n.word, n.request_id, n.resource, n.span, self._text(n.facts)) for n in batch]
        try:
            self._insert(connection, rows)
        except (ValueError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError):
            # One note holds what no column takes, such as half a surrogate pair out of a client's path.
            self._insert(connection, [(float(row[0]), *map(_clean, row[1:])) for row in rows])
        self._written += len(rows)

    def _insert(self, connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(_INSERT, rows)
            if self._written >= self._trim_at:
                self._trim_at = self._written + min(_TRIM_EVERY, max(1, self._most_notes // 10))
                connection.execute("DELETE FROM notes WHERE id <= (SELECT max(id) FROM notes) - ?", (self._most_notes,))
                connection.execute("DELETE FROM notes WHERE at < ?", (time.time() - self._keep_s,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _text(self, facts: dict[str, Any]) -> str:
        try:
            text = self._encoder.encode(facts).decode()
        except (TypeError, ValueError, RuntimeError) as error:
            # Facts ought to be plain; one that is not must not cost the others.
            return msgspec.json.encode({"unreadable": ascii(error)}).decode()
        if len(text) > _MOST_FACTS:
            return msgspec.json.encode({"cut": text[: _MOST_FACTS // 2]}).decode()
        return text

    def _stop(self, error: Exception) -> None:
        self.stopped = str(error)
        _log.error("Tracing has stopped, the cloud goes on: %s cannot be written: %s", self._path, error)
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except sqlite3.Error:
                pass  # the file is given up already, and the first error was told


def _clean(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def _open(path: str) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        aside = f"{path}.broken"
        os.replace(path, aside)
        for companion in ("-wal", "-shm"):
            if os.path.exists(path + companion):
                os.unlink(path + companion)
        _log.warning("The trace %s was broken (%s): set aside as %s, a new one begins", path, error, aside)
        return _connect(path)


def _connect(path: str) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # sqlite would leave it readable to others
    connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    try:
        # In this order: making a new file a WAL one waits for the disk otherwise, which a cloud's start would wait for.
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA journal_size_limit=16000000")
        _check_schema(connection, path)
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA user_version={SCHEMA}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_schema(connection: sqlite3.Connection, path: str) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > SCHEMA:
        raise Conflict(
            f"The trace {path} was written by a newer minicloud (its schema is {found}, this program knows {SCHEMA}): "
            "upgrade minicloud, or move the file away",
            kind="newer_schema",
        )
