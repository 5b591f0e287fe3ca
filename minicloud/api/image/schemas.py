"""Schemas: what an image and a member consist of, as data. Requests are checked by it and ``/v2/schemas`` is written from it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from minicloud.api.call import Call
from minicloud.api.image.json_schema import fault
from minicloud.api.routes import Get
from minicloud.base.errors import Invalid
from minicloud.core.image import images, members

_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute, in JSON schema's words."""

    type: str | tuple[str, ...]
    about: str = ""
    read_only: bool = False
    enum: tuple[str | None, ...] | None = None
    pattern: str | None = None
    longest: int | None = None
    items: "Property | None" = None
    more: dict[str, Any] = {}

    def document(self) -> dict[str, Any]:
        """The attribute as JSON schema."""
        found: dict[str, Any] = {"type": self.type if isinstance(self.type, str) else list(self.type)}
        if self.about:
            found["description"] = self.about
        if self.read_only:
            found["readOnly"] = True
        if self.enum is not None:
            found["enum"] = list(self.enum)
        if self.pattern is not None:
            found["pattern"] = self.pattern
        if self.longest is not None:
            found["maxLength"] = self.longest
        if self.items is not None:
            found["items"] = self.items.document()
        return {**found, **self.more}


_TEXT = ("null", "string")
_NUMBER = ("null", "integer")

IMAGE: Mapping[str, Property] = {
    "id": Property(type="string", about="The image's own id; a UUID.", pattern=_UUID),
    "name": Property(type=_TEXT, about="A name for people; several images may have the same.", longest=255),
    "status": Property(type="string", about="Where the image is in its life.", read_only=True, enum=images.STATUSES),
    "visibility": Property(type="string", about="Who sees the image.", enum=images.VISIBILITIES),
    "protected": Property(type="boolean", about="Whether deleting is refused."),
    "os_hidden": Property(type="boolean", about="Whether listings leave the image out unless asked for it."),
    "checksum": Property(type=_TEXT, about="md5 of the bytes, in hexadecimal.", read_only=True, longest=32),
    "os_hash_algo": Property(
        type=_TEXT, about="The algorithm that os_hash_value was made with.", read_only=True, longest=64
    ),
    "os_hash_value": Property(
        type=_TEXT, about="A stronger checksum of the bytes, in hexadecimal.", read_only=True, longest=128
    ),
    "owner": Property(type=_TEXT, about="The project that the image belongs to.", longest=255),
    "size": Property(type=_NUMBER, about="Bytes that a download brings.", read_only=True),
    "virtual_size": Property(type=_NUMBER, about="Bytes of the disk that a guest sees.", read_only=True),
    "container_format": Property(
        type=_TEXT, about="What the disk is wrapped in.", enum=(None, *images.CONTAINER_FORMATS)
    ),
    "disk_format": Property(type=_TEXT, about="The format of the disk.", enum=(None, *images.DISK_FORMATS)),
    "created_at": Property(type="string", about="When the image was registered.", read_only=True),
    "updated_at": Property(type="string", about="When the image was changed last.", read_only=True),
    "tags": Property(
        type="array", about="Words that listings can be filtered by.", items=Property(type="string", longest=255)
    ),
    "direct_url": Property(type="string", about="Never shown here: where bytes lie is private.", read_only=True),
    "min_ram": Property(type="integer", about="MiB of memory that a server needs at least."),
    "min_disk": Property(type="integer", about="GiB of disk that a server needs at least."),
    "self": Property(type="string", about="The path of the image.", read_only=True),
    "file": Property(type="string", about="The path of the image's bytes.", read_only=True),
    "stores": Property(type="string", about="Never shown here: there is one store.", read_only=True),
    "schema": Property(type="string", about="The path of this schema.", read_only=True),
    "locations": Property(
        type="array",
        about="Never shown here: where bytes lie is private.",
        items=Property(
            type="object",
            more={
                "properties": {"url": {"type": "string", "maxLength": 255}, "metadata": {"type": "object"}},
                "required": ["url", "metadata"],
            },
        ),
    ),
}
"""Every attribute of an image; whatever else it has is a property with a text."""

MEMBER: Mapping[str, Property] = {
    "member_id": Property(type="string", about="The project that the image is shared with."),
    "image_id": Property(type="string", about="The shared image.", pattern=_UUID),
    "created_at": Property(type="string", about="When it was shared."),
    "updated_at": Property(type="string", about="When the project answered last."),
    "status": Property(type="string", about="What the project answered.", enum=members.STATUSES),
    "schema": Property(type="string", read_only=True),
}

_CUSTOM = Property(type="string").document()
_DOCUMENTS = {name: found.document() for name, found in IMAGE.items()}


def check_attribute(name: str, value: Any) -> None:
    """Raises Invalid when an image cannot have this value there."""
    found = fault(value, _DOCUMENTS.get(name, _CUSTOM))
    if found is not None:
        raise Invalid(f"Provided object does not match schema 'image': {found}", field=name)


def image_schema() -> dict[str, Any]:
    """The document of ``/v2/schemas/image``."""
    return {
        "name": "image",
        "properties": dict(_DOCUMENTS),
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


def member_schema() -> dict[str, Any]:
    """The document of ``/v2/schemas/member``."""
    return {"name": "member", "properties": {name: found.document() for name, found in MEMBER.items()}}


async def show_image(call: Call) -> Any:
    """GET /v2/schemas/image."""
    return image_schema()


async def show_images(call: Call) -> Any:
    """GET /v2/schemas/images."""
    return {
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": image_schema()},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


async def show_member(call: Call) -> Any:
    """GET /v2/schemas/member."""
    return member_schema()


async def show_members(call: Call) -> Any:
    """GET /v2/schemas/members."""
    return {
        "name": "members",
        "properties": {"members": {"type": "array", "items": member_schema()}, "schema": {"type": "string"}},
        "links": [{"rel": "describedby", "href": "{schema}"}],
    }


routes = [
    Get("/schemas/image", show_image, policy=None),
    Get("/schemas/images", show_images, policy=None),
    Get("/schemas/member", show_member, policy=None),
    Get("/schemas/members", show_members, policy=None),
]
