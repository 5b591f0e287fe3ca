"""Volumes as images: taking a volume for it, the image that waits for its bytes, and what the image says of the volume."""

from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.image import images, uploads
from minicloud.core.image.images import Image
from minicloud.core.volume import volumes
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

NOT_PASSED_ON = (
    *("image_id", "image_name", "size", "checksum", "container_format", "disk_format", "min_disk", "min_ram"),
    "signature_verified",
)
FORMATS = ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx")


def take(
    tx: Transaction,
    context: Context,
    volume: Volume,
    *,
    name: str,
    disk_format: str,
    container_format: str,
    visibility: str,
    protected: bool,
) -> tuple[Volume, Image]:
    """The volume is being uploaded, and there is an image for its bytes.

    Raises Invalid: its status does not allow it, or this cloud writes no such format.
    """
    if disk_format not in FORMATS or container_format not in images.INSPECTED:
        raise Invalid(
            f"Invalid input received: a volume is uploaded as {' or '.join(FORMATS)} in a bare container, "
            f"not as {disk_format} in {container_format}"
        )
    if volume.status != volumes.AVAILABLE:
        raise volumes.refused(f"Volume {volume.id} status must be {volumes.AVAILABLE}")
    told = {key: value for key, value in volume.image_metadata.items() if key not in NOT_PASSED_ON}
    image = images.create(
        tx,
        owner=context.project_id,
        name=name,
        visibility=visibility,
        protected=protected,
        disk_format=disk_format,
        container_format=container_format,
        min_disk=_number(volume.image_metadata.get("min_disk")),
        min_ram=_number(volume.image_metadata.get("min_ram")),
        properties=told,
    )
    image = uploads.begin(tx, image, upload_id=tx.ids.uuid(), resumes=True)
    taken = volumes.move(tx, volume, volumes.UPLOADING, [volumes.AVAILABLE], "")
    trace.note("volume_upload", volume=volume.id, image=image.id, format=disk_format)
    return taken, image


def give_back(tx: Transaction, volume_id: str) -> None:
    """The volume is what it was."""
    volume = volumes.find(tx, volume_id)
    if volume is not None and volume.status == volumes.UPLOADING:
        volumes.change(tx, volume, status=volume.previous_status or volumes.AVAILABLE, previous_status=None)


def discard(tx: Transaction, image_id: str) -> None:
    """The image came to nothing: its record goes, too."""
    image = records.find(tx, Image, image_id)
    if image is not None and not image.deleted and not uploads.has_bytes(image):
        images.delete(tx, image.with_(protected=False))


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else 0
