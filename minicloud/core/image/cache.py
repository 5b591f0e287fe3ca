"""The image cache as administrators manage it: images that the hosts shall have before anybody boots from them.

Glance caches between its store and its own API; here those are one place, and the way that is worth a cache is the one to
the hosts. Forgetting an image leaves what hosts have: disks stand on it.
"""

from collections.abc import Sequence
from typing import ClassVar

from minicloud.base import trace
from minicloud.core import records
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction


class CachedImage(records.Record, kw_only=True):
    """An image that is wanted on the hosts, or (``cached``) that these ``hosts`` have. ``size`` in bytes."""

    TABLE = "image_cache"
    KEY: ClassVar[tuple[str, ...]] = ("image_id",)

    image_id: str
    cached: bool = False
    size: int = 0
    hosts: list[str] = []
    last_accessed: str
    last_modified: str


def known(tx: Transaction) -> list[CachedImage]:
    """All that are wanted or there, of images that still are."""
    return records.select(
        tx,
        CachedImage,
        "image_id IN (SELECT id FROM images WHERE deleted = 0) ORDER BY last_modified, image_id",
    )


def find(tx: Transaction, image_id: str) -> CachedImage | None:
    """What is known of one image."""
    return records.find(tx, CachedImage, image_id)


def queue(tx: Transaction, image: Image) -> bool:
    """The image is wanted; False when it is there, or wanted already."""
    if find(tx, image.id) is not None:
        return False
    trace.note("image_cache_queued", image=image.id)
    records.insert(tx, CachedImage(image_id=image.id, size=image.size or 0, last_accessed=tx.now, last_modified=tx.now))
    return True


def arrived(tx: Transaction, image_id: str, hosts: Sequence[str]) -> None:
    """These hosts have the image. Content when it was forgotten meanwhile."""
    found = find(tx, image_id)
    if found is not None:
        records.change(tx, found, cached=True, hosts=sorted(hosts), last_modified=tx.now, last_accessed=tx.now)


def forget(tx: Transaction, image_id: str) -> None:
    """Nothing is known of the image any more."""
    tx.execute("DELETE FROM image_cache WHERE image_id = ?", [image_id])


def clear(tx: Transaction, *, cached: bool) -> int:
    """Forget all that are there, or all that are wanted; how many those were."""
    return tx.execute("DELETE FROM image_cache WHERE cached = ?", [int(cached)])


def clean(tx: Transaction) -> int:
    """Forget images that are no more; how many those were."""
    return tx.execute("DELETE FROM image_cache WHERE image_id IN (SELECT id FROM images WHERE deleted = 1)")
