"""The contract of the database, for each keeper: all or nothing, in order, durable when told, and the schema that it stands on."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from minicloud.base import trace
from minicloud.base.clock import VirtualClock
from minicloud.base.errors import Conflict, Unavailable
from minicloud.base.ids import SeededIds
from minicloud.engines.database import Database, Transaction
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.database.migrate import Migration, migrate, migrations
from minicloud.engines.database.sqlite import LARGEST_GROUP, SqliteDatabase
from minicloud.engines.database.transaction import connect

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """aiosqlite lives on asyncio alone."""
    return "asyncio"


Opener = Callable[[], Any]


@pytest.fixture(params=["inline", "sqlite"])
async def opener(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the same file again and again, by each keeper."""
    opened: list[Database] = []
    path = str(tmp_path / "cloud.db")
    tick = iter(range(1_000_000))
    clock = VirtualClock(datetime(2026, 11, 21, 10, tzinfo=UTC), lambda: float(next(tick)))

    async def open_it() -> Database:
        database: Database
        if request.param == "inline":
            database = InlineDatabase(path, clock=clock, ids=SeededIds(1))
        else:
            database = await SqliteDatabase.open(path, clock=clock, ids=SeededIds(1))
        opened.append(database)
        return database

    yield open_it
    for database in opened:
        await database.close()


@pytest.fixture
async def database(opener: Opener) -> Database:
    """One with a table of marks."""
    made: Database = await opener()
    await made.write(lambda tx: tx.execute("CREATE TABLE marks (name TEXT PRIMARY KEY, number INTEGER NOT NULL)"))
    return made


def mark(name: str, number: int = 0) -> Callable[[Transaction], int]:
    """Writes a mark."""
    return lambda tx: tx.execute("INSERT INTO marks (name, number) VALUES (?, ?)", [name, number])


async def marks(database: Database) -> dict[str, int]:
    """All that were written."""
    return await database.read(lambda tx: dict(tx.all("SELECT name, number FROM marks")))


async def test_a_write_is_seen_by_whoever_reads_after_it_was_told(database: Database) -> None:
    assert await database.write(mark("a")) == 1
    assert await marks(database) == {"a": 0}
    assert await database.read(lambda tx: tx.one("SELECT number FROM marks WHERE name = ?", ["a"])) == (0,)
    assert await database.read(lambda tx: tx.one("SELECT number FROM marks WHERE name = ?", ["b"])) is None
    assert await database.write(lambda tx: tx.execute("UPDATE marks SET number = 5")) == 1
    assert await database.write(lambda tx: tx.execute("UPDATE marks SET number = 6 WHERE name = 'b'")) == 0


async def test_what_was_told_is_there_when_the_file_is_opened_again(opener: Opener) -> None:
    first = await opener()
    await first.write(lambda tx: tx.execute("CREATE TABLE marks (name TEXT PRIMARY KEY, number INTEGER NOT NULL)"))
    await first.write(lambda tx: tx.many("INSERT INTO marks VALUES (?, ?)", [("a", 1), ("b", 2)]))
    # The first one is not closed: a process that was killed did not close it either.
    assert await marks(await opener()) == {"a": 1, "b": 2}


class Regret(Exception):
    """An error of our own."""


async def test_what_a_function_raises_takes_back_all_that_it_did_and_reaches_the_caller_as_it_is(
    database: Database,
) -> None:
    regret = Regret()

    def half(tx: Transaction) -> None:
        mark("a")(tx)
        raise regret

    with pytest.raises(Regret) as caught:
        await database.write(half)
    assert caught.value is regret
    assert await marks(database) == {}
    await database.write(mark("b"))
    assert await marks(database) == {"b": 0}


