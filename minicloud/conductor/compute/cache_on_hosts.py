"""Bring an image to the hosts of an aggregate, so that the first boots from it there need not wait for the bytes."""

from minicloud.conductor.image.cache_image import bring
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.world import World


class CacheOnHosts(Saga):
    """Nothing is recorded: a host that has an image already is content, and one that was passed over fetches it when it needs it."""

    image_id: str
    hosts: list[str]

    @property
    def about(self) -> str:
        return self.image_id

    @classmethod
    def steps(cls) -> Steps["CacheOnHosts"]:
        return [Step("fetch", act=ensure_on_hosts)]


async def ensure_on_hosts(saga: CacheOnHosts, world: World) -> None:
    """The hosts that are up have the image."""
    await bring(saga.image_id, saga.hosts, world)
