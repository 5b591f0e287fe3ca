"""A server as its host is told of it; part of ``calls``."""

from typing import Literal

import msgspec

from minicloud.agent.device_calls import NicSpec
from minicloud.agent.move_calls import PackedDisk
from minicloud.drivers.hypervisor import Bus, Disk, Hardware, Throttle

BUS_OF, ADDRESS_OF = "@bus of {}@", "@address of {}@"
"""What stands in the documents of a config drive for the place of a disk or card, which its host alone knows."""


class ImageSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host gets an image's bytes: the key in the blob store, their sha512, their stated format."""

    blob: str
    checksum: str
    format: str
    size: int


class EphemeralDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A blank disk of a server, in GiB. ``filesystem`` is what it is asked to have; None: what the host prefers."""

    size_gb: int
    filesystem: str | None = None
    bus: Bus | None = None


class ServerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A server as a host shall have it. Sizes in MiB and GiB; a root of 0 GiB is as large as the image.

    ``disk_bus`` is that of its local disks, which ``throttle`` holds back; ``cdrom_bus`` that of a config drive which shall be a CD-ROM.

    ``swap_anew``: a swap area of another size gives way to an empty one.

    With ``rescue`` it boots that image, and has its own disks behind it; with ``rescue_last`` these keep their places.
    """

    id: str
    name: str
    vcpus: int
    memory_mb: int
    root_gb: int
    image: ImageSource | None = None
    kernel: ImageSource | None = None
    ramdisk: ImageSource | None = None
    command_line: str | None = None
    nics: list[NicSpec] = []
    firmware: Literal["bios", "uefi"] = "bios"
    config_drive: dict[str, bytes] | None = None
    properties: dict[str, str] = {}
    hardware: Hardware = Hardware()
    disk_bus: Bus = "virtio"
    cdrom_bus: Bus | None = None
    throttle: Throttle | None = None
    ephemeral: list[EphemeralDisk] = []
    swap_mb: int = 0
    swap_bus: Bus | None = None
    swap_anew: bool = False
    packed: list[PackedDisk] = []
    rescue: ImageSource | None = None
    rescue_last: bool = False
    rescue_bus: Bus = "virtio"
    rescue_device: Literal["disk", "cdrom"] = "disk"
    volumes: list[Disk] = []
