"""JsonFilter: hosts that the query of a hint allows: ``["and", [">=", "$free_ram_mb", 1024]]``."""

from typing import Any

import msgspec

from minicloud.base.errors import Invalid
from minicloud.core.scheduler.capabilities import capabilities, found_in
from minicloud.core.scheduler.hosts import HostState
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.verdict import Verdict

_NOTHING = Verdict(True, "no query is asked", for_all=True)
_DEEPEST = 32


class JsonFilter:
    """Operators: = < > <= >= in not or and. Texts that begin with ``$`` name what a host has."""

    name = "JsonFilter"

    def passes(self, host: HostState, request: RequestSpec) -> Verdict:
        hint = request.hints.get("query")
        if not hint:
            return _NOTHING
        query = hint[0] if isinstance(hint, list) and len(hint) == 1 and isinstance(hint[0], str) else hint
        if isinstance(query, str):
            try:
                query = msgspec.json.decode(query)
            except msgspec.DecodeError as error:
                raise Invalid(f"The hint query is no JSON: {error}") from error
        met = _evaluate(query, capabilities(host), 0)
        return Verdict(
            bool(any(met) if isinstance(met, list) else met), f"and the query {msgspec.json.encode(query).decode()}"
        )


def _evaluate(query: Any, known: dict[str, object], depth: int) -> Any:
    if not query:
        return True
    if not isinstance(query, list) or not isinstance(query[0], str) or depth > _DEEPEST:
        raise Invalid("The hint query should be a list that begins with an operator")
    arguments = []
    for part in query[1:]:
        value: Any = part
        if isinstance(part, list):
            value = _evaluate(part, known, depth + 1)
        elif isinstance(part, str) and part.startswith("$"):
            value = found_in(known, part[1:].split("."))
        elif part == "":
            value = None
        if value is not None:
            arguments.append(value)
    return _apply(query[0], arguments)


def _apply(operator: str, arguments: list[Any]) -> Any:
    if operator == "not":
        return [not argument for argument in arguments]
    if operator == "or":
        return any(arguments)
    if operator == "and":
        return all(arguments)
    if operator not in ("=", "<", ">", "<=", ">=", "in"):
        raise Invalid(f"The hint query has an operator that does not exist: {operator}")
    if len(arguments) < 2:
        return False
    first, others = arguments[0], arguments[1:]
    if operator == "in":
        return first in others
    try:
        return all(first == other if operator == "=" else _ordered(operator, first, other) for other in others)
    except TypeError:
        return False


def _ordered(operator: str, first: Any, other: Any) -> bool:
    held = {"<": first < other, ">": first > other, "<=": first <= other, ">=": first >= other}
    return bool(held[operator])
