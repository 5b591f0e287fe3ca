"""Another image for a volume: what allows it, and taking a volume for it."""

from minicloud.base.errors import Conflict
from minicloud.core.context import Context
from minicloud.core.image.images import Image
from minicloud.core.volume import attachments, volume_images, volume_requests, volumes
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction


def take(tx: Transaction, context: Context, volume: Volume, image_id: str, *, reserved: bool) -> tuple[Volume, Image]:
    """Take a volume for an image.

    Args:
        reserved: whether it may be reserved for somebody.

    Raises:
        Conflict: several servers have it.
        Invalid: its status, or the image, does not allow it.
    """
    expected = [volumes.AVAILABLE, volumes.ERROR, *([volumes.RESERVED] if reserved else [])]
    return _take(tx, context, volume, image_id, expected)


def take_attached(tx: Transaction, context: Context, volume: Volume, image_id: str) -> tuple[Volume, Image]:
    """Take a volume that one server has, for that server's rebuild. Raises as ``take``."""
    return _take(tx, context, volume, image_id, [volumes.IN_USE])


def _take(
    tx: Transaction, context: Context, volume: Volume, image_id: str, expected: list[str]
) -> tuple[Volume, Image]:
    if len(attachments.of_volume(tx, volume.id)) > 1:
        raise Conflict("Cannot re-image a volume which is attached to more than one server.")
    image = volume_images.find(tx, context, image_id)
    taken = volumes.move(
        tx,
        volume,
        volumes.DOWNLOADING,
        expected,
        f"Volume {volume.id} status must be {' or '.join(expected)}, but current status is {volume.status}.",
    )
    volume_requests.check_image(image, volume.size)
    return taken, image
