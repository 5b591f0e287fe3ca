"""The image service behind a door, and small images to put in."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from minicloud.api import image
from minicloud.conductor.image.cache_image import CacheImage, UncacheImage
from minicloud.conductor.image.import_image import ImportImage
from minicloud.core.image.options import ImageOptions
from minicloud.engines.blobs import Blobs
from tests.support.doors import Door, a_door

OCTETS = {"Content-Type": "application/octet-stream"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
RAW = bytes(range(256)) * 8


@asynccontextmanager
async def an_image_service(blobs: Blobs | None = None, options: ImageOptions | None = None) -> AsyncIterator[Door]:
    """Image alone, over an empty world."""
    async with AsyncExitStack() as stack:
        yield await a_door(
            stack, [image.service()], blobs=blobs, sagas=[ImportImage, CacheImage, UncacheImage], image=options
        )


async def an_image(http: httpx.AsyncClient, content: bytes | None = RAW, **values: Any) -> dict[str, Any]:
    """An image of whoever the client is, with these bytes; as a client reads it."""
    body = {"name": "cirros", "disk_format": "raw", "container_format": "bare", **values}
    made = await http.post("/v2/images", json=body)
    assert made.status_code == 201, made.text
    path = f"/v2/images/{made.json()['id']}"
    if content is not None:
        sent = await http.put(f"{path}/file", content=content, headers=OCTETS)
        assert sent.status_code == 204, sent.text
    found: dict[str, Any] = (await http.get(path)).json()
    return found


async def changed(http: httpx.AsyncClient, image_id: str, *operations: dict[str, Any]) -> httpx.Response:
    """Patch an image."""
    return await http.request("PATCH", f"/v2/images/{image_id}", json=list(operations), headers=PATCH)
