"""Uploads: how an image's bytes come, in states that survive a crash; and the blobs that no image owns any more.

An upload stands between two commits: ``begin`` takes the image (queued to saving), ``finish`` makes it active once the blob
is durable. Whoever deletes the image meanwhile wins: the upload then finds itself gone and removes its blob.
"""

from collections.abc import Iterable

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Gone, Invalid
from minicloud.core import records
from minicloud.core.image.images import ACTIVE, DEACTIVATED, QUEUED, SAVING, Image, save
from minicloud.engines.database import Transaction

HASH = "sha512"
LARGEST_IMAGE = 1 << 40
"""Bytes: upstream's default ``image_size_cap``."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What came in: sizes in bytes, checksums in hexadecimal."""

    size: int
    virtual_size: int | None
    md5: str
    sha512: str


def begin(tx: Transaction, image: Image, *, upload_id: str | None = None, resumes: bool = False) -> Image:
    """Take the image for an upload. ``resumes`` says that a saga does it (its id is ``upload_id``) and finishes it after a restart.

    Raises:
        Conflict: it has bytes already, or somebody else is uploading.
        Invalid: it does not say yet what its bytes will be.
    """
    if image.status != QUEUED:
        raise Conflict(f"Image status transition from {image.status} to {SAVING} is not allowed", status=image.status)
    missing = [name for name in ("disk_format", "container_format") if not getattr(image, name)]
    if missing:
        word = "Property" if len(missing) == 1 else "Properties"
        raise Invalid(f"{word} {', '.join(missing)} must be set prior to saving data.")
    trace.note("image_upload", image=image.id, disk_format=image.disk_format)
    return save(tx, image, status=SAVING, upload_id=upload_id or tx.ids.uuid(), upload_resumes=resumes)


def finish(tx: Transaction, image_id: str, upload_id: str, received: Received) -> Image:
    """The bytes are there and durable. Raises Gone when the image was deleted meanwhile: remove the blob."""
    image = records.find(tx, Image, image_id)
    if image is None or image.upload_id != upload_id:
        raise Gone(
            f"Image {image_id} could not be found after upload. The image may have been deleted during the upload, "
            "cleaning up the chunks uploaded."
        )
    trace.note("image_active", image=image_id, size=received.size, virtual_size=received.virtual_size)
    return save(
        tx,
        image,
        status=ACTIVE,
        upload_id=None,
        upload_resumes=False,
        size=received.size,
        virtual_size=received.virtual_size,
        checksum=received.md5,
        os_hash_algo=HASH,
        os_hash_value=received.sha512,
    )


def abandon(tx: Transaction, image_id: str, upload_id: str, why: str) -> None:
    """The upload came to nothing: the image waits for another one. Content when it is not this upload's any more."""
    image = records.find(tx, Image, image_id)
    if image is not None and image.upload_id == upload_id:
        trace.note("image_upload_abandoned", image=image_id, why=why)
        save(tx, image, status=QUEUED, upload_id=None, upload_resumes=False, size=None, virtual_size=None)


def recover(tx: Transaction) -> list[str]:
    """To be called once when the cloud starts, before anybody may upload: requests that a crash cut off will not come back.

    Their images are queued again. Returns the ids of all queued images: there must be no blob of theirs.
    """
    for image in records.select(tx, Image, "upload_id IS NOT NULL AND upload_resumes = 0"):
        assert image.upload_id is not None
        abandon(tx, image.id, image.upload_id, "the cloud was stopped")
    return [row[0] for row in tx.all("SELECT id FROM images WHERE status = ? AND deleted = 0", [QUEUED])]


def leftover_blobs(tx: Transaction, keys: Iterable[str]) -> list[str]:
    """Those of the keys that belong to deleted images: a crash came between the commit of a delete and the removal of its bytes.

    Safe at any time, because the rows of deleted images stay and an id is never used twice. Keys of other things are left alone.
    """
    return sorted(image.id for image in records.select_in(tx, Image, "id", set(keys)) if image.deleted)


def has_bytes(image: Image) -> bool:
    """Whether there is something to download."""
    return image.status in (ACTIVE, DEACTIVATED)
