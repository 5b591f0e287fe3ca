"""Block devices as they are asked for with a server: what they are made of, in which order it boots, and what makes no sense.

Source of the rules and messages: nova 34.0.0 (block_device.py, compute/api.py).
"""

import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from minicloud.base.errors import CloudError, Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute import block_devices, disk_rules, volume_attachments
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.compute.disk_rules import DiskRules
from minicloud.core.compute.servers import Server, ServerFlavor
from minicloud.core.context import Context
from minicloud.core.image import images
from minicloud.core.image.images import Image
from minicloud.core.volume import attachments, snapshots, types, volumes
from minicloud.engines.database import Transaction

GiB = 1 << 30
INVALID = "Block Device Mapping is Invalid"
BUSES = ("fdc", "ide", "sata", "scsi", "usb", "virtio", "xen", "lxc", "uml", "nvme")
MOST_LOCAL = 3
_NOT_PROPERTIES = (
    *("image_id", "image_name", "container_format", "disk_format", "min_disk", "min_ram", "size", "checksum"),
    "signature_verified",
)


class DeviceRequest(msgspec.Struct, kw_only=True):
    """A disk that a server is asked to have. Sizes in GiB (swap: MiB)."""

    source_type: Literal["image", "volume", "snapshot", "blank"]
    destination_type: Literal["local", "volume"]
    source_id: str | None = None
    boot_index: int | None = None
    volume_size: int | None = None
    volume_type: str | None = None
    device_name: str | None = None
    guest_format: str | None = None
    disk_bus: str | None = None
    device_type: str | None = None
    tag: str | None = None
    delete_on_termination: bool = False


class BootVolume(msgspec.Struct, frozen=True, kw_only=True):
    """What a server boots from that is no image of its own. Sizes in GiB and MiB; None: not known."""

    size: int | None
    properties: dict[str, str]
    min_disk: int = 0
    min_ram: int = 0


def read(
    tx: Transaction,
    context: Context,
    wanted: Sequence[DeviceRequest],
    image: Image | None,
    flavor: ServerFlavor,
    count: int,
) -> tuple[list[DeviceRequest], BootVolume | None]:
    """All devices of a server, those that its image names included, and what it boots from where that is a volume.

    Raises Invalid in Nova's words.
    """
    devices = list(wanted)
    named = [] if image is None else of_image(image)
    if any(device.boot_index == 0 for device in named):
        devices = [d for d in devices if not (d.boot_index == 0 and d.source_type == "image")]
    devices = [*named, *devices]
    if not devices:
        _check_local([], flavor, image)
        return [], None
    if count > 1 and any(device.source_type == "volume" for device in devices):
        raise Invalid("Cannot attach one or more volumes to multiple instances")
    roots = [device for device in devices if device.boot_index == 0 and device.destination_type == "volume"]
    # A server that was asked for by its image alone boots from that; who names devices, names the image among them.
    _check_order(devices, by_image=image is not None and not wanted)
    for device in devices:
        _check(tx, context, device)
    _check_local(devices, flavor, image)
    return devices, _boot(tx, context, roots[0], image) if roots else None


def of_image(image: Image) -> list[DeviceRequest]:
    """The devices that an image of a server on volumes names."""
    text = image.properties.get("block_device_mapping")
    if not text:
        return []
    try:
        found = json.loads(text)
        return [_of_mapping(one) for one in found]
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise Invalid(f"{INVALID}: the image {image.id} names none") from error


def _of_mapping(one: dict[str, Any]) -> DeviceRequest:
    boot_index, size = one.get("boot_index"), one.get("volume_size")
    return DeviceRequest(
        source_type=one["source_type"],
        destination_type=one.get("destination_type") or "volume",
        source_id=one.get(f"{one['source_type']}_id"),
        boot_index=None if boot_index is None else int(boot_index),
        volume_size=None if size is None else int(size),
        volume_type=one.get("volume_type"),
        guest_format=one.get("guest_format"),
        disk_bus=one.get("disk_bus"),
        device_type=one.get("device_type"),
        tag=one.get("tag"),
        delete_on_termination=bool(one.get("delete_on_termination")),
    )


