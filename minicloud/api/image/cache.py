"""The image cache over HTTP: which images the hosts have before anybody boots from them, and which they shall get."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.base.clock import moment
from minicloud.base.errors import Invalid, NotFound
from minicloud.conductor.image.cache_image import CacheImage, UncacheImage
from minicloud.core.image import cache, images
from minicloud.core.image.cache import CachedImage
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction


def view(found: CachedImage) -> dict[str, Any]:
    """A cached image as clients see it."""
    return {
        "image_id": found.image_id,
        "hits": found.hits,
        "size": found.size,
        "last_accessed": moment(found.last_accessed).timestamp(),
        "last_modified": moment(found.last_modified).timestamp(),
    }


async def index(call: Call) -> Any:
    """GET /v2/cache."""
    found = await call.read(cache.known)
    return {
        "cached_images": [view(one) for one in found if one.cached],
        "queued_images": [one.image_id for one in found if not one.cached],
    }


async def queue(call: Call, image_id: str) -> None:
    """PUT /v2/cache/{image}: the hosts shall get it."""

    def work(tx: Transaction) -> None:
        image = _get(call, tx, image_id)
        if image.status != images.ACTIVE:
            raise Invalid("Only images with status active can be targeted for queueing")
        if cache.queue(tx, image):
            call.begin(tx, CacheImage(image_id=image_id))

    await call.write(work)


def _get(call: Call, tx: Transaction, image_id: str) -> images.Image:
    try:
        return images.get(tx, call.context, image_id)
    except NotFound as error:
        raise NotFound(f"Image {image_id} not found.") from error


async def delete(call: Call, image_id: str) -> None:
    """DELETE /v2/cache/{image}: hosts let go of it, unless a disk there stands on it."""

    def work(tx: Transaction) -> None:
        found = cache.find(tx, image_id)
        if found is None:
            _get(call, tx, image_id)
        else:
            _forget(call, tx, found)

    await call.write(work)


def _forget(call: Call, tx: Transaction, found: CachedImage) -> None:
    cache.forget(tx, found.image_id)
    image = images.find_many(tx, [found.image_id]).get(found.image_id)
    if found.cached and image is not None and image.os_hash_value is not None:
        call.begin(tx, UncacheImage(image_id=image.id, checksum=image.os_hash_value))


async def clear(call: Call) -> None:
    """DELETE /v2/cache: all, or what the header says."""
    target = (call.header("x-image-cache-clear-target") or "").lower()
    if target not in ("", "cache", "queue"):
        raise Invalid(
            "If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.", kind="clear_target"
        )

    def work(tx: Transaction) -> None:
        for found in cache.known(tx):
            if target != ("queue" if found.cached else "cache"):
                _forget(call, tx, found)

    await call.write(work)


async def clean(call: Call) -> None:
    """POST /v2/cache/clean: images that are no more are forgotten."""
    await call.write(cache.clean)


async def prune(call: Call) -> Any:
    """POST /v2/cache/prune: the cache has no size that it could exceed."""
    return {"total_files_pruned": 0, "total_bytes_pruned": 0}


async def nodes(call: Call, image_id: str) -> Any:
    """GET /v2/cache/nodes/{image}: the hosts that have it."""

    def work(tx: Transaction) -> CachedImage | None:
        _get(call, tx, image_id)
        return cache.find(tx, image_id)

    found = await call.read(work)
    return [] if found is None else found.hosts


routes = [
    Get("/cache", index, policy="cache_list", allow=ADMIN),
    Delete("/cache", clear, policy="cache_delete", allow=ADMIN),
    Put("/cache/{image_id}", queue, policy="cache_image", allow=ADMIN, status=202),
    Delete("/cache/{image_id}", delete, policy="cache_delete", allow=ADMIN),
    Get("/cache/nodes/{image_id}", nodes, policy="list_cached_nodes", allow=ADMIN),
    Post("/cache/clean", clean, policy="cache_clean", allow=ADMIN),
    Post("/cache/prune", prune, policy="cache_prune", allow=ADMIN),
]
