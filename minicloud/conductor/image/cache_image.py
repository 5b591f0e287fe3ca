"""Bring an image to hosts that are up, so that the first boot from it there need not wait for the bytes; or take it from them."""

from collections.abc import Sequence

import anyio

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import CloudError, Failed
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.world import World
from minicloud.core.compute import hosts, leftovers
from minicloud.core.image import cache, images
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction

AT_ONCE = 8
"""Hosts that read the image side by side."""
PATIENCE_S = 1800.0


class CacheImage(Saga):
    """``reached`` are the hosts that have it now."""

    image_id: str
    reached: list[str] = []

    @property
    def about(self) -> str:
        return self.image_id

    @classmethod
    def steps(cls) -> Steps["CacheImage"]:
        return [Step("fetch", act=ensure_on_hosts, record=mark_cached, unrecord=forget)]


async def ensure_on_hosts(saga: CacheImage, world: World) -> None:
    """The hosts have the image; one that cannot is passed over, none at all is a failure."""
    all_hosts = await world.database.read(lambda tx: [node.host for node in hosts.nodes(tx)])
    saga.reached = await bring(saga.image_id, all_hosts, world)


async def bring(image_id: str, wanted: Sequence[str], world: World) -> list[str]:
    """Which of the wanted hosts have the image now. Raises Failed without a usable image; what a host said when none has it."""

    def look(tx: Transaction) -> calls.ImageSource | None:
        image = images.find_many(tx, [image_id]).get(image_id)
        return source_of(image) if image is not None and image.status == images.ACTIVE else None

    source = await world.database.read(look)
    if source is None:
        raise Failed(f"Image {image_id} cannot be brought to hosts any more")
    reached: list[str] = []
    failed: list[CloudError] = []
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def ask(host: str) -> None:
        async with limiter:
            try:
                await world.agents.ask(host, calls.EnsureImage(image=source), timeout_s=PATIENCE_S)
                reached.append(host)
            except CloudError as error:
                trace.note("image_not_cached", host=host, image=image_id, why=error.message)
                failed.append(error)

    async with anyio.create_task_group() as tasks:
        for host in wanted:
            if hosts.member(host) not in world.servicegroup.down:
                tasks.start_soon(ask, host)
    if failed and not reached:
        raise failed[0]
    return sorted(reached)


def source_of(image: Image) -> calls.ImageSource:
    """As a server's image travels: Amazon's machine images are plain file systems."""
    stated = image.disk_format or "raw"
    format = "raw" if stated in ("ami", "aki", "ari") else stated
    return calls.ImageSource(blob=image.id, checksum=image.os_hash_value or "", format=format, size=image.size or 0)


def mark_cached(tx: Transaction, saga: CacheImage, world: World) -> None:
    """The cache shows the image, and where it is."""
    cache.arrived(tx, saga.image_id, saga.reached)


def forget(tx: Transaction, saga: CacheImage, world: World) -> None:
    """It is wanted no more; where it was before, it is still shown."""
    found = cache.find(tx, saga.image_id)
    if found is not None and not found.cached:
        cache.forget(tx, saga.image_id)


class UncacheImage(Saga):
    """``checksum`` is what hosts call the image. What a disk stands on stays, and is shown again when hosts tell of it."""

    image_id: str
    checksum: str

    @property
    def about(self) -> str:
        return self.image_id

    @classmethod
    def steps(cls) -> Steps["UncacheImage"]:
        return [Step("remove", act=ensure_not_on_hosts, final=True)]


async def ensure_not_on_hosts(saga: UncacheImage, world: World) -> None:
    """The hosts do not have the image, unless a server needs it; one that is down keeps it."""

    def look(tx: Transaction) -> list[str]:
        return [node.host for node in hosts.nodes(tx)] if leftovers.unneeded(tx, [saga.checksum]) else []

    limiter = anyio.CapacityLimiter(AT_ONCE)
    failed: list[CloudError] = []

    async def ask(host: str) -> None:
        async with limiter:
            try:
                await world.agents.ask(host, calls.EnsureNoImage(checksum=saga.checksum))
            except CloudError as error:
                failed.append(error)

    known = await world.database.read(look)
    async with anyio.create_task_group() as tasks:
        for host in known:
            if hosts.member(host) not in world.servicegroup.down:
                tasks.start_soon(ask, host)
    if failed:
        raise failed[0]