def _check_order(devices: Sequence[DeviceRequest], *, by_image: bool) -> None:
    indexes = [d.boot_index for d in devices if d.boot_index is not None and d.boot_index >= 0]
    if by_image and 0 not in indexes:
        indexes.append(0)
    if sorted(indexes) != list(range(len(indexes))) or not indexes:
        raise Invalid(
            f"{INVALID}: Boot sequence for the instance and image/block device mapping combination is not valid."
        )


def _check(tx: Transaction, context: Context, device: DeviceRequest) -> None:
    """One device: there is what it is made of, and it has a size."""
    source = device.source_id or ""
    if device.disk_bus and device.disk_bus not in BUSES:
        raise Invalid(f"{INVALID}: The provided disk bus {device.disk_bus} is not valid.")
    if device.volume_type:
        try:
            types.named(tx, device.volume_type)
        except NotFound as error:
            raise Invalid(f"Volume type {device.volume_type} could not be found.") from error
    match device.source_type:
        case "image":
            try:
                images.get(tx, context, source)
            except NotFound as error:
                raise Invalid(f"{INVALID}: failed to get image {source}.") from error
            if device.destination_type == "volume" and not device.volume_size:
                raise Invalid("Images with destination_type 'volume' need to have a non-zero size specified")
        case "snapshot":
            try:
                found = snapshots.get(tx, context, source)
            except NotFound as error:
                raise Invalid(f"{INVALID}: failed to get snapshot {source}.") from error
            device.volume_size = device.volume_size or found.volume_size
        case "volume":
            try:
                device.volume_size = volumes.get(tx, context, source).size
            except NotFound as error:
                raise Invalid(f"{INVALID}: failed to get volume {source}.") from error
        case "blank":
            if device.destination_type == "volume" and not device.volume_size:
                raise Invalid("Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size")


def _check_local(devices: Sequence[DeviceRequest], flavor: ServerFlavor, image: Image | None) -> None:
    """Disks on the host are no larger than the flavor's, and not too many together with those that nobody has to ask for."""
    blank = [d for d in devices if d.source_type == "blank" and d.destination_type == "local"]
    swaps = [device for device in blank if device.guest_format == "swap"]
    ephemeral = sum(d.volume_size or flavor.ephemeral for d in blank if d.guest_format != "swap")
    if ephemeral > flavor.ephemeral:
        raise Invalid(
            "Ephemeral disks requested are larger than the instance type allows. If no size is given in one block "
            "device mapping, flavor ephemeral size will be used."
        )
    if len(swaps) > 1:
        raise Invalid(f"{INVALID}: More than one swap drive requested.")
    if swaps and (swaps[0].volume_size or 0) > flavor.swap:
        raise Invalid("Swap drive requested is larger than instance type allows.")
    local = len([device for device in devices if device.destination_type == "local"])
    local += 1 if image is not None and all(device.boot_index != 0 for device in devices) else 0
    local += 1 if flavor.ephemeral and len(blank) == len(swaps) else 0
    local += 1 if flavor.swap and not swaps else 0
    if local > MOST_LOCAL:
        raise Invalid(f"{INVALID}: You specified more local devices than the limit allows")


