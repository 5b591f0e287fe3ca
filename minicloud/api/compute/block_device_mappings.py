"""The disks of a new server as POST /servers says them: ``block_device_mapping_v2``, and the older ``block_device_mapping``."""

from typing import Annotated, Any, Literal

import msgspec

from minicloud.api.bodies import UUID, Body
from minicloud.api.call import Call
from minicloud.api.compute.words import Tag, Truth
from minicloud.api.listing import truth
from minicloud.api.microversions import NotNull, Pausing, Since
from minicloud.base.errors import Invalid
from minicloud.core.compute.device_requests import INVALID, DeviceRequest

DeviceName = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9._/\-]*\Z")]
DeviceId = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9._\-]*\Z")]
Word = Annotated[str, msgspec.Meta(max_length=255)]
Size = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\Z")]
Number = int | Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+\Z")]


class OldDevice(Body):
    """A disk as it was said first: a volume or snapshot by its id, or swap and ephemeral disks by a name."""

    virtual_name: Annotated[Word | None, NotNull()] = None
    volume_id: Annotated[UUID | None, NotNull()] = None
    snapshot_id: Annotated[UUID | None, NotNull()] = None
    volume_size: Annotated[Size | None, NotNull()] = None
    device_name: Annotated[DeviceName | None, NotNull()] = None
    delete_on_termination: bool | Truth = False
    no_device: Any = None
    connection_info: Annotated[str | None, NotNull()] = None


class Device(Body):
    """A disk: what it is made of, and whether it is a volume or the host's own."""

    source_type: Annotated[Literal["volume", "image", "snapshot", "blank"] | None, NotNull()] = None
    destination_type: Annotated[Literal["local", "volume"] | None, NotNull()] = None
    uuid: Annotated[DeviceId | None, NotNull()] = None
    boot_index: Number | None = None
    volume_size: Annotated[Size | None, NotNull()] = None
    volume_type: Annotated[Word | None, Since("2.67")] = None
    device_name: Annotated[DeviceName | None, NotNull()] = None
    guest_format: Annotated[Word | None, NotNull()] = None
    disk_bus: Annotated[Word | None, NotNull()] = None
    device_type: Annotated[Word | None, NotNull()] = None
    tag: Annotated[Tag | None, Since("2.32"), Pausing("2.33", "2.41"), NotNull()] = None
    delete_on_termination: bool | Truth = False
    no_device: Any = None
    virtual_name: Annotated[Word | None, NotNull()] = None
    image_id: Annotated[UUID | None, NotNull()] = None
    volume_id: Annotated[UUID | None, NotNull()] = None
    snapshot_id: Annotated[UUID | None, NotNull()] = None
    connection_info: Annotated[str | None, NotNull()] = None


def read(call: Call, image_ref: str, old: list[OldDevice], new: list[Device]) -> list[DeviceRequest]:
    """What is asked for. Raises Invalid in Nova's words."""
    if old and new:
        raise Invalid("Using different block_device_mapping syntaxes is not allowed in the same request.")
    if not old and not new:
        return []
    call.enforce("os_compute_api:servers:create:attach_volume")
    found = [_new(device, image_ref) for device in new if not device.no_device]
    found += [_old(device) for device in old if not device.no_device]
    if old:
        _choose_root(found, image_ref)
    if image_ref and any(d.destination_type == "volume" and _bare(d.device_name) == "vda" for d in found):
        raise Invalid("The volume cannot be assigned the same device name as the root device vda")
    return found


def _bare(name: str | None) -> str | None:
    return None if name is None else name.removeprefix("/dev/")


def _new(device: Device, image_ref: str) -> DeviceRequest:
    source = device.source_type
    if source is None:
        raise Invalid(f"{INVALID}: Some required fields are missing")
    destination = device.destination_type or ("local" if source in ("image", "blank") else "volume")
    boot_index = None if device.boot_index is None else int(device.boot_index)
    if source == "blank" and device.uuid:
        raise Invalid(f"{INVALID}: Invalid device UUID.")
    if source != "blank" and not device.uuid:
        raise Invalid(f"{INVALID}: Missing device UUID.")
    if source == "image" and destination == "local" and not (image_ref and boot_index == 0):
        raise Invalid(f"{INVALID}: Mapping image to local is not supported.")
    if destination == "local" and device.volume_type:
        raise Invalid(f"{INVALID}: Specifying a volume_type with destination_type=local is not supported.")
    if source == "volume" and device.volume_type:
        raise Invalid(f"{INVALID}: Specifying volume type to existing volume is not supported.")
    return DeviceRequest(
        source_type=source,
        destination_type=destination,
        source_id=device.uuid,
        boot_index=boot_index,
        volume_size=_size(device.volume_size),
        volume_type=device.volume_type,
        device_name=device.device_name,
        guest_format=device.guest_format,
        disk_bus=device.disk_bus,
        device_type=device.device_type,
        tag=device.tag,
        delete_on_termination=_truth(device.delete_on_termination),
    )


def _old(device: OldDevice) -> DeviceRequest:
    virtual = device.virtual_name or ""
    request = DeviceRequest(
        source_type="blank",
        destination_type="volume",
        volume_size=_size(device.volume_size),
        device_name=device.device_name,
        delete_on_termination=_truth(device.delete_on_termination),
        boot_index=-1,
    )
    if virtual == "swap" or virtual.startswith("ephemeral"):
        request.destination_type = "local"
        request.guest_format = "swap" if virtual == "swap" else None
        request.delete_on_termination = True
    elif device.snapshot_id:
        request.source_type, request.source_id = "snapshot", device.snapshot_id
    elif device.volume_id:
        request.source_type, request.source_id = "volume", device.volume_id
    else:
        raise Invalid(f"{INVALID}: Unrecognized legacy format.")
    return request


def _choose_root(found: list[DeviceRequest], image_ref: str) -> None:
    """The older form names no order: the device that is called as the root is, or the first one where there is no image."""
    for device in found:
        if device.source_type != "blank" and _bare(device.device_name) == "vda":
            device.boot_index = 0
            return
    if not image_ref:
        for device in found:
            if device.source_type != "blank":
                device.boot_index = 0
                return
        return
    root = DeviceRequest(source_type="image", destination_type="local", source_id=image_ref, boot_index=0)
    root.delete_on_termination = True
    found.insert(0, root)


def _size(value: int | str | None) -> int | None:
    if value is None:
        return None
    size = int(value)
    if size < 0:
        raise Invalid(f"{INVALID}: Invalid volume_size.")
    return size


def _truth(value: bool | str) -> bool:
    return value if isinstance(value, bool) else truth(value)
