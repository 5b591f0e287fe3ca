"""Changes to an image as clients ask for them: add, replace or remove an attribute, a tag list or a property, all or none."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from minicloud.base.errors import Conflict, Forbidden
from minicloud.core.context import Context
from minicloud.core.image.images import QUEUED, Image, save
from minicloud.core.image.protections import Operation
from minicloud.engines.database import Transaction

ATTRIBUTES = (
    "name",
    "visibility",
    "owner",
    "protected",
    "os_hidden",
    "min_disk",
    "min_ram",
    "disk_format",
    "container_format",
    "tags",
)
"""What clients may change; everything else that they name is a property."""

Permit = Callable[[str, Image], None]
"""Raises Forbidden or NotFound when the policy of this name does not allow it on the image."""

May = Callable[[Operation, str], bool]
"""Whether the property protections allow this to be done to the property of this name."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One operation on one name. ``strict`` is how the oldest clients mean ``add``: only what is not there yet."""

    op: Literal["add", "replace", "remove"]
    name: str
    value: Any = None
    strict: bool = False


def apply(
    tx: Transaction, context: Context, image: Image, changes: Sequence[Change], permit: Permit, may: May
) -> Image:
    """Make all changes, or none.

    Raises:
        Forbidden, NotFound: a policy, or the attribute cannot be changed now or by whoever asks.
        Conflict: a property to be replaced or removed is not there, or one to be added is.
        Invalid, TooLarge: as ``images.check`` finds.
    """
    changed = image
    for change in changes:
        if change.name == "locations":
            raise Forbidden(f"It's not allowed to {_LOCATIONS[change.op]} locations if locations are invisible.")
        if change.name == "owner" and change.op != "remove" and not context.is_admin:
            raise Forbidden("Owner can't be updated by non admin.")
        if change.name == "visibility" and change.value in ("public", "community"):
            permit("publicize_image" if change.value == "public" else "communitize_image", image)
        permit("modify_image", image)
        changed = _attribute(changed, change) if change.name in ATTRIBUTES else _property(changed, change, may)
    if changed is image:
        return image
    values = {name: getattr(changed, name) for name in (*ATTRIBUTES, "properties")}
    return save(tx, image, **{name: value for name, value in values.items() if value != getattr(image, name)})


_LOCATIONS = {"add": "add", "replace": "update", "remove": "remove"}


def _attribute(image: Image, change: Change) -> Image:
    if change.op == "remove":
        raise Forbidden(f"Property {change.name} may not be removed.")
    if change.op == "add" and change.strict:
        raise Conflict(f"Property {change.name} already present.")
    if change.name in ("disk_format", "container_format") and image.status != QUEUED:
        raise Forbidden(f"Attribute {change.name} can be only replaced for a queued image.")
    value = list(dict.fromkeys(change.value)) if change.name == "tags" else change.value
    return image.with_(**{change.name: value})


def _property(image: Image, change: Change, may: May) -> Image:
    # What may not be read is not there for whoever asks.
    there = change.name in image.properties and may("read", change.name)
    if change.op == "add":
        if there and change.strict:
            raise Conflict(f"Property {change.name} already present.")
    elif not there:
        raise Conflict(f"Property {change.name} does not exist.")
    operation: Operation = "delete" if change.op == "remove" else "update" if there else "create"
    if not may(operation, change.name):
        raise reserved(change.name)
    kept = {name: value for name, value in image.properties.items() if name != change.name}
    if change.op != "remove":
        kept[change.name] = change.value
    return image.with_(properties=kept)


def reserved(name: str) -> Forbidden:
    """The error for a property that the protections keep from whoever asks."""
    return Forbidden(f"Attribute '{name}' is reserved.")
