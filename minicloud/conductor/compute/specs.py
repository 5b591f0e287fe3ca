"""A server's records as the spec that its host is told."""

from collections.abc import Sequence

import msgspec

from minicloud.agent import calls, move_calls
from minicloud.conductor.compute import hardware, volume_disks
from minicloud.conductor.network.wiring import port_specs_of
from minicloud.core import records
from minicloud.core.compute import block_devices, local_disks, metadata, servers
from minicloud.core.compute.servers import Server, ServerImage
from minicloud.core.scheduler.occupancy import ServerFit
from minicloud.engines.database import Transaction

DIRECT_BOOT = "console=ttyS0 root=/dev/vda rw no_timer_check"
"""Kernel command line of a direct boot when the image names none (its property ``os_command_line``). As in Nova, no kernel
tries its timer: an emulated one that waits for a busy machine fails, and the kernel panics."""


def server_spec(tx: Transaction, server: Server, packed: Sequence[move_calls.PackedDisk] = ()) -> calls.ServerSpec:
    """All that a host must know to run a server; ``packed`` are disks that come to it from another host."""
    image = server.image_properties
    devices = block_devices.of_server(tx, server.id)
    swap = local_disks.swap(server.flavor, devices)
    return calls.ServerSpec(
        id=server.id,
        name=server.name,
        vcpus=server.flavor.vcpus,
        memory_mb=server.flavor.memory_mb,
        root_gb=server.flavor.disk,
        image=_source(image) if image.blob and image.format not in ("aki", "ari") else None,
        kernel=None if image.kernel is None else _source(image.kernel),
        ramdisk=None if image.ramdisk is None else _source(image.ramdisk),
        command_line=image.properties.get("os_command_line", DIRECT_BOOT) if image.kernel is not None else None,
        nics=[calls.NicSpec(port=port, model=hardware.nic_model(server)) for port in port_specs_of(tx, server.id)],
        hardware=hardware.of_server(server, records.find(tx, ServerFit, server.id)),
        disk_bus=hardware.disk_bus(server),
        cdrom_bus=hardware.cdrom_bus(server),
        throttle=hardware.throttle(server),
        ephemeral=[
            calls.EphemeralDisk(size_gb=disk.size, filesystem=disk.format, bus=_bus(disk.bus))
            for disk in local_disks.ephemeral(server.flavor, devices)
        ],
        swap_mb=0 if swap is None else swap.size,
        swap_bus=None if swap is None else _bus(swap.bus),
        firmware="uefi" if image.properties.get("hw_firmware_type") == "uefi" else "bios",
        config_drive=_config_drive(tx, server) if server.config_drive else None,
        properties=image.properties,
        packed=list(packed),
        volumes=volume_disks.of_server(tx, server),
    )


def _config_drive(tx: Transaction, server: Server) -> dict[str, bytes]:
    """The files of its config drive, in which its host puts where the guest will find what has a tag."""
    guest = metadata.guest(tx, server)
    ids = (*(card.port.id for card in guest.cards), *block_devices.disk_ids(guest.devices).values())
    places = {name: metadata.Place(calls.BUS_OF.format(name), calls.ADDRESS_OF.format(name)) for name in ids}
    return metadata.config_drive(msgspec.structs.replace(guest, places=places))


def _bus(name: str | None) -> calls.Bus | None:
    return None if name is None else _BUSES.get(name)


_BUSES: dict[str, calls.Bus] = {
    "virtio": "virtio",
    "scsi": "scsi",
    "ide": "ide",
    "sata": "ide",
    "nvme": "nvme",
}
"""Buses that an image or a request may name for a disk; any other is left to the host, as upstream does with none."""


def rescue_spec(tx: Transaction, server: Server, rescue: ServerImage) -> calls.ServerSpec:
    """A server that boots another image, with its own disks behind that one's."""
    spec = server_spec(tx, server)
    direct = rescue.kernel is not None
    bus, device = rescue.properties.get("hw_rescue_bus"), rescue.properties.get("hw_rescue_device")
    return msgspec.structs.replace(
        spec,
        rescue_last=bus is not None or device is not None,
        rescue_bus=_BUSES.get(bus or "virtio", "virtio"),
        rescue_device="cdrom" if device == "cdrom" else "disk",
        rescue=_source(rescue),
        kernel=None if rescue.kernel is None else _source(rescue.kernel),
        ramdisk=None if rescue.ramdisk is None else _source(rescue.ramdisk),
        command_line=rescue.properties.get("os_command_line", DIRECT_BOOT) if direct else None,
        firmware="uefi" if rescue.properties.get("hw_firmware_type") == "uefi" else "bios",
    )


def spec_of(tx: Transaction, server_id: str) -> calls.ServerSpec:
    """The spec of a living server. Raises NotFound."""
    return server_spec(tx, servers.living(tx, server_id))


def _source(image: ServerImage) -> calls.ImageSource:
    return calls.ImageSource(blob=image.blob, checksum=image.checksum, format=_disk_format(image), size=image.size)


def _disk_format(image: ServerImage) -> str:
    """Amazon's machine images are plain file systems."""
    return "raw" if image.format in ("ami", "aki", "ari") else image.format
