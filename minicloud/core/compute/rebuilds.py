"""Asking for a rebuild: a server keeps its id, addresses and place, and begins anew from an image."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.base.errors import Invalid, NotFound
from minicloud.core import quota, records
from minicloud.core.compute import block_devices, keypairs, requests, server_files, servers, volumed_images
from minicloud.core.compute.server_files import GivenFile
from minicloud.core.compute.servers import Server, ServerImage
from minicloud.core.compute.topology import wanted_topology
from minicloud.core.context import Context
from minicloud.core.image import images
from minicloud.core.image.images import Image
from minicloud.engines.database import Transaction


class Rebuild(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be different afterwards. UNSET leaves it as it is, None takes it away."""

    image_id: str
    admin_password: str
    name: str | UnsetType = UNSET
    hostname: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType = UNSET
    key_name: str | UnsetType | None = UNSET
    user_data: str | UnsetType | None = UNSET
    access_ip_v4: str | UnsetType | None = UNSET
    access_ip_v6: str | UnsetType | None = UNSET
    disk_config: str | UnsetType = UNSET
    files: list[GivenFile] = []
    reimage: bool = False
    """Whether the volume that a server boots from is made of the image anew (2.93); else its image must be the same."""
    zero_disk: bool = False
    """Whether the policy lets an image on a flavor that does not limit the disk."""


def ask(tx: Transaction, context: Context, server_id: str, wanted: Rebuild) -> tuple[Server, Server, int]:
    """Take a server for a rebuild, and write down what it will be: as it was, as it is now, and the id of the action.

    Raises NotFound, Conflict, Invalid, OverQuota; nothing is written then.
    """
    before = servers.get(tx, context, server_id)
    server, action_id = servers.take(tx, context, server_id, "rebuild")
    try:
        image = images.for_boot(tx, context, wanted.image_id)
    except NotFound as error:
        raise Invalid("Cannot find image for rebuild") from error
    if server.on_volume and wanted.reimage:
        volumed_images.take_root(tx, context, server, image.id)
    elif server.on_volume:
        volumed_images.check_rebuild(tx, server, image)
    else:
        requests.check_fit(image, server.flavor, zero_disk=wanted.zero_disk)
    requests.check_topology(image, server.flavor)
    _keep_topology(server, image.properties)
    changes: dict[str, Any] = {
        name: value
        for name in ("name", "hostname", "description", "metadata", "user_data", "access_ip_v4", "access_ip_v6", "disk_config")
        if (value := getattr(wanted, name)) is not UNSET
    }  # fmt: skip
    if wanted.metadata is not UNSET:
        quota.check(tx, "compute", server.project_id, {"metadata_items": len(wanted.metadata)}, {})
    server_files.check(tx, server.project_id, wanted.files)
    server_files.put(tx, server.id, wanted.files)
    if wanted.user_data is not UNSET:
        servers.check_user_data(wanted.user_data)
    if wanted.key_name is not UNSET:
        key = None if wanted.key_name is None else keypairs.for_boot(tx, context.user_id, wanted.key_name)
        changes["key_name"] = wanted.key_name
        changes["key_type"] = None if key is None else key.type
        changes["public_key"] = None if key is None else key.public_key
    changed = records.change(
        tx,
        server,
        **changes,
        image_id=server.image_id if server.on_volume else image.id,
        image_properties=_properties(tx, context, server, image, wanted),
        admin_password=wanted.admin_password,
        progress=0,
    )
    return before, changed, action_id


def _properties(tx: Transaction, context: Context, server: Server, image: Image, wanted: Rebuild) -> ServerImage:
    """The image as the server remembers it from now on; of one that lies on a volume, it remembers the properties alone."""
    if not server.on_volume:
        source = requests.image_source(tx, context, image)
        return msgspec.structs.replace(source, root_device_name=block_devices.root_name(source.properties, None))
    if not wanted.reimage:
        return server.image_properties
    return ServerImage(format="raw", properties=image.properties, root_device_name=server.root_device_name)


def _keep_topology(server: Server, properties: dict[str, str]) -> None:
    """Raises Invalid where another image would want other cells, pages or CPUs: the server's seat on its host stays."""
    flavor, now = server.flavor, server.image_properties.properties
    wanted, had = (
        wanted_topology(flavor.vcpus, flavor.memory_mb, flavor.extra_specs, each) for each in (properties, now)
    )
    if wanted != had:
        raise Invalid(
            "An instance's NUMA topology cannot be changed as part of a rebuild. The image provided is invalid for this "
            "instance."
        )
