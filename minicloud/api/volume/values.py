"""Values as block storage's clients write them: truths, sizes, names, metadata; each checked in Cinder's words."""

import re
from typing import Any

from msgspec import UNSET, UnsetType

from minicloud.base.errors import Invalid

Flag = bool | str
"""A truth in any of the spellings that Cinder takes; read it with ``truth``."""

Size = int | str
"""A number of GiB, which may come as text; read it with ``size``."""

_TRUE = frozenset({"True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes", "y", "t"})
_FALSE = frozenset({"False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no", "n", "f"})
WORDS = {word.lower() for word in _TRUE | _FALSE}
"""What means a truth in a query string, in small letters."""
_KEY = re.compile(r"[a-zA-Z0-9\-_:. /]{1,255}")
LARGEST = (1 << 31) - 1


def truth(name: str, value: Flag | UnsetType | None, default: bool = False) -> bool:
    """What is meant. Raises Invalid for a word that means nothing."""
    if value is UNSET or value is None:
        return default
    if isinstance(value, bool):
        return value
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise Invalid(f"Invalid input for field/attribute {name}. Value: {value}. {value!r} is not a boolean", field=name)


def parameter(name: str, text: str | None) -> bool:
    """A truth of a query string, False where it is not there. Raises Invalid, in Cinder's words, for a word that means nothing."""
    if text is None:
        return False
    if text.lower() not in WORDS:
        raise Invalid(f"Value '{text}' for '{name}' is not a boolean.", field=name)
    return text.lower() in _TRUE


def size(name: str, value: Size) -> int:
    """A size of at least 1 GiB. Raises Invalid."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,18}", value):
        why = f"{value!r} does not match '^[0-9]+$'"
    elif int(value) < 1:
        why = f"{value!r} is less than the minimum of 1"
    elif int(value) > LARGEST:
        why = f"{value!r} is greater than the maximum of {LARGEST}"
    else:
        return int(value)
    raise Invalid(f"Invalid input for field/attribute {name}. Value: {value}. {why}", field=name)


def text(name: str, value: str | UnsetType | None) -> str | None:
    """A name or description without blanks around it. Raises Invalid when it is longer than 255 characters."""
    if value is None or isinstance(value, UnsetType):
        return None
    stripped = value.strip()
    if len(stripped) > 255:
        raise Invalid(f"{name} has {len(stripped)} characters, more than 255.", field=name)
    return stripped


def is_key(text: str) -> bool:
    """Whether this may be a key of metadata."""
    return _KEY.fullmatch(text) is not None


def metadata(value: dict[str, Any] | UnsetType | None) -> dict[str, str]:
    """Metadata with fit keys and values. Raises Invalid."""
    if value is None or isinstance(value, UnsetType):
        return {}
    for key, found in value.items():
        if not is_key(key):
            raise Invalid(
                f"Invalid input for field/attribute metadata. Value: {value}. {key!r} does not match any of the "
                r"regexes: '^[a-zA-Z0-9-_:. /]{1,255}$'",
                field="metadata",
            )
        if not isinstance(found, str) or len(found) > 255:
            raise Invalid(f"Invalid input for field/attribute {key}. Value: {found}. {found!r} is too long", field=key)
    return value


def either(name: str, first: Any, second: Any) -> Any:
    """A field that goes by two names; the first counts."""
    return second if first is UNSET else first