async def test_a_rule_that_speaks_is_a_conflict_and_the_transaction_may_go_on(database: Database) -> None:
    await database.write(mark("a"))
    with pytest.raises(Conflict) as caught:
        await database.write(mark("a"))
    assert caught.value.kind == "integrity"

    def try_and_go_on(tx: Transaction) -> None:
        for name in ("a", "b"):
            try:
                mark(name, 7)(tx)
            except Conflict:
                mark("twin")(tx)

    await database.write(try_and_go_on)
    assert await marks(database) == {"a": 0, "twin": 0, "b": 7}
    with pytest.raises(Conflict):
        await database.write(lambda tx: tx.many("INSERT INTO marks VALUES (?, 1)", [("c",), ("a",)]))
    assert "c" not in await marks(database)


async def test_references_are_held(database: Database) -> None:
    await database.write(lambda tx: tx.execute("CREATE TABLE notes (mark TEXT REFERENCES marks (name))"))
    with pytest.raises(Conflict):
        await database.write(lambda tx: tx.execute("INSERT INTO notes VALUES ('nobody')"))


async def test_writers_at_once_are_one_after_the_other(database: Database) -> None:
    await database.write(mark("counter"))

    def increment(tx: Transaction) -> int:
        row = tx.one("SELECT number FROM marks")
        assert row is not None
        tx.execute("UPDATE marks SET number = ?", [row[0] + 1])
        return int(row[0])

    seen = await asyncio.gather(*(database.write(increment) for _ in range(3 * LARGEST_GROUP)))
    assert sorted(seen) == list(range(3 * LARGEST_GROUP))
    assert await marks(database) == {"counter": 3 * LARGEST_GROUP}


async def test_one_that_fails_in_a_crowd_fails_alone(database: Database) -> None:
    notes = trace.Recording()

    def work(number: int) -> Callable[[Transaction], int]:
        def one(tx: Transaction) -> int:
            mark(f"m{number}", number)(tx)
            if number % 5 == 0:
                raise Regret
            if number % 7 == 0:
                tx.execute("INSERT INTO nowhere VALUES (1)")
            if number % 11 == 0:
                mark(f"m{number}")(tx)
            return number

        return one

    with trace.recording(notes):
        found = await asyncio.gather(*(database.write(work(n)) for n in range(1, 150)), return_exceptions=True)
    wrong = {n for n in range(1, 150) if n % 5 == 0 or n % 7 == 0 or n % 11 == 0}
    assert [n for n in found if isinstance(n, int)] == [n for n in range(1, 150) if n not in wrong]
    assert await marks(database) == {f"m{n}": n for n in range(1, 150) if n not in wrong}
    assert {type(e) for e in found if not isinstance(e, int)} == {Regret, Conflict, sqlite3.OperationalError}
    if isinstance(database, SqliteDatabase):
        assert max(fact["writers"] for fact in notes.facts("group_commit")) == LARGEST_GROUP


async def test_after_a_commit_its_hooks_are_called_in_order_before_the_caller_goes_on(database: Database) -> None:
    order: list[str] = []

    def work(name: str, fails: bool) -> Callable[[Transaction], None]:
        def one(tx: Transaction) -> None:
            mark(name)(tx)
            tx.after_commit(lambda: order.append(f"{name} first"))
            tx.after_commit(lambda: order.append(f"{name} second"))
            if fails:
                raise Regret

        return one

    async def caller(name: str, fails: bool) -> None:
        try:
            await database.write(work(name, fails))
        except Regret:
            order.append(f"{name} failed")
        else:
            order.append(f"{name} goes on")

    await asyncio.gather(*(caller(name, name in "bd") for name in "abcde"))
    for name in "ace":
        at = [order.index(f"{name} {what}") for what in ("first", "second", "goes on")]
        assert at == sorted(at)
    assert [word for word in order if word[0] in "bd"] == ["b failed", "d failed"]
    assert [word[0] for word in order if word.endswith("first")] == ["a", "c", "e"]


