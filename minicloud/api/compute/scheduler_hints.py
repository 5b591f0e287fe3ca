"""Hints for the scheduler as POST /servers takes them: those that Nova knows have a form, others may be anything."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, convert
from minicloud.api.compute.words import Named, check_address
from minicloud.base.errors import Invalid
from minicloud.base.ids import is_uuid


class Hints(msgspec.Struct):
    """The hints that have a form. One server or group stands by itself: that its name is a UUID is checked afterwards, because
    msgspec 0.22 frees a pattern twice that stands in a union with a list."""

    group: str | list[UUID] | UnsetType = UNSET
    different_host: str | list[UUID] | UnsetType = UNSET
    same_host: str | list[UUID] | UnsetType = UNSET
    query: str | dict[str, Any] | UnsetType = UNSET
    target_cell: Named | UnsetType = UNSET
    different_cell: str | list[str] | UnsetType = UNSET
    build_near_host_ip: str | UnsetType = UNSET
    cidr: Annotated[str, msgspec.Meta(pattern=r"^/[0-9a-f.:]+\Z")] | UnsetType = UNSET


def check(hints: dict[str, Any], old_hints: dict[str, Any]) -> None:
    """Raises Invalid for a hint of another form, under either name of them."""
    for said in (hints, old_hints):
        known = convert(said, Hints)
        for name, one in (("group", known.group), ("different_host", known.different_host)):
            if isinstance(one, str) and not is_uuid(one):
                raise Invalid(
                    f"Invalid input for field/attribute {name}. Value: {one}. {one!r} is not a 'uuid'", field=name
                )
        if known.build_near_host_ip is not UNSET:
            check_address(known.build_near_host_ip, "build_near_host_ip")
