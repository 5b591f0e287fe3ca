"""Images of servers that boot from volumes: no bytes, but the names of snapshots that a new server's volumes are made of."""

import json
from collections.abc import Mapping
from typing import Any

from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.compute import actions, block_devices, lifecycle, server_images, servers
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.compute.servers import Server
from minicloud.core.context import Context
from minicloud.core.image import images
from minicloud.core.image.images import Image
from minicloud.core.volume import reimages, snapshots, volumes
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

DIFFERENT = "Unable to rebuild with a different image for a volume-backed server."


def ask(
    tx: Transaction, context: Context, server_id: str, name: str, *, metadata: Mapping[str, str]
) -> tuple[Image, list[tuple[VolumeSnapshot, str]]]:
    """An image that can be used at once, and the snapshots (with the backends of their volumes) that are to be taken for it.

    The server goes on, and no task of it is claimed, as in Nova. Raises NotFound, Conflict, Invalid, OverQuota.
    """
    server = servers.get(tx, context, server_id)
    lifecycle.check(lifecycle.TABLE["createImage"], server.id, server.vm_state, server.task_state)
    taken: list[tuple[VolumeSnapshot, str]] = []
    mapping: list[dict[str, Any]] = []
    for device in block_devices.of_server(tx, server.id):
        if device.volume_id is None:
            continue
        volume = volumes.existing(tx, device.volume_id)
        snapshot = snapshots.ask(
            tx,
            context,
            volume,
            name=f"snapshot for {name}",
            description=volume.description,
            metadata={},
            in_use=True,
        )
        assert volume.host is not None
        taken.append((snapshot, volume.host))
        mapping.append(_mapping(device, snapshot))
    image = server_images.add(tx, context, server, name, "snapshot", metadata)
    told = {"root_device_name": server.root_device_name, "bdm_v2": "True", "block_device_mapping": json.dumps(mapping)}
    image = images.save(tx, image, status=images.ACTIVE, size=0, properties={**image.properties, **told})
    action = actions.begin(tx, context, server.id, "createImage")
    actions.begin_event(tx, action.id, "api_snapshot_instance", None)
    actions.finish(tx, action.id, host=None)
    return image, taken


def _mapping(device: BlockDevice, snapshot: VolumeSnapshot) -> dict[str, Any]:
    return {
        "source_type": "snapshot",
        "destination_type": "volume",
        "snapshot_id": snapshot.id,
        "boot_index": device.boot_index,
        "device_name": device.device_name,
        "volume_size": snapshot.volume_size,
        "delete_on_termination": device.delete_on_termination,
        "disk_bus": device.disk_bus,
        "device_type": device.device_type,
        "guest_format": None,
        "tag": None,
    }


def check_rebuild(tx: Transaction, server: Server, image: Image) -> None:
    """A server on a volume is rebuilt only with the image that its volume was made of. Raises Invalid."""
    volume = root_volume(tx, server.id)
    if volume is not None and volume.image_metadata.get("image_id") == image.id:
        return
    raise Invalid(f"Image {image.id} is unacceptable: {DIFFERENT}")


def take_root(tx: Transaction, context: Context, server: Server, image_id: str) -> None:
    """Take the volume that a server boots from for another image. Raises Conflict, Invalid."""
    volume = root_volume(tx, server.id)
    if volume is None:
        raise Conflict(f"Unable to find root block device mapping for volume-backed instance {server.id}.")
    reimages.take_attached(tx, context, volume, image_id)


def root_volume(tx: Transaction, server_id: str) -> Volume | None:
    """The volume that a server boots from."""
    for device in block_devices.of_server(tx, server_id):
        if device.is_root and device.volume_id is not None:
            return volumes.find(tx, device.volume_id)
    return None


def root_snapshot(tx: Transaction, image_id: str) -> str | None:
    """The snapshot of the root volume that an image names, if it is such an image."""
    image = records.find(tx, Image, image_id)
    if image is None or image.size != 0:
        return None
    try:
        found = json.loads(image.properties.get("block_device_mapping", "[]"))
        return next((one["snapshot_id"] for one in found if one.get("boot_index") == 0), None)
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
