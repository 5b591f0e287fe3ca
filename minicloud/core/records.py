"""Records: rows as structs, and the few ways to read and change them.

A record class names its table; its fields are the table's columns, in any order. Plain values are stored as they are,
booleans as 0 and 1, everything else as JSON. State moves by compare-and-swap: ``change`` succeeds only on the generation
that was read, so whoever comes second gets Conflict and nothing is locked.
"""

import functools
import types
from collections.abc import Callable, Iterable, Sequence
from typing import (
    Any,
    ClassVar,
    Literal,
    LiteralString,
    Self,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core.queries import AllOf as AllOf
from minicloud.core.queries import AnyOf as AnyOf
from minicloud.core.queries import Condition as Condition
from minicloud.core.queries import Query as Query
from minicloud.core.queries import where_clause
from minicloud.engines.database import Database as Database
from minicloud.engines.database import Parameters, Row
from minicloud.engines.database import Transaction as Transaction

R = TypeVar("R", bound="Record")


class Record(msgspec.Struct, kw_only=True):
    """A row. Subclasses set ``TABLE``; ``MISSING`` is what a client is told, in upstream's words, when there is none."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]] = ("id",)
    MISSING: ClassVar[str] = "{id} could not be found."
    MISSING_KIND: ClassVar[str | None] = None

    @classmethod
    def missing(cls, *key: Any) -> NotFound:
        """The error for a key that nothing has."""
        return NotFound(cls.MISSING.format(id=key[0]), kind=cls.MISSING_KIND)

    def with_(self, **changes: Any) -> Self:
        """A copy with other values."""
        return msgspec.structs.replace(self, **changes)


class _Column(msgspec.Struct, frozen=True):
    name: str
    load: Callable[[Any], Any] | None
    dump: Callable[[Any], Any] | None
    text: bool
    empty: Literal["{}", "[]"] | None = None
    """How an empty object or list is stored, where that is what most rows hold."""


class _Statements(msgspec.Struct, frozen=True):
    """The SQL of one record class, written once."""

    columns: list[_Column]
    select: str
    insert: str
    get: str
    delete: str
    has_generation: bool


_json = msgspec.json.Encoder()


def _dump_json(value: Any) -> str | None:
    return None if value is None else _json.encode(value).decode()


def _column(name: str, hint: Any) -> _Column:
    members = [
        m for m in (get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)) if m is not type(None)
    ]
    optional = members != [hint]
    if members == [bool]:
        return _Column(name, (lambda v: None if v is None else bool(v)) if optional else bool, None, False)
    plain = all(
        m in (str, int, float, bytes) or get_origin(m) is Literal or (isinstance(m, type) and issubclass(m, str))
        for m in members
    )
    if plain:
        return _Column(name, None, None, not any(m in (int, float) for m in members))
    decoder = msgspec.json.Decoder(hint)
    if _is_frozen(hint):
        # Many rows hold the very same text (a flavor, an image), and nobody can change what comes out: read it once.
        return _Column(name, functools.lru_cache(256)(decoder.decode), _dump_json, True)
    if optional:
        return _Column(name, lambda v: None if v is None else decoder.decode(v), _dump_json, True)
    return _Column(name, decoder.decode, _dump_json, True, _EMPTY.get(get_origin(hint)))


_EMPTY: dict[Any, Literal["{}", "[]"]] = {dict: "{}", list: "[]"}


def _is_frozen(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint.__struct_config__.frozen


@functools.cache
def _statements(kind: type[Record]) -> _Statements:
    hints = get_type_hints(kind)
    columns = [_column(name, hints[name]) for name in kind.__struct_fields__]
    names = ", ".join(f'"{c.name}"' for c in columns)
    key = " AND ".join(f'"{k}" = ?' for k in kind.KEY)
    select = f'SELECT {names} FROM "{kind.TABLE}"'
    return _Statements(
        columns,
        select,
        f'INSERT INTO "{kind.TABLE}" ({names}) VALUES ({", ".join("?" * len(columns))})',
        f"{select} WHERE {key}",
        f'DELETE FROM "{kind.TABLE}" WHERE {key}',
        "generation" in kind.__struct_fields__,
    )


def _trusted(sql: Any) -> LiteralString:
    """SQL put together here, out of names that record classes declare and of nothing that a client sent."""
    return cast(LiteralString, sql)


@functools.cache
def _names(kind: type[Record]) -> frozenset[str]:
    return frozenset(c.name for c in _statements(kind).columns)


@functools.cache
def _select(kind: type[Record], without: frozenset[str]) -> str:
    """The SQL that reads rows, but for these columns."""
    names = ", ".join(f'"{c.name}"' for c in _statements(kind).columns if c.name not in without)
    return f'SELECT {names} FROM "{kind.TABLE}"'


@functools.cache
def _loader(kind: type[R], without: frozenset[str] = frozenset()) -> Callable[[Row], R]:
    """Row to record: only the columns that need it are converted; those left out keep their defaults."""
    columns = [c for c in _statements(kind).columns if c.name not in without]
    # Written out as one call with constant keywords, which the interpreter makes several times faster than ``kind(**dict)``.
    words = [f"{c.name}={_written(c, i)}" for i, c in enumerate(columns)]
    names: dict[str, Any] = {"kind": kind, **{f"load{i}": c.load for i, c in enumerate(columns)}}
    load: Callable[[Row], R] = eval(f"lambda row: kind({', '.join(words)})", names)
    return load


def _written(column: _Column, i: int) -> str:
    """The expression for a column's value in ``row``."""
    if column.load is None:
        return f"row[{i}]"
    if column.load is bool:
        return f"row[{i}] != 0"
    loaded = f"load{i}(row[{i}])"
    return loaded if column.empty is None else f"{column.empty} if row[{i}] == '{column.empty}' else {loaded}"


def _dump(kind: type[Record], column: str, value: Any) -> Any:
    for c in _statements(kind).columns:
        if c.name == column:
            return c.dump(value) if c.dump is not None else value
    raise KeyError(column)


def _key(record: Record) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in record.KEY)