def _boot(tx: Transaction, context: Context, root: DeviceRequest, named: Image | None) -> BootVolume:
    """What is known of the root volume. Raises Invalid when nothing boots from it: where an image was named beside the
    volume, that tells about it, and nobody asks whether the volume boots (nova 34.0.0: ``API._get_image``)."""
    source = root.source_id or ""
    if root.source_type == "image":
        image = images.for_boot(tx, context, source)
        return BootVolume(
            size=root.volume_size, properties=image.properties, min_disk=image.min_disk, min_ram=image.min_ram
        )
    if root.source_type == "blank":
        return BootVolume(size=root.volume_size, properties={})
    volume_id = source if root.source_type == "volume" else snapshots.get(tx, context, source).volume_id
    volume = volumes.get(tx, context, volume_id)
    if not volume.bootable:
        if named is not None:
            return BootVolume(size=root.volume_size, properties=named.properties)
        raise Invalid(f"Block Device {volume_id} is not bootable.")
    told = volume.image_metadata
    return BootVolume(
        size=root.volume_size,
        properties={name: value for name, value in told.items() if name not in _NOT_PROPERTIES},
        min_disk=_number(told.get("min_disk")),
        min_ram=_number(told.get("min_ram")),
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else 0


def check_fit(boot: BootVolume, flavor: ServerFlavor) -> None:
    """Raises Invalid when a server of this flavor is too small for what it boots from, or the volume is."""
    if boot.min_ram and flavor.memory_mb < boot.min_ram:
        raise Invalid("Flavor's memory is too small for requested image.")
    if boot.size is not None and boot.size < boot.min_disk:
        raise Invalid(
            "Volume is smaller than the minimum size specified in image metadata. "
            f"Volume size is {boot.size * GiB} bytes, minimum size is {boot.min_disk * GiB} bytes."
        )


def promise(tx: Transaction, server: Server, devices: Sequence[DeviceRequest], *, multiattach: bool) -> None:
    """Write a server's devices down and reserve the volumes that are there.

    Raises Invalid, Conflict where a volume is somebody else's or a name is taken.
    """
    # Those on the host first: the names of the others come after theirs.
    for number, device in sorted(enumerate(devices), key=lambda one: one[1].destination_type != "local"):
        made = BlockDevice(
            id=tx.ids.uuid(),
            server_id=server.id,
            source_type=device.source_type,
            destination_type=device.destination_type,
            source_id=device.source_id,
            boot_index=device.boot_index,
            volume_size=device.volume_size,
            volume_type=device.volume_type,
            guest_format=device.guest_format,
            disk_bus=device.disk_bus,
            device_type=device.device_type,
            tag=device.tag,
            delete_on_termination=device.delete_on_termination,
            # One stamp for all of a transaction would leave their order to chance.
            created_at=f"{tx.now[:-3]}{number:03}",
        )
        if device.destination_type == "volume":
            root = device.boot_index == 0
            made.device_name = server.root_device_name if root else _name(tx, server, device)
        elif device.source_type == "blank" and made.volume_size is None:
            made.volume_size = server.flavor.swap if device.guest_format == "swap" else server.flavor.ephemeral
        if device.source_type == "volume":
            _reserve(tx, server, made, multiattach)
        records.insert(tx, made)


def zone_of(tx: Transaction, rules: DiskRules, wanted: str | None, devices: Sequence[DeviceRequest]) -> str | None:
    """The zone that a server with these disks is held to. Raises Invalid where they forbid the one that is wanted."""
    there = [device.source_id for device in devices if device.source_type == "volume" and device.source_id]
    makes = any(device.destination_type == "volume" and device.source_type != "volume" for device in devices)
    having = [volumes.existing(tx, volume_id) for volume_id in there]
    return disk_rules.zone_of_new(rules, wanted, having, makes=makes)


def _name(tx: Transaction, server: Server, device: DeviceRequest) -> str:
    wanted = device.device_name
    if wanted and not wanted.startswith("/dev/"):
        wanted = f"/dev/{wanted}"
    try:
        return block_devices.device_name(tx, server, wanted, device.disk_bus)
    except CloudError as error:
        raise Invalid(error.message) from error


def _reserve(tx: Transaction, server: Server, made: BlockDevice, multiattach: bool) -> None:
    volume = volumes.existing(tx, made.source_id or "")
    if volume.multiattach and not multiattach:
        raise Invalid("Volume multiattach is only supported starting with compute API version 2.60.")
    made.volume_id = volume.id
    try:
        made.attachment_id = attachments.reserve(tx, volume, server.id).id
    except Invalid as error:
        raise Invalid(f"Invalid volume: Invalid input received: {error.message}") from error
    volume_attachments.check_free(tx, server.id, volume)