async def test_a_hook_that_breaks_is_its_callers_business(database: Database) -> None:
    def work(tx: Transaction) -> None:
        mark("a")(tx)
        tx.after_commit(lambda: 1 // 0)  # type: ignore[arg-type]

    found = await asyncio.gather(database.write(work), database.write(mark("b")), return_exceptions=True)
    assert isinstance(found[0], ZeroDivisionError)
    assert found[1] == 1
    assert await marks(database) == {"a": 0, "b": 0}


async def test_whoever_gives_up_waiting_does_not_disturb_the_others(database: Database) -> None:
    called: list[str] = []

    def work(name: str) -> Callable[[Transaction], None]:
        def one(tx: Transaction) -> None:
            mark(name)(tx)
            tx.after_commit(lambda: called.append(name))

        return one

    tasks = [asyncio.create_task(database.write(work(f"m{n}"))) for n in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await database.write(mark("last"))
    there = set(await marks(database)) - {"last"}
    # What was committed had its hooks called, whether anybody still waited or not.
    assert there == set(called)
    assert {f"m{n}" for n in range(1, 40, 2)} <= there


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await database.read(mark("a"))
    await database.write(mark("b"))
    assert await marks(database) == {"b": 0}


async def test_a_transaction_has_one_moment_and_the_ids_of_its_cloud(database: Database) -> None:
    first = await database.write(lambda tx: (tx.now, tx.now, tx.ids.uuid()))
    second = await database.read(lambda tx: (tx.now, tx.now, tx.ids.uuid()))
    assert re.fullmatch(r"2026-11-21T10:00:\d\d\.\d{6}", first[0])
    assert first[0] == first[1] < second[0] == second[1]
    assert first[2] != second[2]


async def test_notes_of_a_transaction_are_about_the_request_that_waits_for_it(database: Database) -> None:
    notes = trace.Recording()

    async def request(name: str) -> None:
        with trace.recording(notes), trace.about(request_id=name):
            await database.write(lambda tx: trace.note("wrote", name=name))
            await database.read(lambda tx: trace.note("read", name=name))

    await asyncio.gather(*(request(f"req-{n}") for n in range(30)))
    mine = [note for note in notes.notes if note.word in ("wrote", "read")]
    assert len(mine) == 60
    assert all(note.request_id == note.facts["name"] for note in mine)


async def test_names_can_be_matched_by_expressions(database: Database) -> None:
    await database.write(lambda tx: tx.many("INSERT INTO marks VALUES (?, 0)", [("web-1",), ("db-1",)]))
    rows = await database.read(lambda tx: tx.all("SELECT name FROM marks WHERE name REGEXP ?", ["^web"]))
    assert rows == [("web-1",)]


async def test_a_full_disk_is_told_with_what_to_do_and_harms_nothing(database: Database) -> None:
    def limit(tx: Any) -> None:
        pages = tx._connection.execute("PRAGMA page_count").fetchone()[0]
        tx._connection.execute(f"PRAGMA max_page_count={pages}")

    await database.write(limit)
    with pytest.raises(Unavailable, match="make room on the disk"):
        await database.write(
            lambda tx: tx.many("INSERT INTO marks VALUES (?, 0)", [("x" * 1000 + str(n),) for n in range(99)])
        )
    await database.write(lambda tx: tx._connection.execute("PRAGMA max_page_count=1000000"))  # type: ignore[attr-defined]
    await database.write(mark("after"))
    assert await marks(database) == {"after": 0}


async def test_a_reader_sees_one_moment_however_long_it_reads(opener: Opener) -> None:
    database = await opener()
    if not isinstance(database, SqliteDatabase):
        pytest.skip("inline, nothing happens while somebody reads")
    await database.write(lambda tx: tx.execute("CREATE TABLE marks (name TEXT PRIMARY KEY, number INTEGER NOT NULL)"))
    loop = asyncio.get_running_loop()

    def look_twice(tx: Transaction) -> tuple[int, int]:
        before = len(tx.all("SELECT * FROM marks"))
        asyncio.run_coroutine_threadsafe(database.write(mark("meanwhile")), loop).result(10)
        return before, len(tx.all("SELECT * FROM marks"))

    assert await database.read(look_twice) == (0, 0)
    assert await marks(database) == {"meanwhile": 0}


async def test_a_closed_database_says_so(opener: Opener) -> None:
    database = await opener()
    if isinstance(database, SqliteDatabase):
        await database.close()
        for work in (database.read, database.write):
            with pytest.raises(Unavailable, match="this cloud is stopping"):
                await work(lambda tx: None)


async def test_a_file_of_a_newer_program_is_refused_and_left_as_it_is(opener: Opener, tmp_path: Path) -> None:
    await (await opener()).write(lambda tx: tx.execute("CREATE TABLE marks (name TEXT)"))
    path = tmp_path / "cloud.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version=99999")
    with pytest.raises(Conflict, match="written by a newer minicloud") as caught:
        await opener()
    assert caught.value.kind == "newer_schema"
    assert "99999" in caught.value.message
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (99999,)
        assert other.execute("SELECT count(*) FROM marks").fetchone() == (0,)


# The schema


def schema(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Everything that a database has, in words."""
    return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()


def test_migrations_are_numbered_once_each_and_named_for_what_they_bring() -> None:
    found = migrations()
    numbers = [m.number for m in found]
    assert numbers == sorted(set(numbers))
    assert all(m.sql.strip() for m in found)


def test_an_old_file_becomes_what_a_new_one_is_wherever_it_was_left() -> None:
    known = migrations()
    fresh = connect(":memory:")
    assert migrate(fresh) == known
    assert migrate(fresh) == []
    for cut in range(len(known) + 1):
        old = connect(":memory:")
        migrate(old, known[:cut])
        assert migrate(old, known) == known[cut:]
        assert schema(old) == schema(fresh)
        assert old.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_migration_that_fails_leaves_the_file_at_the_one_before_it() -> None:
    good = Migration(1, "good", "CREATE TABLE a (x TEXT);\nCREATE TABLE b (x TEXT);")
    bad = Migration(2, "bad", "CREATE TABLE c (x TEXT);\nINSERT INTO nowhere VALUES (1);")
    connection = connect(":memory:")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [good, bad])
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert [row[1] for row in schema(connection)] == ["a", "b", "migrations"]
    assert connection.execute("SELECT number FROM migrations").fetchall() == [(1,)]
    mended = Migration(2, "bad", "-- a comment; with a semicolon\nCREATE TABLE c (x TEXT DEFAULT ';');\n-- the end")
    assert migrate(connection, [good, mended]) == [mended]


@pytest.mark.parametrize("migration", migrations(), ids=lambda m: f"{m.number:04}_{m.name}")
def test_the_schema_keeps_to_what_postgresql_understands_too(migration: Migration) -> None:
    text = re.sub(r"--.*", "", migration.sql)
    assert not re.search(
        r"AUTOINCREMENT|WITHOUT\s+ROWID|\bOR\s+(REPLACE|IGNORE)\b|PRAGMA|`|\bGLOB\b", text, re.IGNORECASE
    )


def test_a_migration_that_was_added_in_the_middle_is_applied_later() -> None:
    connection = connect(":memory:")
    first, last = Migration(1, "first", "CREATE TABLE a (x TEXT);"), Migration(9, "last", "CREATE TABLE c (x TEXT);")
    assert migrate(connection, [first, last]) == [first, last]
    between = Migration(5, "between", "CREATE TABLE b (x TEXT);")
    assert migrate(connection, [first, between, last]) == [between]
    assert migrate(connection, [first, between, last]) == []
    assert connection.execute("PRAGMA user_version").fetchone() == (9,)


def test_limits_are_kept_when_their_tables_are_made_anew() -> None:
    connection = connect(":memory:")
    migrate(connection, [migration for migration in migrations() if migration.number < 15])
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("INSERT INTO registered_limits VALUES ('registered', 'service', NULL, 'tapes', 1, 'few')")
    limit = ("limit", "registered", "service", None, "tapes", None, None, 5, None)
    connection.execute("INSERT INTO limits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", limit)
    connection.execute("PRAGMA foreign_keys=ON")
    migrate(connection)
    assert connection.execute("SELECT * FROM limits").fetchall() == [limit]
    connection.execute("DELETE FROM registered_limits")
    assert connection.execute("SELECT * FROM limits").fetchall() == []
