"""Images: their record, who sees them, how they come and go. Their bytes are blobs whose key is the image's id."""

from collections.abc import Iterable
from typing import Any, ClassVar

from minicloud.base import trace
from minicloud.base.errors import Conflict, Forbidden, Invalid, NotFound, TooLarge
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.engines.database import Transaction

QUEUED, SAVING, ACTIVE, DEACTIVATED, DELETED = "queued", "saving", "active", "deactivated", "deleted"
UPLOADING, IMPORTING = "uploading", "importing"
STATUSES = (
    "queued",
    "saving",
    "active",
    "killed",
    "deleted",
    "uploading",
    "importing",
    "pending_delete",
    "deactivated",
)
VISIBILITIES = ("community", "public", "private", "shared")
CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")
INSPECTED = ("bare", "ami", "ari", "aki")
"""Container formats that are none: the bytes are the disk (or kernel, or ramdisk) itself, and uploads were inspected."""
DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
MOST_PROPERTIES = 128
MOST_TAGS = 128
LARGEST_NUMBER = (1 << 31) - 1


class Image(records.Record, kw_only=True):
    """An image. ``size`` and ``virtual_size`` are bytes, ``min_disk`` GiB, ``min_ram`` MiB.

    While bytes come in, ``upload_id`` says whose they are; ``upload_resumes`` that this work survives a restart.
    """

    TABLE = "images"
    MISSING: ClassVar[str] = "No image found with ID {id}"

    id: str
    name: str | None = None
    status: str = QUEUED
    visibility: str = "shared"
    owner: str | None = None
    protected: bool = False
    os_hidden: bool = False
    min_disk: int = 0
    min_ram: int = 0
    disk_format: str | None = None
    container_format: str | None = None
    size: int | None = None
    virtual_size: int | None = None
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    properties: dict[str, str] = {}
    tags: list[str] = []
    upload_id: str | None = None
    upload_resumes: bool = False
    created_at: str
    updated_at: str
    deleted_at: str | None = None
    deleted: bool = False
    generation: int = 0


def get(tx: Transaction, context: Context, image_id: str) -> Image:
    """An image that exists for whoever asks. Raises NotFound."""
    image = records.find(tx, Image, image_id)
    if image is None or image.deleted or not visible(tx, context, image):
        raise Image.missing(image_id)
    return image


def visible(tx: Transaction, context: Context, image: Image) -> bool:
    """Whether the image exists for whoever asks: its own, everybody's, or shared with the project whatever it answered."""
    if context.is_admin or image.owner is None or image.visibility in ("public", "community"):
        return True
    if context.project_id is None:
        return False
    return image.owner == context.project_id or (
        image.visibility == "shared" and shared_with(tx, image.id, context.project_id)
    )


def shared_with(tx: Transaction, image_id: str, project_id: str) -> bool:
    """Whether the project is a member of the image."""
    return (
        tx.one("SELECT 1 FROM image_members WHERE image_id = ? AND member_id = ?", [image_id, project_id]) is not None
    )


def find_many(tx: Transaction, image_ids: Iterable[str]) -> dict[str, Image]:
    """The images with these ids, deleted ones included, whoever asks; for work that goes on by itself."""
    return {image.id: image for image in records.select_in(tx, Image, "id", set(image_ids))}


def for_boot(tx: Transaction, context: Context, image_id: str) -> Image:
    """The image to make a server from. Raises Invalid, in compute's words, when it is not there or has no bytes to offer."""
    try:
        image = get(tx, context, image_id)
    except NotFound as error:
        raise Invalid("Can not find requested image", kind="image", image_id=image_id) from error
    if image.status != ACTIVE:
        raise Invalid(f"Image {image_id} is not active.", kind="image", image_id=image_id, status=image.status)
    if image.container_format not in INSPECTED and image.size != 0:
        # Nobody looked into what such a container holds: no program may open it as a disk.
        raise Invalid(
            f"Image {image_id} is unacceptable: its container format is {image.container_format}; unpack it and upload "
            "the disk as bare",
            kind="image",
            image_id=image_id,
        )
    return image


