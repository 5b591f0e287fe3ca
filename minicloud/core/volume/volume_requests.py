"""Asking for a volume: everything that is checked before one is promised, and the record that promises it."""

from typing import Any

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Invalid, NotFound
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.image import images
from minicloud.core.image.images import Image
from minicloud.core.volume import backends, groups, quotas, snapshots, type_encryptions, types, volumes
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.types import VolumeType
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

GiB = 1 << 30
LARGEST = (1 << 31) - 1
IMAGE_FACTS = ("container_format", "disk_format", "min_disk", "min_ram", "size", "checksum")
"""Attributes of an image that a volume made of it remembers besides the image's properties."""


class VolumeRequest(msgspec.Struct, kw_only=True):
    """What a client asks for: at most one of image, snapshot and source volume. ``size`` None: as large as that."""

    size: int | None = None
    name: str | None = None
    description: str | None = None
    zone: str | None = None
    volume_type: str | None = None
    image_id: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    group_id: str | None = None
    metadata: dict[str, str] = {}
    scheduler_hints: dict[str, Any] = {}


def ask(tx: Transaction, context: Context, request: VolumeRequest) -> Volume:
    """Promise a volume; a saga makes it.

    Raises Invalid, NotFound, OverQuota in Cinder's words; nothing is written then.
    """
    project_id = context.require_project()
    wanted_type = None if request.volume_type is None else visible_type(tx, context, request.volume_type)
    snapshot = None if request.snapshot_id is None else snapshots.get(tx, context, request.snapshot_id)
    source = None if request.source_volid is None else volumes.get(tx, context, request.source_volid)
    image = None if request.image_id is None else _image(tx, context, request.image_id)
    if request.group_id is not None:
        groups.check_new_member(tx, context, request.group_id, wanted_type)
    _check_exclusive(request)
    if snapshot is not None and snapshot.status != snapshots.AVAILABLE:
        raise Invalid(f"Invalid snapshot: Originating snapshot status must be one of '{snapshots.AVAILABLE}' values")
    if source is not None and source.status not in (volumes.AVAILABLE, volumes.IN_USE):
        raise volumes.refused("Originating source volume status must be one of 'available, in-use' values")
    size = _size(request, snapshot, source)
    if image is not None:
        check_image(image, size)
    volume_type = wanted_type or _inherited_type(tx, project_id, snapshot, source, image)
    types.check_size(volume_type, size)
    if type_encryptions.of(tx, volume_type.id) is not None:
        # Whoever wants this wants it badly: a volume in the clear would be a lie.
        raise Invalid(f"Volume type {volume_type.name} is encrypted, which needs a key manager; this cloud has none.")
    zone = request.zone or _zone_of(tx, snapshot, source) or backends.DEFAULT_ZONE
    if zone not in backends.zones(tx):
        raise Invalid(f"Availability zone '{zone}' is invalid.")
    quotas.check_size(tx, project_id, size)
    quotas.check(tx, project_id, type_id=volume_type.id, volumes=1, gigabytes=size)
    volume = Volume(
        id=tx.ids.uuid(),
        project_id=project_id,
        user_id=context.user_id,
        name=request.name,
        description=request.description,
        size=size,
        zone=zone,
        volume_type_id=volume_type.id,
        snapshot_id=request.snapshot_id,
        source_volid=request.source_volid,
        group_id=request.group_id,
        bootable=_bootable(tx, snapshot, source),
        multiattach=volume_type.multiattach,
        metadata=request.metadata,
        image_metadata=_image_metadata(tx, image, snapshot, source),
        scheduler_hints=request.scheduler_hints,
        created_at=tx.now,
    )
    trace.note("volume_asked", volume=volume.id, size_gb=size, type=volume_type.name, image=request.image_id)
    return records.insert(tx, volume)


def visible_type(tx: Transaction, context: Context, text: str) -> VolumeType:
    """A volume type by id or name. Raises NotFound."""
    return types.get(tx, context, text)


def _image(tx: Transaction, context: Context, image_id: str) -> Image:
    try:
        return images.get(tx, context, image_id)
    except NotFound as error:
        raise Invalid("Invalid image identifier or unable to access requested image.") from error


