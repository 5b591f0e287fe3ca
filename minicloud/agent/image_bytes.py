"""The bytes of images as hosts and backends get them from the store."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from minicloud.agent.specs import ImageSource
from minicloud.base.errors import Failed, NotFound
from minicloud.engines.blobs import Blobs


async def image_bytes(blobs: Blobs, image: ImageSource) -> AsyncIterator[bytes]:
    """An image's bytes in pieces. Raises Failed with the first, in Nova's words, when the store has none."""
    async with aclosing(blobs.get(image.blob)) as pieces:
        try:
            async for piece in pieces:
                yield piece
        except NotFound as error:
            raise Failed(f"Image {image.blob} could not be found.") from error
