"""Images made of servers (the actions createImage and createBackup)."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call, Reply
from minicloud.api.compute.server_creation import MetadataKey, MetadataValue
from minicloud.api.compute.words import Named
from minicloud.api.routes import Action
from minicloud.base.errors import Forbidden, Invalid, OverQuota
from minicloud.conductor.compute.create_image import CreateImage
from minicloud.conductor.volume.create_snapshot import CreateSnapshot
from minicloud.core import quota
from minicloud.core.compute import server_images, servers, volumed_images
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

NonNegative = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\Z")]
Metadata = dict[MetadataKey, MetadataValue]


class ImageBody(Body):
    """The body of createImage."""

    name: Named
    metadata: Metadata = {}


OF_VOLUMES = "os_compute_api:servers:create_image:allow_volume_backed"


class BackupBody(Body):
    """The body of createBackup."""

    name: Named
    backup_type: str
    rotation: Annotated[int, msgspec.Meta(ge=0)] | NonNegative
    metadata: Metadata = {}


async def create_image(call: Call, server_id: str, body: ImageBody) -> Any:
    """Promise an image of the server."""
    image_id = await _begin(call, server_id, body.name, body.metadata, None, None)
    if call.at_least("2.45"):
        return {"image_id": image_id}
    return Reply(headers={"Location": f"{call.public_url}/image/v2/images/{image_id}"})


async def create_backup(call: Call, server_id: str, body: BackupBody) -> Any:
    """Promise a backup of the server, which replaces the oldest of its type."""
    rotation = int(body.rotation)
    image_id = await _begin(call, server_id, body.name, body.metadata, body.backup_type, rotation)
    if call.at_least("2.45"):
        return {"image_id": image_id}
    return Reply(headers={"Location": f"{call.public_url}/image/v2/images/{image_id}"} if rotation > 0 else {})


async def _begin(
    call: Call, server_id: str, name: str, metadata: Metadata, backup_type: str | None, rotation: int | None
) -> str:
    if not name.strip():
        raise Invalid(f"Invalid input for field/attribute name. Value: {name}. {name!r} is only white space")

    def work(tx: Transaction) -> str:
        if metadata and not call.at_least("2.39"):
            project_id = servers.get(tx, call.context, server_id).project_id
            try:
                quota.check(tx, "compute", project_id, {"metadata_items": len(metadata)}, {})
            except OverQuota as error:
                raise Forbidden("Image metadata limit exceeded") from error
        if servers.get(tx, call.context, server_id).on_volume:
            if backup_type is not None:
                raise Invalid("Backup is not supported for volume-backed instances.")
            call.enforce(OF_VOLUMES)
            made, taken = volumed_images.ask(tx, call.context, server_id, name.strip(), metadata=metadata)
            for snapshot, host in taken:
                call.begin(tx, CreateSnapshot(snapshot_id=snapshot.id, volume_id=snapshot.volume_id, host=host))
            return made.id
        server, action_id, image = server_images.ask(
            tx, call.context, server_id, name.strip(), metadata=metadata, backup_type=backup_type
        )
        claimed = server.task_state or ""
        call.begin(
            tx,
            CreateImage(
                server_id=server.id, action_id=action_id, claimed=claimed, image_id=image.id, rotation=rotation
            ),
        )
        return image.id

    return await call.write(work)


routes = [
    Action(
        "createImage",
        create_image,
        policy="os_compute_api:servers:create_image",
        allow=PROJECT_MEMBER_OR_ADMIN,
        extra=[(OF_VOLUMES, PROJECT_MEMBER_OR_ADMIN)],
    ),
    Action("createBackup", create_backup, policy="os_compute_api:os-create-backup", allow=PROJECT_MEMBER_OR_ADMIN),
]