def _check_exclusive(request: VolumeRequest) -> None:
    given = [
        name
        for name, value in (
            ("imageRef", request.image_id),
            ("snapshot", request.snapshot_id),
            ("source_volume", request.source_volid),
        )
        if value
    ]
    if len(given) > 1:
        raise Invalid(f"May specify only one of {', '.join(given)}")


def _size(request: VolumeRequest, snapshot: VolumeSnapshot | None, source: Volume | None) -> int:
    size = request.size
    if size is None:
        size = source.size if source is not None else snapshot.volume_size if snapshot is not None else None
    if size is None or size <= 0:
        raise Invalid(f"Invalid input received: Volume size '{size}' must be an integer and greater than 0")
    if source is not None and size < source.size:
        raise Invalid(
            f"Invalid input received: Volume size '{size}'GB cannot be smaller than original volume size  "
            f"{source.size}GB. They must be >= original volume size."
        )
    if snapshot is not None and size < snapshot.volume_size:
        raise Invalid(
            f"Invalid input received: Volume size '{size}'GB cannot be smaller than the snapshot size "
            f"{snapshot.volume_size}GB. They must be >= original snapshot size."
        )
    return size


def check_image(image: Image, size: int) -> None:
    """Raises Invalid when a volume of so many GiB cannot be made of the image."""
    if image.status != images.ACTIVE:
        raise Invalid(f"Invalid input received: Image {image.id} is not active.")
    if image.container_format not in images.INSPECTED:
        raise Invalid(
            f"Image {image.id} is unacceptable: its container format is {image.container_format}; unpack it and upload "
            "the disk as bare"
        )
    for what, needed in (("image", image.size), ("image's virtual", image.virtual_size)):
        least = -(-(needed or 0) // GiB)
        if least > size and what == "image":
            raise Invalid(
                f"Invalid input received: Size of specified image {least}GB is larger than volume size {size}GB."
            )
        if least > size:
            raise Invalid(
                f"Image {image.id} is unacceptable: Image virtual size is {least}GB and doesn't fit in a volume of size {size}GB."
            )
    if size < image.min_disk:
        raise Invalid(
            f"Invalid input received: Volume size {size}GB cannot be smaller than the image minDisk size "
            f"{image.min_disk}GB."
        )


def _inherited_type(
    tx: Transaction, project_id: str, snapshot: VolumeSnapshot | None, source: Volume | None, image: Image | None
) -> VolumeType:
    for type_id in (
        source.volume_type_id if source is not None else None,
        snapshot.volume_type_id if snapshot is not None else None,
        image.properties.get("cinder_img_volume_type") if image is not None else None,
    ):
        if type_id is not None:
            return types.named(tx, type_id)
    return types.default_of(tx, project_id)


def _zone_of(tx: Transaction, snapshot: VolumeSnapshot | None, source: Volume | None) -> str | None:
    if source is not None:
        return source.zone
    volume = None if snapshot is None else volumes.find(tx, snapshot.volume_id)
    return None if volume is None else volume.zone


def _bootable(tx: Transaction, snapshot: VolumeSnapshot | None, source: Volume | None) -> bool:
    """What is made of something bootable is bootable; a volume of an image becomes so once the image is on it."""
    if source is not None:
        return source.bootable
    volume = None if snapshot is None else volumes.find(tx, snapshot.volume_id)
    return volume is not None and volume.bootable


def _image_metadata(
    tx: Transaction, image: Image | None, snapshot: VolumeSnapshot | None, source: Volume | None
) -> dict[str, str]:
    if source is not None:
        return source.image_metadata
    if snapshot is not None:
        volume = volumes.find(tx, snapshot.volume_id)
        return {} if volume is None else volume.image_metadata
    if image is None:
        return {}
    return image_metadata_of(image)


def image_metadata_of(image: Image) -> dict[str, str]:
    """What a volume remembers of the image that is put on it."""
    told = {name: getattr(image, name) for name in IMAGE_FACTS}
    return {
        "image_id": image.id,
        **({"image_name": image.name} if image.name is not None else {}),
        "signature_verified": "False",
        **image.properties,
        **{name: str(value) for name, value in told.items() if value is not None},
    }
