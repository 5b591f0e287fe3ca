"""Volumes and images (POST /volumes/{id}/action): a volume as an image, and what a volume remembers of its image."""

from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.microversions import Since
from minicloud.api.routes import Action
from minicloud.api.volume import values
from minicloud.api.volume.values import Flag
from minicloud.api.volume.volume_actions import PATH
from minicloud.base.errors import Invalid, NotFound
from minicloud.conductor.volume.reimage_volume import ReimageVolume
from minicloud.conductor.volume.upload_volume import UploadVolume
from minicloud.core.image.images import Image
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import image_uploads, reimages, types, volumes
from minicloud.core.volume.volumes import Volume

METADATA = "volume_extension:volume_image_metadata"
UPLOAD, PUBLIC = "volume_extension:volume_actions:upload_image", "volume_extension:volume_actions:upload_public"

REIMAGE, REIMAGE_RESERVED = "volume:reimage", "volume:reimage_reserved"


class Upload(Body):
    """The body of ``os-volume_upload_image``."""

    image_name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    force: Flag = False
    disk_format: Literal["raw", "vmdk", "vdi", "qcow2", "vhd", "vhdx", "ploop"] = "raw"
    container_format: Annotated[str, msgspec.Meta(max_length=255)] | None = "bare"
    visibility: Annotated[Literal["community", "public", "private", "shared"], Since("3.1")] = "private"
    protected: Annotated[Flag, Since("3.1")] = False


class Reimage(Body):
    """The body of ``os-reimage``."""

    image_id: UUID
    reimage_reserved: Flag = False


class SetMetadata(Body):
    """The body of ``os-set_image_metadata``."""

    metadata: dict[str, str]


class UnsetMetadata(Body):
    """The body of ``os-unset_image_metadata``."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


async def upload(call: Call, volume_id: str, body: Upload) -> Any:
    """Promise an image of the volume. ``force`` changes nothing, as upstream has it by default: a volume in use is refused."""
    values.truth("force", body.force)
    newer = call.at_least("3.1")
    if newer and body.visibility == "public":
        call.enforce(PUBLIC)

    def work(tx: Transaction) -> tuple[Volume, Image, str | None]:
        volume, image = image_uploads.take(
            tx,
            call.context,
            volumes.get(tx, call.context, volume_id),
            name=body.image_name,
            disk_format=body.disk_format,
            container_format=body.container_format or "bare",
            visibility=body.visibility if newer else "shared",
            protected=newer and values.truth("protected", body.protected),
        )
        assert image.upload_id is not None
        saga = UploadVolume(
            volume_id=volume.id, image_id=image.id, upload_id=image.upload_id, disk_format=body.disk_format
        )
        call.begin(tx, saga)
        found = types.of(tx, [volume.volume_type_id]).get(volume.volume_type_id or "")
        return volume, image, None if found is None else found.name

    volume, image, type_name = await call.write(work)
    return {
        "os-volume_upload_image": {
            "id": volume.id,
            "updated_at": volume.updated_at,
            "status": volume.status,
            "display_description": volume.description,
            "size": volume.size,
            "volume_type": None if type_name is None else {"id": volume.volume_type_id, "name": type_name},
            "image_id": image.id,
            "container_format": image.container_format,
            "disk_format": image.disk_format,
            "image_name": image.name,
            "protected": image.protected,
            "visibility": image.visibility,
        }
    }


async def reimage(call: Call, volume_id: str, body: Reimage) -> None:
    """Put another image on it."""
    reserved = values.truth("reimage_reserved", body.reimage_reserved)

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        call.enforce(REIMAGE_RESERVED if volume.status == volumes.RESERVED else REIMAGE)
        taken, image = reimages.take(tx, call.context, volume, body.image_id, reserved=reserved)
        back_to = volumes.RESERVED if taken.previous_status == volumes.RESERVED else volumes.AVAILABLE
        call.begin(tx, ReimageVolume(volume_id=taken.id, image_id=image.id, back_to=back_to))

    await call.write(work)


async def show_metadata(call: Call, volume_id: str) -> Any:
    """What the volume remembers of its image."""
    volume = await call.read(lambda tx: volumes.get(tx, call.context, volume_id))
    return {"metadata": volume.image_metadata}


async def set_metadata(call: Call, volume_id: str, body: SetMetadata) -> Any:
    """Remember more, or other things."""
    for key in body.metadata:
        if not values.is_key(key):
            raise Invalid(f"Invalid input for field/attribute metadata. Value: {body.metadata}. {key!r} is no key")

    def work(tx: Transaction) -> Volume:
        volume = volumes.get(tx, call.context, volume_id)
        if volume.status in (volumes.MAINTENANCE, volumes.UPLOADING):
            raise volumes.refused(f"Updating volume metadata is not allowed for volumes in {volume.status} status.")
        return volumes.change(tx, volume, image_metadata={**volume.image_metadata, **body.metadata})

    return {"metadata": (await call.write(work)).image_metadata}


async def unset_metadata(call: Call, volume_id: str, body: UnsetMetadata) -> None:
    """Remember one thing less."""

    def work(tx: Transaction) -> None:
        volume = volumes.get(tx, call.context, volume_id)
        if body.key not in volume.image_metadata:
            raise NotFound(f"Volume {volume_id} has no metadata with key {body.key}.")
        left = {key: value for key, value in volume.image_metadata.items() if key != body.key}
        volumes.change(tx, volume, image_metadata=left)

    await call.write(work)


routes = [
    Action("os-reimage", reimage, path=PATH, policy=None, since="3.68", extra=((REIMAGE, PROJECT_MEMBER_OR_ADMIN), (REIMAGE_RESERVED, PROJECT_MEMBER_OR_ADMIN))),
    Action("os-volume_upload_image", upload, path=PATH, policy=UPLOAD, allow=PROJECT_MEMBER_OR_ADMIN, extra=((PUBLIC, ADMIN),)),
    Action("os-show_image_metadata", show_metadata, path=PATH, policy=f"{METADATA}:show", allow=PROJECT_READER_OR_ADMIN, status=200),
    Action("os-set_image_metadata", set_metadata, path=PATH, policy=f"{METADATA}:set", allow=PROJECT_MEMBER_OR_ADMIN, status=200),
    Action("os-unset_image_metadata", unset_metadata, path=PATH, policy=f"{METADATA}:remove", allow=PROJECT_MEMBER_OR_ADMIN, status=200),
]  # fmt: skip
