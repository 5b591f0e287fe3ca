"""What all resources of metadata definitions share: their policies, the namespace they stand in, reading and showing them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from minicloud.api.call import Call
from minicloud.api.image.images import document
from minicloud.api.image.json_schema import fault
from minicloud.api.image.metadef_schemas import NAMELESS_PROPERTY
from minicloud.base.errors import Forbidden, Invalid
from minicloud.core.image import metadef_namespaces
from minicloud.core.image.metadef_namespaces import Namespace
from minicloud.core.policy import ADMIN, PROJECT_READER
from minicloud.core.records import Transaction

READABLE = f"{ADMIN} or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"
LISTABLE = f"{ADMIN} or ({PROJECT_READER})"
WRITABLE = "rule:metadef_admin"
_SCALARS = (str, int, float)
_KNOWN = frozenset([*NAMELESS_PROPERTY["properties"], "confidential"]) - {"name", "required"}
_NUMBERS = ("minimum", "maximum")


def judged(call: Call, tx: Transaction, name: str, *rules: str) -> Namespace:
    """A namespace with which the policies let whoever asks do this. Raises NotFound, Forbidden."""
    found = metadef_namespaces.get(tx, call.context, name)
    target = {"project_id": found.owner, "owner": found.owner, "visibility": found.visibility}
    for rule in rules:
        try:
            call.judge(target, rule=rule)
        except Forbidden as error:
            raise Forbidden(f"You are not authorized to complete {rule} action.", rule=rule) from error
    return found


def read(raw: bytes, schema: Mapping[str, Any], *read_only: str) -> dict[str, Any]:
    """A request's document. Raises Invalid when it is not what the schema says, Forbidden for what is ours to fill in."""
    given = document(raw)
    for name in read_only:
        if name in given:
            raise Forbidden(f"Attribute '{name}' is read-only.")
    check(given, schema)
    return given


def check(value: Any, schema: Mapping[str, Any]) -> None:
    """Raises Invalid when a value is not what the schema says."""
    found = fault(value, schema)
    if found is not None:
        raise Invalid(f"Provided object does not match schema '{schema['name']}': {found}")


def property_type(given: Mapping[str, Any]) -> dict[str, Any]:
    """A property as it is kept: without its name, its default as text. Raises Invalid for words that properties do not have."""
    kept = {word: value for word, value in given.items() if word != "name"}
    for word, value in kept.items():
        if word not in _KNOWN:
            raise Invalid(f"Unknown attribute '{word}' of a property.")
        if word in _NUMBERS and not isinstance(value, int):
            raise Invalid(f"Invalid input for {word} of a property: {value!r} is no whole number.")
    default = kept.get("default")
    if default is not None:
        if not isinstance(default, _SCALARS):
            raise Invalid(f"Invalid input for default of a property: {default!r}")
        kept["default"] = str(default)
    return {word: value for word, value in kept.items() if value is not None}


def property_types(given: Mapping[str, Any]) -> dict[str, Any]:
    """Properties by their names, as they are kept. Raises Invalid."""
    return {name: property_type(value) for name, value in given.items()}


def stamps(record: Any) -> dict[str, str]:
    """When a record was made and changed, as clients read it."""
    return {"created_at": f"{record.created_at[:19]}Z", "updated_at": f"{record.updated_at[:19]}Z"}


def said(**values: Any) -> dict[str, Any]:
    """What of these is known: nothing that is null is shown."""
    return {name: value for name, value in values.items() if value is not None}


class Paging(msgspec.Struct, frozen=True):
    """Which page of a listing is asked for."""

    sort: tuple[str, bool]
    limit: int | None
    marker: str | None


def paging(parameters: Sequence[tuple[str, str]], *, least: int = 0) -> Paging:
    """Sort, limit and marker of a query string. Raises Invalid."""
    values = dict(parameters)
    direction = values.get("sort_dir", "desc")
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid sort direction: {direction}")
    limit: int | None = None
    if values.get("limit"):
        text = values["limit"].strip()
        if not text.lstrip("+-").isdecimal() or len(text) > 18:
            raise Invalid("limit param must be an integer")
        limit = int(text)
        if limit < least:
            raise Invalid("limit param must be positive")
    return Paging((values.get("sort_key", "created_at"), direction == "desc"), limit, values.get("marker") or None)
