"""Images in the hosts' caches whose bytes changed though nobody wrote them: found by hashing now and then, and fetched anew."""

import anyio

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.clock import moment
from minicloud.base.errors import CloudError
from minicloud.conductor.image.cache_image import PATIENCE_S, source_of
from minicloud.core.compute import hosts
from minicloud.core.image import cache
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction
from minicloud.reconcilers.loop import Mending

EVERY_S = 3600.0
"""Seconds between two rounds: whether an image is due is a question of hours."""


class DamagedImages:
    """Asks every host that is up about each image that it has, one after the other: hosts of one machine share a disk."""

    name = "damaged_images"

    def __init__(self) -> None:
        self._next = -1.0

    async def mend(self, at: Mending) -> list[str]:
        if not at.world.image.check_hours or anyio.current_time() < self._next:
            return []
        self._next = anyio.current_time() + EVERY_S

        def look(tx: Transaction) -> tuple[float, list[tuple[Image, list[str]]]]:
            return moment(tx.now).timestamp() - at.world.image.check_hours * 3600, cache.on_hosts(tx)

        since, found = await at.world.database.read(look)
        mended: list[str] = []
        for image, having in found:
            for host in having:
                if hosts.member(host) in at.world.servicegroup.down:
                    continue
                asked = calls.EnsureImageSound(image=source_of(image), unless_since=since)
                try:
                    renewed = await at.world.agents.ask(host, asked, timeout_s=PATIENCE_S)
                except CloudError as error:
                    _tell(image, "image_unsound", host=host, why=error.message)
                    continue
                if renewed:
                    _tell(image, "image_renewed", host=host)
                    mended.append(f"image {image.id} had lost bytes on {host}: it was fetched anew")
        return mended


def _tell(image: Image, word: str, **facts: str) -> None:
    """What was found belongs to the image's story; that it was looked for does not."""
    with trace.about(request_id="", resource=image.id):
        trace.note(word, image=image.id, **facts)
