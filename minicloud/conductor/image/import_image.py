"""Fill an image with bytes that come from somewhere else than the request: staged before, from the web, or a file of this machine."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import msgspec

from minicloud.base import download, trace
from minicloud.base.errors import Failed, Gone, from_facts
from minicloud.base.imageformat import Inspector
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.world import World
from minicloud.core.image import images, quotas, tasks, uploads
from minicloud.core.image.uploads import Received
from minicloud.engines.database import Transaction

PIECE = 4 << 20
SIMULATED_BYTES = 1 << 16


class File(msgspec.Struct, frozen=True, tag="file"):
    """A file that lies on this machine: the built guest image of a new cloud."""

    path: str


class Blank(msgspec.Struct, frozen=True, tag="blank"):
    """So many zeros: they stand for a file that simulated hosts would never look into."""

    size: int


class Staged(msgspec.Struct, frozen=True, tag="staged"):
    """What a client staged before."""


class Web(msgspec.Struct, frozen=True, tag="web"):
    """What lies behind a URL that the administrator's rules allow."""

    url: str


Source = File | Blank | Staged | Web


class ImportImage(Saga):
    """``upload_id`` was given to the image when it was taken for this work. Containers that hold who knows what are not
    ``inspected``. ``task_id`` is the task by which a client follows it, if one asked, in the project ``project_id``."""

    image_id: str
    upload_id: str
    disk_format: str
    source: Source
    inspected: bool = True
    task_id: str = ""
    project_id: str | None = None
    received: Received | None = None

    @property
    def about(self) -> str:
        return self.image_id

    @classmethod
    def steps(cls) -> Steps["ImportImage"]:
        return [
            Step("start", record=mark_processing, unrecord=mark_failed),
            Step("receive", act=ensure_blob, record=mark_active, undo=ensure_no_blobs, unrecord=mark_queued),
            Step("unstage", act=ensure_not_staged, final=True),
        ]


def mark_processing(tx: Transaction, saga: ImportImage, world: World) -> None:
    """Whoever follows the task sees that it has begun. As in Glance, it is now that quotas are looked at."""
    if saga.task_id:
        tasks.begin(tx, saga.task_id)
        image = images.find_many(tx, [saga.image_id]).get(saga.image_id)
        staged = (image.size or 0) if image is not None and isinstance(saga.source, Staged) else None
        quotas.check_import(tx, saga.project_id, staged_bytes=staged)


def mark_failed(tx: Transaction, saga: ImportImage, world: World) -> None:
    """Whoever follows the task sees why it failed; the image waits for other bytes."""
    mark_queued(tx, saga, world)
    if saga.task_id:
        tasks.fail(tx, saga.task_id, _why(saga))


async def ensure_blob(saga: ImportImage, world: World) -> None:
    """The bytes are in the store, and are what the image says they are."""
    await world.blobs.delete(saga.image_id)
    inspector = Inspector(saga.disk_format, empty=True) if saga.inspected else None
    async with aclosing(_inspected(saga, world, inspector)) as stream:
        facts = await world.blobs.put(saga.image_id, stream)
    virtual_size = None
    if inspector is not None:
        seen = inspector.finish()
        trace.note(
            "image_inspected",
            image=saga.image_id,
            format=seen.format,
            virtual_size=seen.virtual_size,
            size=seen.file_size,
        )
        virtual_size = seen.told_size
    saga.received = Received(size=facts.size, virtual_size=virtual_size, md5=facts.md5, sha512=facts.sha512)


async def ensure_no_blobs(saga: ImportImage, world: World) -> None:
    """No bytes are left, staged ones neither."""
    await world.blobs.delete(saga.image_id)
    await ensure_not_staged(saga, world)


async def ensure_not_staged(saga: ImportImage, world: World) -> None:
    """No staged bytes are left."""
    await world.blobs.delete(uploads.staged_key(saga.image_id))


def mark_active(tx: Transaction, saga: ImportImage, world: World) -> None:
    """The image may be used."""
    if saga.received is None:
        raise Gone(f"The bytes of image {saga.image_id} were never received")
    uploads.finish(tx, saga.image_id, saga.upload_id, saga.received)
    if saga.task_id:
        tasks.succeed(tx, saga.task_id, {"image_id": saga.image_id})


def mark_queued(tx: Transaction, saga: ImportImage, world: World) -> None:
    """The image waits for another upload."""
    uploads.abandon(tx, saga.image_id, saga.upload_id, _why(saga))


def _why(saga: ImportImage) -> str:
    return "it was rolled back" if saga.failed is None else from_facts(saga.failed).message


async def _inspected(saga: ImportImage, world: World, inspector: Inspector | None) -> AsyncGenerator[bytes, None]:
    """The bytes as they come, held to the largest size; what they turn out to be is told before their end."""
    size = 0
    largest = world.image.largest_bytes
    async with aclosing(_pieces(saga, world)) as pieces:
        async for piece in pieces:
            size += len(piece)
            if size > largest:
                raise Failed(f"The image is larger than {largest} bytes, which is the most that is accepted here")
            if inspector is not None:
                inspector.feed(piece)
            yield piece
    if inspector is not None:
        inspector.finish()


async def _pieces(saga: ImportImage, world: World) -> AsyncGenerator[bytes, None]:
    match saga.source:
        case Blank(size=size):
            yield bytes(size)
            return
        case Staged():
            source: AsyncGenerator[bytes, None] = world.blobs.get(uploads.staged_key(saga.image_id))
        case Web(url=url):
            source = download.fetch(url, world.image.downloads)
        case File(path=path):
            source = _file(path)
    async with aclosing(source):
        async for piece in source:
            yield piece


async def _file(path: str) -> AsyncGenerator[bytes, None]:
    try:
        async with await anyio.open_file(path, "rb") as file:
            while piece := await file.read(PIECE):
                yield piece
    except OSError as error:
        raise Failed(f"Cannot read the image file {path}: {error.strerror}", path=path) from error


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
        source=File(source) if source else Blank(SIMULATED_BYTES),
    )
