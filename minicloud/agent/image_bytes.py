"""The bytes of images as hosts and backends get them from the store, and as hosts keep them."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from minicloud.agent.specs import ImageSource
from minicloud.base.errors import Failed, Invalid, NotFound
from minicloud.drivers.storage import Base, Storage
from minicloud.engines.blobs import Blobs


async def image_bytes(blobs: Blobs, image: ImageSource) -> AsyncIterator[bytes]:
    """An image's bytes in pieces. Raises Failed with the first, in Nova's words, when the store has none."""
    async with aclosing(blobs.get(image.blob)) as pieces:
        try:
            async for piece in pieces:
                yield piece
        except NotFound as error:
            raise Failed(f"Image {image.blob} could not be found.") from error


async def kept_image(storage: Storage, blobs: Blobs, image: ImageSource, *, format: str = "") -> Base:
    """The image is in the host's cache. Raises Invalid, in Nova's words, when no host could use it; Failed, ToolMissing."""
    try:
        return await storage.ensure_base(image.checksum, format or image.format, lambda: image_bytes(blobs, image))
    except Invalid as error:
        raise Invalid(f"Image {image.blob} is unacceptable: {error.message}") from error
