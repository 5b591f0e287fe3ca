"""Put another image on a volume: what it held is gone; its snapshots keep what they hold."""

from minicloud.agent import volume_calls
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.volume.create_volume import image_source
from minicloud.conductor.volume.told import REIMAGE, tell
from minicloud.conductor.world import World
from minicloud.core.image import images
from minicloud.core.volume import messages, volume_requests, volumes
from minicloud.engines.database import Transaction


class ReimageVolume(Saga):
    """The volume was taken (``downloading``) in the transaction that began this; ``back_to`` is the status it will have."""

    volume_id: str
    image_id: str
    back_to: str

    @property
    def about(self) -> str:
        return self.volume_id

    @classmethod
    def steps(cls) -> Steps["ReimageVolume"]:
        return [Step("put", act=ensure_put, record=publish, unrecord=mark_error)]


async def ensure_put(saga: ReimageVolume, world: World) -> None:
    """The volume's file stands on the image."""
    await ensure_image(world, saga.volume_id, saga.image_id)


def publish(tx: Transaction, saga: ReimageVolume, world: World) -> None:
    """The volume is what it was, and tells its new image."""
    settle(tx, saga.volume_id, saga.image_id, saga.back_to)


def mark_error(tx: Transaction, saga: ReimageVolume, world: World) -> None:
    """Nobody knows what it holds."""
    spoil(tx, saga, saga.volume_id)


async def ensure_image(world: World, volume_id: str, image_id: str) -> None:
    """A volume's file stands on an image. Raises what its backend raises."""
    volume = await world.database.read(lambda tx: volumes.existing(tx, volume_id))
    source = await world.database.read(lambda tx: image_source(tx, image_id))
    if volume.host is None:
        return
    await ask(world, volume.host, volume_calls.EnsureNoVolume(volume_id=volume.id))
    message = volume_calls.EnsureVolume(
        volume_id=volume.id, size_gb=volume.size, image=source, shared=volume.multiattach
    )
    await ask(world, volume.host, message, timeout_s=3600)


def settle(tx: Transaction, volume_id: str, image_id: str, status: str) -> None:
    """A volume that was taken is of its new image."""
    image = images.find_many(tx, [image_id]).get(image_id)
    told = {} if image is None else volume_requests.image_metadata_of(image)
    volumes.settle(tx, volume_id, [volumes.DOWNLOADING], status=status, bootable=True, image_metadata=told)


def spoil(tx: Transaction, saga: Saga, volume_id: str) -> None:
    """A volume that was taken holds nobody knows what; its owner is told."""
    volume = volumes.settle(tx, volume_id, [volumes.DOWNLOADING], status=volumes.ERROR)
    if volume is not None:
        tell(tx, saga, volume.project_id, messages.VOLUME, volume.id, REIMAGE)
