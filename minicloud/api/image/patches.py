"""Patches: the two JSON patch dialects of the Image API, read into changes that ``core`` can make."""

import re
from typing import Any

import msgspec

from minicloud.api.image.schemas import check_attribute
from minicloud.base.errors import Forbidden, Invalid, UnsupportedMedia
from minicloud.core.image.changes import Change

DRAFTS = {
    "application/openstack-images-v2.0-json-patch": 4,
    "application/openstack-images-v2.1-json-patch": 10,
}
"""Draft of JSON patch by media type."""

READ_ONLY = frozenset(
    [
        "created_at",
        "updated_at",
        "status",
        "checksum",
        "size",
        "virtual_size",
        "direct_url",
        "self",
        "file",
        "schema",
        "stores",
        "id",
        "os_hash_algo",
        "os_hash_value",
    ]
)
NOT_ON_CREATE = ("direct_url", "self", "file", "schema", "stores")
RESERVED = ("location", "deleted", "deleted_at")
RESERVED_BEGINNING = "os_glance"
LONGEST_NAME = 255
LONGEST_VALUE = 65_535
_OPERATIONS = ("add", "remove", "replace")


def check_name(name: str) -> None:
    """Raises Forbidden for names that belong to the service, Invalid for those that are too long."""
    if name in RESERVED or name.startswith(RESERVED_BEGINNING):
        raise Forbidden(f"Attribute '{name}' is reserved.")
    if len(name) > LONGEST_NAME:
        raise Invalid("Custom property should not be greater than 255 characters.")


def check_value(name: str, value: Any) -> None:
    """Raises Invalid when an image cannot have this value there."""
    check_attribute(name, value)
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        raise Invalid(f"The value of property {name[:LONGEST_NAME]} is longer than {LONGEST_VALUE} characters.")


def read(raw: bytes, media_type: str) -> list[Change]:
    """The changes of a patch document.

    Raises:
        UnsupportedMedia: neither dialect.
        Invalid: malformed, or a value that an image cannot have.
        Forbidden: an attribute that is not the client's to change.
    """
    kind = media_type.split(";")[0].strip().lower()
    if kind not in DRAFTS:
        allowed = ", ".join(sorted(DRAFTS))
        raise UnsupportedMedia(f"Image PATCH expects Content-Type one of: {allowed}")
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("Malformed JSON in request body.", kind="json") from error
    if not isinstance(document, list):
        raise Invalid("Request body must be a JSON array of operation objects.")
    return [_change(item, DRAFTS[kind]) for item in document]


def _change(item: Any, draft: int) -> Change:
    if not isinstance(item, dict):
        raise Invalid("Operations must be JSON objects.")
    op, pointer = _operation(item, draft)
    path = decode_pointer(pointer)
    name = path[0]
    if len(path) != (2 if name == "locations" and op != "replace" else 1):
        raise Invalid(f"Invalid JSON pointer for this resource: '/{'/'.join(path)}'")
    value = None
    if op != "remove":
        if "value" not in item:
            raise Invalid(f'Operation "{op}" requires a member named "value".')
        value = item["value"]
    if name in READ_ONLY:
        raise Forbidden(f"Attribute '{name}' is read-only.")
    check_name(name)
    if op != "remove" and name != "locations":
        check_value(name, value)
    return Change(op=op, name=name, value=value, strict=draft == 4)


def _operation(item: dict[str, Any], draft: int) -> tuple[Any, Any]:
    if draft == 4:
        found = [word for word in _OPERATIONS if word in item]
        if len(found) != 1:
            exactly = "only" if found else "exactly"
            raise Invalid(f'Operation objects must contain {exactly} one member named "add", "remove", or "replace".')
        return found[0], item[found[0]]
    available = ", ".join(("add", "replace", "remove"))
    op = item.get("op")
    if op is None:
        raise Invalid(f"Unable to find `op` in JSON Schema change. It must be one of the following: {available}.")
    if op not in _OPERATIONS:
        raise Invalid(f"Invalid operation: `{op}`. It must be one of the following: {available}.")
    if "path" not in item:
        raise Invalid("Unable to find 'path' in JSON Schema change")
    return op, item["path"]


def decode_pointer(pointer: Any) -> list[str]:
    """The names in a JSON pointer. Raises Invalid."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise Invalid(f'Pointer `{pointer}` does not start with "/".')
    if re.search(r"/\s*?/", pointer[1:]):
        raise Invalid(f'Pointer `{pointer}` contains adjacent "/".')
    if len(pointer) > 1 and pointer.endswith("/"):
        raise Invalid(f'Pointer `{pointer}` end with "/".')
    if not pointer[1:].strip():
        raise Invalid(f"Pointer `{pointer}` does not contains valid token.")
    if re.search("~[^01]", pointer) or pointer.endswith("~"):
        raise Invalid(f'Pointer `{pointer}` contains "~" not part of a recognized escape sequence.')
    return [part.replace("~1", "/").replace("~0", "~").strip() for part in pointer.lstrip("/").split("/")]
