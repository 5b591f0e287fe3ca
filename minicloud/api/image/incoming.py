"""Bytes on their way in, to be staged or to become an image at once: all of them arrive, or nothing of them is left."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import anyio

from minicloud.api.call import Call
from minicloud.base import trace
from minicloud.base.errors import CloudError, Gone, Invalid, TooLarge, Unavailable, UnsupportedMedia
from minicloud.core.image import uploads
from minicloud.core.image.images import Image
from minicloud.engines.blobs import BlobFacts

OCTETS = "application/octet-stream"
_FULL = "Image storage media is full: There is not enough disk space on the image storage media."
_TOO_LARGE = "The incoming image is too large: The provided image is too large."


def require_octets(call: Call) -> None:
    """Raises UnsupportedMedia for a body that is not meant as bytes."""
    kind = call.header("content-type")
    if (kind or "").split(";")[0].strip().lower() != OCTETS:
        raise UnsupportedMedia(f"Invalid content type {kind}")


def declared_size(call: Call) -> int | None:
    """What the client says will come. Raises Invalid, TooLarge."""
    text = call.header("x-openstack-image-size") or call.header("content-length")
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}", text):
        raise Invalid("Invalid or missing image size in request headers.")
    if int(text) > call.world.image.largest_bytes:
        raise TooLarge(_TOO_LARGE)
    return int(text)


async def counted(stream: AsyncIterator[bytes], declared: int | None) -> AsyncGenerator[bytes, None]:
    """The stream itself. Raises Invalid at its end, when it was not as long as announced."""
    size = 0
    async for chunk in stream:
        if chunk:
            size += len(chunk)
            yield chunk
    if declared is not None and declared != size:
        raise Invalid(f"{declared} bytes were announced, but {size} came", kind="size")


async def put(call: Call, key: str, stream: AsyncGenerator[bytes, None]) -> BlobFacts:
    """Keep what comes under a key. A crash may have left bytes of an earlier try there: this upload owns the key now.

    Raises TooLarge (also, as Glance, when the disk is full), Unavailable (the disk), and what the stream raises.
    """
    await call.means.blobs.delete(key)
    try:
        async with aclosing(stream):
            return await call.means.blobs.put(key, stream, limit_bytes=call.world.image.largest_bytes)
    except TooLarge as error:
        raise TooLarge(_TOO_LARGE, **error.detail) from error
    except Unavailable as error:
        if error.kind != "disk_full":
            raise
        trace.note("image_store_full", image=key, why=error.message)
        raise TooLarge(_FULL) from error


@asynccontextmanager
async def taken(call: Call, image: Image, key: str) -> AsyncIterator[str]:
    """The image is this upload's, whose id is given. Unless all goes well inside, it is queued again without its bytes."""
    upload_id = image.upload_id
    assert upload_id is not None
    why = "interrupted"
    finished = False
    try:
        yield upload_id
        finished = True
    except Gone:
        why = "the image was deleted"
        raise
    except CloudError as error:
        why = error.message
        raise
    finally:
        if not finished:
            with anyio.CancelScope(shield=True):
                await call.means.blobs.delete(key)
                await call.write(lambda tx: uploads.abandon(tx, image.id, upload_id, why))
