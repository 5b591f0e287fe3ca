"""Images made of servers: the record that waits for a snapshot's bytes, and the old backups that a new one replaces.

What of the server's own image they inherit, and what they say of where they come from: nova/compute/utils.py (nova 34.0.0).
"""

from collections.abc import Mapping
from typing import Literal

from minicloud.base import trace
from minicloud.base.errors import Conflict, Forbidden, Gone
from minicloud.core import records
from minicloud.core.compute import servers
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.core.image import images, members, uploads
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction

Kind = Literal["snapshot", "backup"]

NOT_INHERITED = frozenset(
    {
        *("cache_in_nova", "bittorrent", "cinder_encryption_key_id", "cinder_encryption_key_deletion_policy"),
        *("img_signature", "img_signature_hash_method", "img_signature_key_type", "img_signature_certificate_uuid"),
    }
)
"""Properties of an image that say nothing of what was made from it; nor do those of glance itself (``os_glance...``)."""


def ask(
    tx: Transaction,
    context: Context,
    server_id: str,
    name: str,
    *,
    metadata: Mapping[str, str],
    backup_type: str | None = None,
) -> tuple[Server, int, Image]:
    """Take a server for a snapshot (or a backup of this type): as it is now, the id of the action, and the image to be.

    Raises NotFound, Conflict.
    """
    kind: Kind = "snapshot" if backup_type is None else "backup"
    server, action_id = servers.take(tx, context, server_id, "createImage" if kind == "snapshot" else "createBackup")
    own = dict(metadata) if backup_type is None else {**metadata, "backup_type": backup_type}
    return server, action_id, add(tx, context, server, name, kind, own)


def add(tx: Transaction, context: Context, server: Server, name: str, kind: Kind, metadata: Mapping[str, str]) -> Image:
    """An image without bytes for what a server is now. Of somebody else's server it is shared with that project."""
    foreign = context.project_id != server.project_id
    inherited = {
        key: value
        for key, value in server.image_properties.properties.items()
        if key not in NOT_INHERITED and not key.startswith("os_glance")
    }
    base = images.find_many(tx, [server.image_id]).get(server.image_id) if server.image_id is not None else None
    properties = {
        **inherited,
        **({} if server.image_id is None else {"base_image_ref": server.image_id}),
        "instance_uuid": server.id,
        "user_id": context.user_id,
        "image_type": kind,
        **metadata,
        **({"instance_owner": server.project_id} if foreign else {}),
    }
    image = images.create(
        tx,
        owner=context.project_id,
        name=name,
        visibility="shared" if foreign else "private",
        min_disk=max(server.flavor.disk, 0 if base is None else base.min_disk),
        min_ram=0 if base is None else base.min_ram,
        properties=properties,
    )
    if foreign:
        members.add(tx, image, server.project_id)
    return image


def begin_upload(tx: Transaction, image_id: str, server: Server, upload_id: str) -> None:
    """The snapshot stands on its host and its bytes are about to come. Raises Gone when the image was deleted meanwhile."""
    image = records.find(tx, Image, image_id)
    if image is None or image.deleted:
        raise Gone(f"Image {image_id} could not be found.")
    base = images.find_many(tx, [server.image_id]).get(server.image_id) if server.image_id is not None else None
    container = "bare" if base is None or base.container_format not in ("ovf", "docker") else base.container_format
    described = images.save(
        tx,
        image,
        disk_format="qcow2",
        container_format=container,
        properties={
            **image.properties,
            "image_location": "snapshot",
            "image_state": "available",
            "owner_id": server.project_id,
        },
    )
    uploads.begin(tx, described, upload_id=upload_id, resumes=True)


def discard(tx: Transaction, image_id: str) -> None:
    """The image came to nothing: its record goes, too. One that is ready, or gone already, is left alone."""
    image = records.find(tx, Image, image_id)
    if image is None or image.deleted or uploads.has_bytes(image):
        return
    try:
        images.delete(tx, image)
    except Forbidden as error:
        trace.note("image_kept", image=image_id, why=error.message)


def rotate(tx: Transaction, image_id: str, rotation: int) -> list[str]:
    """Delete the oldest backups of the same server and type beyond this many; the ids whose bytes are to be removed."""
    newest = records.find(tx, Image, image_id)
    if newest is None:
        raise Conflict(f"Image {image_id} of the backup is gone")
    told = ("image_type", "backup_type", "instance_uuid")
    found = [
        image
        for image in records.select(tx, Image, "owner = ? AND deleted = 0 ORDER BY created_at DESC, id", [newest.owner])
        if all(image.properties.get(name) == newest.properties.get(name) for name in told)
    ]
    # Those of one second have no order of their own, but this is the youngest of them.
    found = [newest, *(image for image in found if image.id != image_id)]
    gone = []
    for image in found[rotation:]:
        try:
            images.delete(tx, image)
        except Forbidden as error:
            trace.note("image_kept", image=image.id, why=error.message)
            continue
        gone.append(image.id)
    return gone
