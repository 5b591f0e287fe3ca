"""Brings a database file up to this program's schema: numbered SQL files, applied once each, in order, in one transaction."""

import re
import sqlite3
from importlib.resources import files

import msgspec

from minicloud.base.errors import Conflict


class Migration(msgspec.Struct, frozen=True):
    """One numbered file of ``migrations/``."""

    number: int
    name: str
    sql: str


def migrations() -> list[Migration]:
    """All migrations this program knows, in order."""
    found = []
    for entry in files("minicloud.engines.database").joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name)
        if match:
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def migrate(connection: sqlite3.Connection, known: list[Migration] | None = None) -> list[Migration]:
    """Apply what the file lacks, in order; returns what was applied.

    What was applied is remembered by number, not by the newest: each service numbers its own range, and a file may lack one
    in the middle. ``user_version`` holds the newest for whoever only wants to know whether a file is too new.

    Raises:
        Conflict: the file was written by a newer program.
    """
    known = migrations() if known is None else known
    applied = _applied(connection)
    unknown = applied - {migration.number for migration in known}
    if unknown:
        raise Conflict(
            f"The data folder was written by a newer minicloud (this program does not know its schema {max(unknown)}): "
            "upgrade minicloud, or start with another --data folder",
            kind="newer_schema",
        )
    wanted = [migration for migration in known if migration.number not in applied]
    for migration in wanted:
        # executescript would commit first: the whole file and its number are one transaction instead.
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _statements(migration.sql):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migrations (number, name) VALUES (?, ?)", (migration.number, migration.name)
            )
            applied.add(migration.number)
            connection.execute(f"PRAGMA user_version={max(applied)}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    return wanted


def _applied(connection: sqlite3.Connection) -> set[int]:
    """The numbers of what a file has, its ``user_version`` included."""
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    applied = {number for (number,) in connection.execute("SELECT number FROM migrations")}
    (newest,) = connection.execute("PRAGMA user_version").fetchone()
    return applied | {newest} if newest else applied


def _statements(script: str) -> list[str]:
    """A script's statements; sqlite itself tells where one is complete."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    if current.strip() and not all(part.strip().startswith("--") or not part.strip() for part in current.splitlines()):
        found.append(current)
    return found
