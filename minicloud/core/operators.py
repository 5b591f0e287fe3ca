"""What an extra spec asks of a value: ``>= 4``, ``<in> 16``, ``s== text``, ``<is> True``, ``<or> a <or> b``, or the same text."""

import operator
from collections.abc import Callable

_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
}


def meets(value: str, wanted: str) -> bool:
    """Whether a value is as wanted. ``=`` means at least, for numbers; without an operator the texts must be the same."""
    words = wanted.split()
    if not words:
        return value == wanted
    first, rest = words[0], words[1:]
    if first == "<or>":
        return value in rest[::2]
    if first == "<is>":
        return bool(rest) and _is_true(value) == _is_true(rest[0])
    if first == "<in>":
        return bool(rest) and rest[0] in value
    if first == "<all-in>":
        return bool(rest) and all(one in value for one in rest)
    if first in _TEXTS:
        return bool(rest) and _TEXTS[first](value, rest[0])
    if first in _NUMBERS:
        try:
            return bool(rest) and _NUMBERS[first](float(value), float(rest[0]))
        except ValueError:
            return False
    return value == wanted


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("1", "t", "true", "on", "y", "yes")