def create(
    tx: Transaction,
    *,
    owner: str | None,
    image_id: str | None = None,
    properties: dict[str, str] | None = None,
    tags: Iterable[str] = (),
    **values: Any,
) -> Image:
    """A new image without bytes. ``values`` are fields of the record, already of the right types.

    Raises:
        Conflict: the id is or was another image's.
        Invalid: a number is out of range.
        TooLarge: too many tags or properties.
    """
    image = Image(
        id=image_id or tx.ids.uuid(),
        owner=owner,
        properties=properties or {},
        tags=list(dict.fromkeys(tags)),
        created_at=tx.now,
        updated_at=tx.now,
        **values,
    )
    check(image)
    if image_id is not None and records.find(tx, Image, image_id) is not None:
        raise Conflict(f"Image ID {image_id} already exists!")
    trace.note("image_created", image=image.id, name=image.name, owner=owner)
    return records.insert(tx, image)


def save(tx: Transaction, image: Image, **changes: Any) -> Image:
    """Swap values in. Raises Conflict (kind ``stale``), and as ``create`` does for values out of range."""
    check(image.with_(**changes))
    return records.change(tx, image, **changes, updated_at=tx.now)


def check(image: Image) -> None:
    """What no image may have. Raises Invalid for numbers out of range, TooLarge for too many tags or properties."""
    for name in ("min_disk", "min_ram"):
        value = getattr(image, name)
        if value < 0:
            raise Invalid(f"Invalid value '{value}' for parameter '{name}': Cannot be a negative value")
        if value > LARGEST_NUMBER:
            raise Invalid(f"Invalid value '{value}' for parameter '{name}': Cannot be greater than {LARGEST_NUMBER}")
    for what, found, most in (
        ("properties", image.properties, MOST_PROPERTIES),
        ("tags", image.tags, MOST_TAGS),
    ):
        if len(found) > most:
            raise TooLarge(
                f"The limit has been exceeded on the number of allowed image {what}. "
                f"Attempted: {len(found)}, Maximum: {most}"
            )


def delete(tx: Transaction, image: Image) -> None:
    """The image is gone; its blob is to be deleted after this commit (``uploads.leftover_blobs`` finds it otherwise).

    Raises Forbidden when it is protected.
    """
    if image.protected:
        raise Forbidden(f"Image {image.id} is protected and cannot be deleted.")
    tx.execute("DELETE FROM image_members WHERE image_id = ?", [image.id])
    tx.execute("DELETE FROM image_cache WHERE image_id = ?", [image.id])
    trace.note("image_deleted", image=image.id, was=image.status)
    records.change(tx, image, status=DELETED, deleted=True, deleted_at=tx.now, updated_at=tx.now, upload_id=None)


def deactivate(tx: Transaction, image: Image) -> None:
    """Nobody but an administrator gets its bytes any more, no server is made from it. Raises Forbidden in other states."""
    _switch(tx, image, "deactivate", ACTIVE, DEACTIVATED)


def reactivate(tx: Transaction, image: Image) -> None:
    """As before it was deactivated. Raises Forbidden in other states."""
    _switch(tx, image, "reactivate", DEACTIVATED, ACTIVE)


def _switch(tx: Transaction, image: Image, verb: str, before: str, after: str) -> None:
    if image.status == after:
        return
    if image.status != before:
        raise Forbidden(f"Not allowed to {verb} image in status '{image.status}'")
    save(tx, image, status=after)


def add_tag(tx: Transaction, image: Image, tag: str) -> None:
    """The image has the tag. Raises TooLarge when it has too many."""
    if tag not in image.tags:
        save(tx, image, tags=[*image.tags, tag])


def remove_tag(tx: Transaction, image: Image, tag: str) -> None:
    """The image has the tag no more. Raises NotFound when it had not."""
    if tag not in image.tags:
        raise NotFound("The resource could not be found.")
    save(tx, image, tags=[kept for kept in image.tags if kept != tag])
