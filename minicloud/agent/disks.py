"""The disks of a server on its host: made where they are missing, in the order in which its guest sees them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from minicloud.agent.config_drive import iso
from minicloud.agent.fat_drive import vfat
from minicloud.agent.image_bytes import kept_image
from minicloud.agent.specs import EphemeralDisk, ImageSource, ServerSpec
from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.drivers.hypervisor import Bus, Disk
from minicloud.drivers.storage import FILESYSTEMS, GiB, Storage
from minicloud.engines.blobs import Blobs

RESCUE_FILE = "disk.rescue"
MiB = 1 << 20
DriveFormat = Literal["iso9660", "vfat"]
_DRIVES: Mapping[str, Callable[[Mapping[str, bytes]], bytes]] = {"iso9660": iso, "vfat": vfat}


async def of_server(storage: Storage, blobs: Blobs, server: ServerSpec) -> list[Disk]:
    """All disks but its config drive: what rescues it, its root, its blank disks and its swap area, its volumes.

    Raises Invalid for a file system that nobody makes here.
    """
    made: list[Disk] = []
    behind = 0 if server.rescue is None else 1
    if server.image is not None:
        root = await _on_image(
            storage, blobs, server, "root", "disk", server.image, gb=server.root_gb, boot_index=behind
        )
        made.append(root)
    for number, disk in enumerate(server.ephemeral):
        made.append(await _ephemeral(storage, server, number, disk))
    if server.swap_mb:
        file = await storage.ensure_formatted(
            server.id,
            "disk.swap",
            size_bytes=server.swap_mb * MiB,
            filesystem="swap",
            label="swap",
            anew=server.swap_anew,
        )
        made.append(_local(server, "swap", file.path, bus=server.swap_bus))
    made += [_behind(volume, behind) for volume in server.volumes]
    if server.rescue is not None:
        rescue = await _on_image(storage, blobs, server, "rescue", RESCUE_FILE, server.rescue, gb=0, boot_index=0)
        rescue = msgspec.structs.replace(rescue, bus=server.rescue_bus, device=server.rescue_device)
        made.insert(len(made) if server.rescue_last else 0, rescue)
    return made


def drive_of(server: ServerSpec, path: str = "") -> Disk:
    """Its config drive, which comes after all other disks."""
    return Disk(
        id="config",
        path=path,
        format="raw",
        read_only=True,
        bus=server.cdrom_bus or "virtio",
        device="disk" if server.cdrom_bus is None else "cdrom",
    )


async def ensure_drive(
    storage: Storage, server: ServerSpec, drive_format: DriveFormat, files: Mapping[str, bytes]
) -> Disk:
    """Its config drive, with these files on it."""
    made = await storage.ensure_file(server.id, "disk.config", _DRIVES[drive_format](files))
    return drive_of(server, made.path)


async def ensure_none(storage: Storage, server_id: str, kept: Sequence[str]) -> None:
    """No disk of the server is left but those with these names."""
    if not kept:
        return await storage.ensure_no_disks(server_id)
    for disk in await storage.disks(server_id):
        if disk.name not in kept:
            await storage.ensure_no_disk(server_id, disk.name)
    return None


async def boot_file(storage: Storage, blobs: Blobs, source: ImageSource | None) -> str | None:
    """A kernel or ramdisk, out of the same cache as disks."""
    if source is None:
        return None
    return (await kept_image(storage, blobs, source, format="raw")).path


async def _on_image(
    storage: Storage,
    blobs: Blobs,
    server: ServerSpec,
    disk_id: str,
    name: str,
    image: ImageSource,
    *,
    gb: int,
    boot_index: int,
) -> Disk:
    """A disk that stands on an image; ``gb`` 0: as large as that."""
    with trace.span("image", checksum=image.checksum, format=image.format):
        base = await kept_image(storage, blobs, image)
    with trace.span(f"{disk_id}_disk", root_gb=gb):
        made = await storage.ensure_disk(server.id, name, base=base, size_bytes=gb * GiB)
    return _local(server, disk_id, made.path, boot_index=boot_index)


async def _ephemeral(storage: Storage, server: ServerSpec, number: int, wanted: EphemeralDisk) -> Disk:
    """A blank disk with its file system, grown where the flavor has grown since."""
    filesystem = wanted.filesystem or "ext4"
    if filesystem not in FILESYSTEMS:
        raise Invalid(f"Block Device Mapping is Invalid: {filesystem} format is not supported")
    name, label, size = f"disk.eph{number}", f"ephemeral{number}", wanted.size_gb * GiB
    file = await storage.ensure_formatted(server.id, name, size_bytes=size, filesystem=filesystem, label=label)
    if file.virtual_size < size:
        file = await storage.ensure_disk(server.id, name, base=None, size_bytes=size)
    return _local(server, label, file.path, bus=wanted.bus)


def _local(
    server: ServerSpec, disk_id: str, path: str, *, boot_index: int | None = None, bus: Bus | None = None
) -> Disk:
    return Disk(
        id=disk_id,
        path=path,
        format="qcow2",
        bus=bus or server.disk_bus,
        boot_index=boot_index,
        throttle=server.throttle,
    )


def _behind(disk: Disk, places: int) -> Disk:
    """A disk that is booted from so many places later: what rescues a server comes first."""
    if disk.boot_index is None or not places:
        return disk
    return msgspec.structs.replace(disk, boot_index=disk.boot_index + places)
