"""Hints for the scheduler as POST /servers takes them: those that Nova knows have a form, others may be anything."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Name, convert
from minicloud.api.compute.words import check_address
from minicloud.base.errors import Invalid
from minicloud.base.ids import is_uuid


class Hints(msgspec.Struct):
    """The hints that have a form. One server or group stands by itself: that its name is a UUID is checked afterwards, because
    msgspec 0.22 frees a pattern twice that stands in a union with a list."""

    group: str | list[UUID] | UnsetType = UNSET
    different_host: str | list[UUID] | UnsetType = UNSET
    same_host: str | list[UUID] | UnsetType = UNSET
    query: str | dict[str, Any] | UnsetType = UNSET
    target_cell: Name | UnsetType = UNSET
    different_cell: str | list[str] | UnsetType = UNSET
    build_near_host_ip: str | UnsetType = UNSET
    cidr: Annotated[str, msgspec.Meta(pattern=r"^/[0-9a-f.:]+\Z")] | UnsetType = UNSET


def check(hints: dict[str, Any]) -> dict[str, Any]:
    """The hints. Raises Invalid for one of another form."""
    known = convert(hints, Hints)
    for name, said in (("group", known.group), ("different_host", known.different_host)):
        if isinstance(said, str) and not is_uuid(said):
            raise Invalid(
                f"Invalid input for field/attribute {name}. Value: {said}. {said!r} is not a 'uuid'", field=name
            )
    if known.build_near_host_ip is not UNSET:
        check_address(known.build_near_host_ip, "build_near_host_ip")
    return hints