def insert(tx: Transaction, record: R) -> R:
    """Add a row. Raises Conflict (kind ``integrity``) where a uniqueness rule forbids it."""
    s = _statements(type(record))
    values = [getattr(record, c.name) if c.dump is None else c.dump(getattr(record, c.name)) for c in s.columns]
    tx.execute(_trusted(s.insert), values)
    return record


def find(tx: Transaction, kind: type[R], *key: Any) -> R | None:
    """The record with this key, or None."""
    row = tx.one(_trusted(_statements(kind).get), key)
    return None if row is None else _loader(kind)(row)


def get(tx: Transaction, kind: type[R], *key: Any) -> R:
    """The record with this key. Raises NotFound in the record's own words."""
    found = find(tx, kind, *key)
    if found is None:
        raise kind.missing(*key)
    return found


def select(tx: Transaction, kind: type[R], where: LiteralString = "", parameters: Parameters = ()) -> list[R]:
    """Records by a condition written out: ``select(tx, Port, "network_id = ? ORDER BY id", [network_id])``."""
    sql = _statements(kind).select + (f" WHERE {where}" if where else "")
    load = _loader(kind)
    return [load(row) for row in tx.all(_trusted(sql), parameters)]


def select_in(tx: Transaction, kind: type[R], column: str, values: Iterable[Any]) -> list[R]:
    """Records whose column has one of these values, in no order."""
    return page(tx, kind, Query(where=[Condition(column, "in", list(values))]))


def count(tx: Transaction, kind: type[Record], where: Sequence[Condition | AnyOf] = ()) -> int:
    """How many records meet all conditions."""
    sql, parameters = where_clause(_names(kind), where)
    row = tx.one(_trusted(f'SELECT count(*) FROM "{kind.TABLE}"{sql}'), parameters)
    return int(row[0]) if row else 0


