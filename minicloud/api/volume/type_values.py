"""What the bodies and queries of types of volumes and of types of groups have in common: names, specs, and who sees which."""

import re
from typing import Any

import msgspec
from msgspec import UNSET

from minicloud.api.volume import values
from minicloud.base.errors import Invalid


def fit_name(text: str) -> str:
    """The name of a type. Raises Invalid."""
    stripped = values.text("name", text)
    if not stripped:
        raise Invalid("Invalid input for field/attribute name. Value: . '' is too short", field="name")
    return stripped


def fit_specs(given: dict[str, str | None], *, blanks: bool = True) -> dict[str, str]:
    """Extra specs with fit keys and values. Raises Invalid."""
    pattern = r"[a-zA-Z0-9\-_:. ]{1,255}" if blanks else r"[a-zA-Z0-9\-_:.]{1,255}"
    for key, value in given.items():
        if not re.fullmatch(pattern, key):
            raise Invalid(f"Invalid input for field/attribute extra_specs. Value: {given}. {key!r} is no fit key")
        if value is not None and len(value) > 255:
            raise Invalid(f"Invalid input for field/attribute {key}. Value: {value}. {value!r} is too long")
    return {key: value or "" for key, value in given.items()}


def one_spec(raw: bytes, key: str) -> dict[str, str]:
    """The body of PUT on one spec, which is nothing but its key and value. Raises Invalid."""
    try:
        given = msgspec.json.decode(raw, type=dict[str, str | None])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"Invalid input for field/attribute body. {error}", kind="body") from error
    if len(given) != 1:
        raise Invalid("Invalid input for field/attribute body. It has to have exactly one key.", kind="body")
    if key not in given:
        raise Invalid("Request body and URI mismatch")
    return fit_specs(given, blanks=False)


def changes(body: msgspec.Struct, *, nothing: str, nameless: str) -> dict[str, Any]:
    """The name, description and publicity that a type shall have; None for what stays.

    Raises Invalid in the words for a body that says nothing, and for an empty name.
    """
    given = {name: getattr(body, name) for name in ("name", "description", "is_public")}
    known = {name: None if value is UNSET else value for name, value in given.items()}
    if all(value is None for value in known.values()):
        raise Invalid(nothing)
    if known["name"] is not None and not known["name"].strip():
        raise Invalid(nameless)
    return {
        "name": None if known["name"] is None else fit_name(known["name"]),
        "description": values.text("description", known["description"]),
        "is_public": None if known["is_public"] is None else values.truth("is_public", known["is_public"]),
    }


def public_filter(text: str | None) -> bool | None:
    """Whether public or private types are meant; None: both."""
    if text is None:
        return True
    if text.strip().lower() == "none":
        return None
    try:
        return values.truth("is_public", text.strip().capitalize())
    except Invalid as error:
        raise Invalid(f"Invalid is_public filter [{text}]") from error
