"""Make an image of a volume: its bytes go to the store, and the volume is what it was."""

from minicloud.agent import volume_calls
from minicloud.base.errors import Gone
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.volume.told import UPLOAD, tell
from minicloud.conductor.world import World
from minicloud.core.image import uploads
from minicloud.core.image.uploads import Received
from minicloud.core.volume import image_uploads, messages, volumes
from minicloud.engines.database import Transaction


class UploadVolume(Saga):
    """The volume (``uploading``) and its image were taken in the transaction that began this."""

    volume_id: str
    image_id: str
    upload_id: str
    disk_format: str
    received: Received | None = None

    @property
    def about(self) -> str:
        return self.volume_id

    @classmethod
    def steps(cls) -> Steps["UploadVolume"]:
        return [Step("send", act=ensure_sent, record=publish, undo=ensure_no_blob, unrecord=give_up)]


async def ensure_sent(saga: UploadVolume, world: World) -> None:
    """The bytes are in the store."""
    volume = await world.database.read(lambda tx: volumes.existing(tx, saga.volume_id))
    message = volume_calls.ExportVolume(volume_id=volume.id, blob=saga.image_id, format=saga.disk_format)
    sent = await ask(world, volume.host or "", message, timeout_s=3600)
    saga.received = Received(size=sent.size, virtual_size=sent.virtual_size, md5=sent.md5, sha512=sent.sha512)


async def ensure_no_blob(saga: UploadVolume, world: World) -> None:
    """No bytes are left."""
    await world.blobs.delete(saga.image_id)


def publish(tx: Transaction, saga: UploadVolume, world: World) -> None:
    """The image may be used. Raises Gone when somebody deleted it meanwhile."""
    if saga.received is None:
        raise Gone(f"The bytes of image {saga.image_id} were never received")
    uploads.finish(tx, saga.image_id, saga.upload_id, saga.received)
    image_uploads.give_back(tx, saga.volume_id)


def give_up(tx: Transaction, saga: UploadVolume, world: World) -> None:
    """The volume is what it was, and there is no image; its users are told."""
    volume = volumes.find(tx, saga.volume_id)
    if volume is not None:
        tell(tx, saga, volume.project_id, messages.VOLUME, volume.id, UPLOAD)
    image_uploads.discard(tx, saga.image_id)
    image_uploads.give_back(tx, saga.volume_id)
