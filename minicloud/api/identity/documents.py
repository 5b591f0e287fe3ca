"""How identity reads documents: a resource's own fields as a struct, and beside them whatever else the client wrote."""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api import bodies
from minicloud.api.call import Call
from minicloud.api.listing import truth
from minicloud.base.errors import Invalid
from minicloud.core.identity import domains

S = TypeVar("S", bound=msgspec.Struct)

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"\S")]
ShortName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"\S")]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9-]+$")]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^,/]*$")]
Tags = Annotated[list[Tag], msgspec.Meta(max_length=80)]
Truth = bool | Literal["True", "TRUE", "true", "False", "FALSE", "false", "1", "0", "y", "n", "on", "off", "yes", "no"]


class ResourceOptions(msgspec.Struct, forbid_unknown_fields=True):
    """The options of projects, domains and roles; null takes one away."""

    immutable: bool | UnsetType | None = UNSET


class UserOptions(msgspec.Struct, forbid_unknown_fields=True):
    """The options of users; null takes one away."""

    ignore_change_password_upon_first_use: bool | UnsetType | None = UNSET
    ignore_password_expiry: bool | UnsetType | None = UNSET
    ignore_lockout_failure_attempts: bool | UnsetType | None = UNSET
    lock_password: bool | UnsetType | None = UNSET
    ignore_user_inactivity: bool | UnsetType | None = UNSET
    multi_factor_auth_rules: list[Annotated[list[str], msgspec.Meta(min_length=1)]] | UnsetType | None = UNSET
    multi_factor_auth_enabled: bool | UnsetType | None = UNSET


def read(kind: type[S], document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A resource's document: the fields that it gave, by name, and its further attributes. Raises Invalid.

    Names of further attributes lose colons and dashes, as upstream stores them. Options come as a plain dictionary.
    """
    if not document:
        raise Invalid("{} should be non-empty", kind="body")
    own = {field.encode_name for field in msgspec.structs.fields(kind)}
    extra = {
        name.replace(":", "_").replace("-", "_"): value
        for name, value in document.items()
        if name not in own and name not in ("id", "links")
    }
    return given(bodies.convert(document, kind)), extra


def given(fields: msgspec.Struct) -> dict[str, Any]:
    """The fields that a document really had, by name; truths as truths."""
    found: dict[str, Any] = {}
    for name in fields.__struct_fields__:
        value = getattr(fields, name)
        if value is UNSET:
            continue
        if name in ("enabled", "is_domain") and isinstance(value, str):
            value = truth(value)
        found[name] = given(value) if isinstance(value, msgspec.Struct) else value
    return found


def aside(fields: dict[str, Any], extra: dict[str, Any], *names: str) -> None:
    """Move fields that are checked like the resource's own, but kept with the further attributes."""
    for name in names:
        if name in fields:
            extra[name] = fields.pop(name)


def require_same_id(document: dict[str, Any], id: str) -> None:
    """Raises Invalid when a document would change the id it was sent to."""
    if document.get("id") is not None and document["id"] != id:
        raise Invalid("Cannot change ID")


def domain_meant(call: Call, domain_id: str | None) -> str:
    """The domain of a new resource: the one it names, that of the token, the default one."""
    return domain_id or call.context.domain_id or domains.DEFAULT
