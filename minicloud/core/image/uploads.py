"""Uploads: how an image's bytes come, in states that survive a crash; and the blobs that no image owns any more.

An upload stands between two commits: ``begin`` takes the image (queued to saving), ``finish`` makes it active once the blob
is durable. Whoever deletes the image meanwhile wins: the upload then finds itself gone and removes its blob. Bytes may be
staged first, in a blob of their own, and wait there (uploading) for an import to take them in (importing).
"""

from collections.abc import Collection

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Gone, Invalid
from minicloud.core import records
from minicloud.core.image.images import (
    ACTIVE,
    DEACTIVATED,
    IMPORTING,
    QUEUED,
    SAVING,
    UPLOADING,
    Image,
    save,
)
from minicloud.engines.database import Transaction

HASH = "sha512"
_STAGED = ".staged"
TASK, TO_STORES, FAILED = "os_glance_import_task", "os_glance_importing_to_stores", "os_glance_failed_import"
"""Properties that tell of an import: upstream's names."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What came in: sizes in bytes, checksums in hexadecimal."""

    size: int
    virtual_size: int | None
    md5: str
    sha512: str


def staged_key(image_id: str) -> str:
    """The key of the blob in which bytes wait to be imported."""
    return f"{image_id}{_STAGED}"


def begin(tx: Transaction, image: Image, *, upload_id: str | None = None, resumes: bool = False) -> Image:
    """Take the image for an upload. ``resumes`` says that a saga does it (its id is ``upload_id``) and finishes it after a restart.

    Raises:
        Conflict: it has bytes already, or somebody else is uploading.
        Invalid: it does not say yet what its bytes will be.
    """
    _require_queued(image, SAVING)
    missing = [name for name in ("disk_format", "container_format") if not getattr(image, name)]
    if missing:
        word = "Property" if len(missing) == 1 else "Properties"
        raise Invalid(f"{word} {', '.join(missing)} must be set prior to saving data.")
    trace.note("image_upload", image=image.id, disk_format=image.disk_format)
    return save(tx, image, status=SAVING, upload_id=upload_id or tx.ids.uuid(), upload_resumes=resumes)


def begin_staging(tx: Transaction, image: Image) -> Image:
    """Take the image for bytes that are to wait for an import. Raises Conflict as ``begin``."""
    _require_queued(image, UPLOADING)
    trace.note("image_staging", image=image.id)
    return save(tx, image, status=UPLOADING, upload_id=tx.ids.uuid(), upload_resumes=False)


def _require_queued(image: Image, wanted: str) -> None:
    if image.status != QUEUED:
        raise Conflict(f"Image status transition from {image.status} to {wanted} is not allowed", status=image.status)


def finish_staging(tx: Transaction, image_id: str, upload_id: str, size: int) -> Image:
    """The bytes wait, whole and durable. Raises Gone when the image was deleted meanwhile: remove the blob."""
    image = _uploading(tx, image_id, upload_id)
    return save(tx, image, upload_id=None, size=size)


def begin_import(tx: Transaction, image: Image, *, task_id: str, store: str) -> Image:
    """A saga takes the image to fill it; its task's id says whose the upload is. Raises Conflict while another does."""
    if image.upload_id is not None:
        raise Conflict("Image has active task")
    trace.note("image_import", image=image.id, task=task_id, disk_format=image.disk_format)
    told = {**image.properties, TASK: task_id, TO_STORES: store, FAILED: ""}
    return save(tx, image, status=IMPORTING, upload_id=task_id, upload_resumes=True, properties=told)


def copied(tx: Transaction, image: Image) -> None:
    """The image is in all stores."""
    if image.properties.get(TO_STORES) != "" or FAILED not in image.properties:
        save(tx, image, properties={**image.properties, TO_STORES: "", FAILED: ""})


def _uploading(tx: Transaction, image_id: str, upload_id: str) -> Image:
    image = records.find(tx, Image, image_id)
    if image is None or image.upload_id != upload_id:
        raise Gone(
            f"Image {image_id} could not be found after upload. The image may have been deleted during the upload, "
            "cleaning up the chunks uploaded."
        )
    return image


def _told(image: Image, failed: str) -> dict[str, str]:
    """The properties once an import has ended."""
    if TASK not in image.properties:
        return image.properties
    kept = {name: value for name, value in image.properties.items() if name != TASK}
    return {**kept, TO_STORES: "", FAILED: failed}


def finish(tx: Transaction, image_id: str, upload_id: str, received: Received) -> Image:
    """The bytes are there and durable. Raises Gone when the image was deleted meanwhile: remove the blob."""
    image = _uploading(tx, image_id, upload_id)
    trace.note(
        "image_active",
        image=image_id,
        size=received.size,
        virtual_size=received.virtual_size,
        md5=received.md5,
        sha512=received.sha512,
    )
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
        properties=_told(image, ""),
    )


def abandon(tx: Transaction, image_id: str, upload_id: str, why: str) -> None:
    """The upload came to nothing: the image waits for another one. Content when it is not this upload's any more."""
    image = records.find(tx, Image, image_id)
    if image is not None and image.upload_id == upload_id:
        trace.note("image_upload_abandoned", image=image_id, why=why)
        told = _told(image, image.properties.get(TO_STORES, ""))
        save(
            tx,
            image,
            status=QUEUED,
            upload_id=None,
            upload_resumes=False,
            size=None,
            virtual_size=None,
            properties=told,
        )


def recover(tx: Transaction) -> list[str]:
    """To be called once when the cloud starts, before anybody may upload: requests that a crash cut off will not come back.

    Their images are queued again. Returns the keys of all queued images: there must be no blob of theirs.
    """
    for image in records.select(tx, Image, "upload_id IS NOT NULL AND upload_resumes = 0"):
        assert image.upload_id is not None
        abandon(tx, image.id, image.upload_id, "the cloud was stopped")
    rows = tx.all("SELECT id FROM images WHERE status = ? AND deleted = 0", [QUEUED])
    return [key for row in rows for key in (row[0], staged_key(row[0]))]


def leftover_blobs(tx: Transaction, keys: Collection[str]) -> list[str]:
    """Those of the keys that belong to deleted images, and staged bytes that no import will take: a crash came in between.

    Safe at any time, because the rows of deleted images stay and an id is never used twice. Keys of other things are left alone.
    """
    staged = {key.removesuffix(_STAGED): key for key in keys if key.endswith(_STAGED)}
    found = [image.id for image in records.select_in(tx, Image, "id", set(keys)) if image.deleted]
    for image in records.select_in(tx, Image, "id", set(staged)):
        if image.deleted or image.status not in (UPLOADING, IMPORTING):
            found.append(staged[image.id])
    return sorted(found)


def has_bytes(image: Image) -> bool:
    """Whether there is something to download."""
    return image.status in (ACTIVE, DEACTIVATED)
