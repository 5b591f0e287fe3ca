"""Make an image of a file that lies on this machine: the built guest image of a new cloud, or one that an operator names."""

from collections.abc import AsyncIterator

import anyio

from minicloud.base.errors import Failed, Gone, from_facts
from minicloud.base.imageformat import Inspector
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.world import World
from minicloud.core.image import images, uploads
from minicloud.core.image.uploads import Received
from minicloud.engines.database import Transaction

PIECE = 4 << 20
SIMULATED_BYTES = 1 << 16


class ImportImage(Saga):
    """``upload_id`` was given to the image when it was taken for this work. ``blank_bytes`` of zeros stand for a file that
    simulated hosts would never look into."""

    image_id: str
    upload_id: str
    disk_format: str
    path: str = ""
    blank_bytes: int = 0
    received: Received | None = None

    @property
    def about(self) -> str:
        return self.image_id

    @classmethod
    def steps(cls) -> Steps["ImportImage"]:
        return [Step("receive", act=ensure_blob, record=mark_active, undo=ensure_no_blob, unrecord=mark_queued)]


async def ensure_blob(saga: ImportImage, world: World) -> None:
    """The file's bytes are in the store, and are what the image says they are."""
    await world.blobs.delete(saga.image_id)
    inspector = Inspector(saga.disk_format)
    facts = await world.blobs.put(saga.image_id, _pieces(saga, inspector))
    saga.received = Received(
        size=facts.size, virtual_size=inspector.finish().virtual_size, md5=facts.md5, sha512=facts.sha512
    )


async def ensure_no_blob(saga: ImportImage, world: World) -> None:
    """No bytes are left."""
    await world.blobs.delete(saga.image_id)


def mark_active(tx: Transaction, saga: ImportImage, world: World) -> None:
    """The image may be used."""
    if saga.received is None:
        raise Gone(f"The bytes of image {saga.image_id} were never received")
    uploads.finish(tx, saga.image_id, saga.upload_id, saga.received)


def mark_queued(tx: Transaction, saga: ImportImage, world: World) -> None:
    """The image waits for another upload."""
    why = "it was rolled back" if saga.failed is None else from_facts(saga.failed).message
    uploads.abandon(tx, saga.image_id, saga.upload_id, why)


async def _pieces(saga: ImportImage, inspector: Inspector) -> AsyncIterator[bytes]:
    if saga.blank_bytes:
        blank = bytes(saga.blank_bytes)
        inspector.feed(blank)
        yield blank
        return
    try:
        async with await anyio.open_file(saga.path, "rb") as file:
            while piece := await file.read(PIECE):
                inspector.feed(piece)
                yield piece
    except OSError as error:
        raise Failed(f"Cannot read the image file {saga.path}: {error.strerror}", path=saga.path) from error


def guest_image(
    tx: Transaction, *, name: str, source: str, min_disk: int, min_ram: int, properties: dict[str, str]
) -> ImportImage | None:
    """A public image of the guest, with the saga that fills it; None where a cloud has (or had) one of this name.

    ``source`` is the built qcow2 file; empty for the image of simulated hosts.
    """
    if tx.one("SELECT 1 FROM images WHERE name = ?", [name]) is not None:
        return None
    disk_format = "qcow2" if source else "raw"
    image = images.create(
        tx,
        owner=None,
        properties=properties,
        name=name,
        visibility="public",
        disk_format=disk_format,
        container_format="bare",
        min_disk=min_disk,
        min_ram=min_ram,
    )
    image = uploads.begin(tx, image, upload_id=tx.ids.uuid(), resumes=True)
    assert image.upload_id is not None
    return ImportImage(
        image_id=image.id,
        upload_id=image.upload_id,
        disk_format=disk_format,
        path=source,
        blank_bytes=0 if source else SIMULATED_BYTES,
    )
