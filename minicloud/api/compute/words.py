"""Words that clients choose, as Nova takes them: names and descriptions of printable characters, host names, tags, addresses."""

import base64
import ipaddress
import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UnsetType

from minicloud.api.call import Call
from minicloud.base.errors import Invalid

_ODD = r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""Control and format characters, separators of lines: what Nova's validators do not count as printable."""

Named = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=rf"^(?!\s)[^{_ODD}]+(?<!\s)\Z")]
"""A name, without white space at its ends."""

Described = Annotated[str, msgspec.Meta(max_length=255, pattern=rf"^[^{_ODD}]*\Z")]
"""A description."""

Truth = Annotated[str, msgspec.Meta(pattern=r"^(?i:true|1|on|yes|false|0|off|no)\Z")]
"""A truth that is written as text."""

LongDescribed = Annotated[str, msgspec.Meta(max_length=65535, pattern=rf"^[^{_ODD}]*\Z")]
"""A description of a flavor."""

Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=r"^[^,/]*\Z")]
"""What an owner calls a server, a card or a disk."""

Hostname = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9\-._]*\Z")]
"""What a guest is called; ``check_hostname`` tells what it may not be in older versions."""

_OLD_HOSTNAME = re.compile(r"[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+")
H = TypeVar("H", str, str | None, str | UnsetType)


def check_hostname(call: Call, said: H) -> H:
    """A guest's name, which may have a domain since 2.94. Raises Invalid."""
    if isinstance(said, str) and not call.at_least("2.94") and not (len(said) < 64 and _OLD_HOSTNAME.fullmatch(said)):
        raise Invalid(
            f"Invalid input for field/attribute hostname. Value: {said}. {said!r} does not match "
            f"'^{_OLD_HOSTNAME.pattern}$'",
            field="hostname",
        )
    return said


def check_address(text: Any, field: str) -> str | None:
    """An address in its shortest form, of the family that the field names; None for none. Raises Invalid."""
    if text is None:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        found = None
    if found is None or (field.endswith(("v4", "v6")) and field[-1] != str(found.version)):
        raise Invalid(
            f"Invalid input for field/attribute {field}. Value: {text}. '{text}' is not a valid address", field=field
        )
    return str(found)


def check_base64(field: str, text: str) -> None:
    """Raises Invalid for what is no base64; line breaks and whatever else stands between its letters are passed over, as in Nova."""
    try:
        base64.b64decode(text)
    except ValueError as error:
        raise Invalid(
            f"Invalid input for field/attribute {field}. Value: {text}. {text!r} is not a 'base64'", field=field
        ) from error


def truth(field: str, value: bool | str | None) -> bool:
    """A truth as Nova's schemas take it. Raises Invalid."""
    if isinstance(value, bool):
        return value
    if value in ("True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes"):
        return True
    if value in ("False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"):
        return False
    raise Invalid(f"Invalid input for field/attribute {field}. Value: {value}. {value!r} is no boolean", field=field)