def change(tx: Transaction, record: R, **changes: Any) -> R:
    """Swap values in, if the row is still as it was read; returns the new record.

    Raises Conflict (kind ``stale``) when the record has a generation and somebody else moved it meanwhile; NotFound when
    it is gone.
    """
    kind = type(record)
    names = list(changes)
    parameters = [_dump(kind, name, changes[name]) for name in names]
    sets = [f'"{name}" = ?' for name in names]
    wheres = [f'"{name}" = ?' for name in kind.KEY]
    tail = list(_key(record))
    generation = getattr(record, "generation", None) if _statements(kind).has_generation else None
    if generation is not None:
        sets.append("generation = generation + 1")
        wheres.append("generation = ?")
        tail.append(generation)
        changes["generation"] = generation + 1
    sql = f'UPDATE "{kind.TABLE}" SET {", ".join(sets)} WHERE {" AND ".join(wheres)}'
    if tx.execute(_trusted(sql), [*parameters, *tail]) == 0:
        if find(tx, kind, *_key(record)) is None:
            raise kind.missing(*_key(record))
        raise Conflict(f"{kind.__name__} {_key(record)[0]} was changed by another request; read it again", kind="stale")
    return msgspec.structs.replace(record, **changes)


def remove(tx: Transaction, record: Record) -> None:
    """Delete the row; content when it is gone already."""
    tx.execute(_trusted(_statements(type(record)).delete), _key(record))


def page(tx: Transaction, kind: type[R], query: Query, *, without: frozenset[str] = frozenset()) -> list[R]:
    """One page of records; the columns ``without`` are not read and keep their defaults, where nobody will look at them.

    Raises Invalid when a column is not the record's or the marker names nothing (kind ``marker``).
    """
    names = {c.name for c in _statements(kind).columns}
    sort = [
        *query.sort,
        *((k, query.sort[-1][1] if query.sort else False) for k in kind.KEY if k not in dict(query.sort)),
    ]
    for column, _ in sort:
        if column not in names:
            raise Invalid(f"Cannot sort by {column}", kind="sort_key")
    where, parameters = where_clause(_names(kind), query.where)
    if query.marker is not None:
        after, more = _after(tx, kind, sort, query.marker)
        where = f"{where} AND {after}" if where else f" WHERE {after}"
        parameters += more
    order = ", ".join(f"{_sortable(kind, column)} {'DESC' if descending else 'ASC'}" for column, descending in sort)
    sql = f"{_select(kind, without)}{where} ORDER BY {order}"
    if query.limit is not None:
        sql += " LIMIT ?"
        parameters.append(query.limit)
    load = _loader(kind, without)
    return [load(row) for row in tx.all(_trusted(sql), parameters)]


@functools.cache
def _sortable(kind: type[Record], column: str) -> str:
    """Nulls sort as the smallest value on every product; a column that cannot be null keeps the use of its index."""
    c = next(c for c in _statements(kind).columns if c.name == column)
    hint = get_type_hints(kind)[column]
    if type(None) not in get_args(hint):
        return f'"{column}"'
    return f'COALESCE("{column}", {chr(39) * 2 if c.text else -1})'


def _after(tx: Transaction, kind: type[Record], sort: list[tuple[str, bool]], marker: str) -> tuple[str, list[Any]]:
    """The condition for rows behind the marker in sort order."""
    expressions = [_sortable(kind, column) for column, _ in sort]
    row = tx.one(_trusted(f'SELECT {", ".join(expressions)} FROM "{kind.TABLE}" WHERE "{kind.KEY[0]}" = ?'), [marker])
    if row is None:
        raise Invalid(f"marker [{marker}] not found", kind="marker")
    alternatives, parameters = [], []
    for i, (expression, (_, descending)) in enumerate(zip(expressions, sort, strict=True)):
        equal = "".join(f"{e} = ? AND " for e in expressions[:i])
        alternatives.append(f"({equal}{expression} {'<' if descending else '>'} ?)")
        parameters += [*row[:i], row[i]]
    return f"({' OR '.join(alternatives)})", parameters
