"""Queries as data: conditions, alternatives, pages; and the one place where they become SQL."""

import re
from collections.abc import Collection, Sequence
from typing import Any, Literal

import msgspec

from minicloud.base.errors import Invalid

Operator = Literal[
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "not in",
    "like",
    "matches",
    "is null",
    "is not null",
    "has",
    "has not",
    "holds",
]

_PLAIN = re.compile(r"[\w\-/:@, ]*", re.ASCII)
"""Regular expressions that stand for nothing but themselves."""


class Condition(msgspec.Struct, frozen=True):
    """``column operator value``; ``in`` takes a list, ``like`` a pattern in SQL's sense, ``matches`` a regular expression.

    ``has`` looks for one value in a column that holds a JSON list, ``holds`` for a pair [key, value] in one that holds a JSON
    object.
    """

    column: str
    operator: Operator = "="
    value: Any = None


class AnyOf(msgspec.Struct, frozen=True):
    """At least one of these conditions holds: ``AnyOf([Condition("project_id", "=", mine), Condition("shared", "=", True)])``."""

    conditions: "list[Condition | AllOf]"


class AllOf(msgspec.Struct, frozen=True):
    """All of these conditions hold: an alternative of ``AnyOf`` that is more than one condition."""

    conditions: list[Condition]


class Query(msgspec.Struct, kw_only=True):
    """A page of records: all conditions hold; sorted by (column, descending); after the record whose key is ``marker``."""

    where: list[Condition | AnyOf] = []
    sort: list[tuple[str, bool]] = []
    limit: int | None = None
    marker: str | None = None


def where_clause(names: Collection[str], conditions: Sequence[Condition | AnyOf]) -> tuple[str, list[Any]]:
    """`` WHERE ...`` and its parameters; empty without conditions. ``names`` are the columns that there are.

    Raises Invalid for another column (kind ``filter``) or a regular expression that is none.
    """
    parts, parameters = _parts(names, conditions)
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), parameters


def _parts(names: Collection[str], conditions: Sequence[Condition | AnyOf | AllOf]) -> tuple[list[str], list[Any]]:
    parts: list[str] = []
    parameters: list[Any] = []
    for condition in conditions:
        if isinstance(condition, AnyOf):
            inner, more = _parts(names, condition.conditions)
            parts.append(f"({' OR '.join(inner)})" if inner else "1 = 0")
            parameters += more
            continue
        if isinstance(condition, AllOf):
            inner, more = _parts(names, condition.conditions)
            parts.append(f"({' AND '.join(inner)})" if inner else "1 = 1")
            parameters += more
            continue
        if condition.column not in names:
            raise Invalid(f"Cannot filter by {condition.column}", kind="filter")
        column = f'"{condition.column}"'
        match condition.operator:
            case "is null" | "is not null":
                parts.append(f"{column} {condition.operator.upper()}")
            case "in" | "not in":
                values = list(condition.value)
                # json_each keeps one statement for any number of values; PostgreSQL says json_array_elements_text.
                parts.append(f"{column} {condition.operator.upper()} (SELECT value FROM json_each(?))")
                parameters.append(msgspec.json.encode(values).decode())
            case "has" | "has not":
                there = f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value = ?)"
                parts.append(there if condition.operator == "has" else f"NOT {there}")
                parameters.append(condition.value)
            case "holds":
                # PostgreSQL writes json_each_text for it.
                parts.append(f"EXISTS (SELECT 1 FROM json_each({column}) WHERE key = ? AND value = ?)")
                parameters += list(condition.value)
            case "like":
                parts.append(f"{column} LIKE ? ESCAPE '\\'")
                parameters.append(condition.value)
            case "matches":
                # A plain word is looked for by the database itself. PostgreSQL writes ~, and strpos, for these.
                plain = _PLAIN.fullmatch(condition.value)
                parts.append(f"instr(CAST({column} AS TEXT), ?)" if plain else f"CAST({column} AS TEXT) REGEXP ?")
                parameters.append(condition.value if plain else pattern(condition.value))
            case _:
                parts.append(f"{column} {condition.operator} ?")
                parameters.append(condition.value)
    return parts, parameters


def pattern(text: str) -> str:
    """A regular expression. Raises Invalid for a bad one."""
    try:
        re.compile(text)
    except (re.error, RecursionError) as error:
        raise Invalid(f"Invalid regular expression {text!r}: {error}", kind="filter") from error
    return text
