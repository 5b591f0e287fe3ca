"""Law of records: every record class and its table say the same, which sqlite itself would not tell (a misspelt name in quotes is a text)."""

import importlib
import pkgutil
from typing import Any

import pytest

import minicloud.conductor
import minicloud.core
from minicloud.core.records import Record
from minicloud.engines.database.migrate import migrate
from minicloud.engines.database.transaction import connect


def kinds() -> list[type[Record]]:
    """Every record class of the program."""
    for package in (minicloud.core, minicloud.conductor):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)

    def below(kind: type[Record]) -> list[type[Record]]:
        return [k for child in kind.__subclasses__() for k in (child, *below(child))]

    ours = {kind for kind in below(Record) if kind.__module__.startswith("minicloud.")}
    # What others are made of has no table of its own.
    return sorted((k for k in ours if hasattr(k, "TABLE") or not k.__subclasses__()), key=lambda k: k.__name__)


def columns(table: str) -> dict[str, tuple[bool, bool, bool]]:
    """A table's columns: whether each must be given, whether it may be null, whether it is of the key."""
    connection = connect(":memory:")
    migrate(connection)
    rows: list[tuple[Any, ...]] = connection.execute(f"PRAGMA table_info('{table}')").fetchall()
    connection.close()
    return {
        name: (bool(required) and default is None, not required, bool(key))
        for _, name, _, required, default, key in rows
    }


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_record_has_the_columns_of_its_table(kind: type[Record]) -> None:
    there = columns(kind.TABLE)
    assert there, f"{kind.__name__} is kept in {kind.TABLE}, which does not exist"
    fields = set(kind.__struct_fields__)
    assert fields - set(there) == set(), f"{kind.TABLE} has no such columns"
    must = {name for name, (required, _, _) in there.items() if required}
    assert must - fields == set(), f"{kind.__name__} cannot be inserted without them"
    assert set(kind.KEY) <= fields
