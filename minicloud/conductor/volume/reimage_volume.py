"""Put another image on a volume: what it held is gone; its snapshots keep what they hold."""

from minicloud.agent import volume_calls
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.volume.create_volume import image_source
from minicloud.conductor.volume.told import COPY_IMAGE, tell
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
    volume = await world.database.read(lambda tx: volumes.existing(tx, saga.volume_id))
    source = await world.database.read(lambda tx: image_source(tx, saga.image_id))
    if volume.host is None:
        return
    await ask(world, volume.host, volume_calls.EnsureNoVolume(volume_id=volume.id))
    message = volume_calls.EnsureVolume(
        volume_id=volume.id, size_gb=volume.size, image=source, shared=volume.multiattach
    )
    await ask(world, volume.host, message, timeout_s=3600)


def publish(tx: Transaction, saga: ReimageVolume, world: World) -> None:
    """The volume is what it was, and tells its new image."""
    image = images.find_many(tx, [saga.image_id]).get(saga.image_id)
    told = {} if image is None else volume_requests.image_metadata_of(image)
    volumes.settle(
        tx, saga.volume_id, [volumes.DOWNLOADING], status=saga.back_to, bootable=True, image_metadata=told
    )  # fmt: skip


def mark_error(tx: Transaction, saga: ReimageVolume, world: World) -> None:
    """Nobody knows what it holds."""
    volume = volumes.settle(tx, saga.volume_id, [volumes.DOWNLOADING], status=volumes.ERROR)
    if volume is not None:
        tell(tx, saga, volume.project_id, messages.VOLUME, volume.id, COPY_IMAGE)
