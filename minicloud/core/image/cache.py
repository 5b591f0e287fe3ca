"""The image cache as administrators manage it: the images that hosts have, and those that they shall have before anybody boots.

Glance caches between its store and its own API; here those are one place, and the way that is worth a cache is the one to
the hosts. What disks stand on stays there, whoever forgets it.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import msgspec

from minicloud.base import trace
from minicloud.core import records
from minicloud.core.image.images import ACTIVE, DEACTIVATED, Image
from minicloud.engines.database import Transaction


class CachedImage(records.Record, kw_only=True):
    """An image that is wanted on the hosts, or (``cached``) that these ``hosts`` have. ``size`` in bytes.

    ``hits``: how often a host needed it and had it, since it started.
    """

    TABLE = "image_cache"
    KEY: ClassVar[tuple[str, ...]] = ("image_id",)

    image_id: str
    cached: bool = False
    size: int = 0
    hosts: list[str] = []
    last_accessed: str
    last_modified: str
    hits: int = 0


class Held(msgspec.Struct, frozen=True):
    """What hosts say of an image: those that have it, and how often it was of use to them."""

    hosts: list[str]
    hits: int = 0


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
    """These hosts have the image, too. Content when it was forgotten meanwhile."""
    found = find(tx, image_id)
    if found is not None:
        now = sorted({*found.hosts, *hosts})
        records.change(tx, found, cached=True, hosts=now, last_modified=tx.now, last_accessed=tx.now)


def reported(tx: Transaction, held: Mapping[str, Held], heard: Collection[str]) -> None:
    """What the hosts that were ``heard`` have, by checksum, is what the cache shows of them."""
    living = {
        image.id: held[image.os_hash_value]
        for image in records.select_in(tx, Image, "os_hash_value", set(held))
        if image.status in (ACTIVE, DEACTIVATED) and image.os_hash_value is not None
    }
    before = {row.image_id: row for row in records.select(tx, CachedImage)}
    for image_id, now in living.items():
        row = before.get(image_id)
        if row is None:
            size = records.get(tx, Image, image_id).size or 0
            row = CachedImage(image_id=image_id, size=size, last_accessed=tx.now, last_modified=tx.now)
            records.insert(tx, row)
        hosts = sorted({*now.hosts, *(host for host in row.hosts if host not in heard)})
        if (hosts, True) != (row.hosts, row.cached):
            row = records.change(tx, row, cached=True, hosts=hosts, last_modified=tx.now)
        if now.hits != row.hits:
            records.change(tx, row, hits=now.hits, last_accessed=tx.now)
    for image_id, row in before.items():
        if image_id not in living and row.cached and row.hosts:
            elsewhere = [host for host in row.hosts if host not in heard]
            if elsewhere:
                if elsewhere != row.hosts:
                    records.change(tx, row, hosts=elsewhere, last_modified=tx.now)
            else:
                forget(tx, image_id)


def on_hosts(tx: Transaction) -> list[tuple[Image, list[str]]]:
    """The images that hosts have and that still are, with those hosts."""
    hosts = {row.image_id: row.hosts for row in known(tx) if row.cached}
    found = records.select_in(tx, Image, "id", set(hosts))
    return [(image, hosts[image.id]) for image in found if image.status in (ACTIVE, DEACTIVATED)]


def of_nobody(tx: Transaction, checksums: Collection[str]) -> list[str]:
    """Those of the checksums that no image has which still is."""
    living = {
        image.os_hash_value
        for image in records.select_in(tx, Image, "os_hash_value", set(checksums))
        if not image.deleted
    }
    return sorted(set(checksums) - living)


def forget(tx: Transaction, image_id: str) -> None:
    """Nothing is known of the image any more."""
    tx.execute("DELETE FROM image_cache WHERE image_id = ?", [image_id])


def clean(tx: Transaction) -> int:
    """Forget images that are no more; how many those were."""
    return tx.execute("DELETE FROM image_cache WHERE image_id IN (SELECT id FROM images WHERE deleted = 1)")
