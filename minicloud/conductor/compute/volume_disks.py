"""A server's volumes as disks that its host is told of: who has a connection, has a disk."""

from typing import Any, Literal

from minicloud.agent import calls
from minicloud.core.compute import block_devices
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.compute.servers import Server
from minicloud.core.volume import attachments
from minicloud.core.volume.attachments import VolumeAttachment
from minicloud.engines.database import Transaction

Bus = Literal["virtio", "scsi", "ide", "nvme"]
BUSES: dict[str | None, Bus] = {"virtio": "virtio", "scsi": "scsi", "ide": "ide", "sata": "ide", "nvme": "nvme"}
_LIMITS = {
    f"{what}_{unit}_sec{suffix}": f"{what}_{name}{suffix}"
    for what in ("total", "read", "write")
    for unit, name in (("bytes", "bytes"), ("iops", "iops"))
    for suffix in ("", "_max", "_max_length")
} | {"size_iops_sec": "iops_size"}
"""What Cinder's QoS specs call a hypervisor's limits."""


def of_server(tx: Transaction, server: Server) -> list[calls.Disk]:
    """The disks of a server that are volumes, in the order of their names."""
    found = []
    for device in sorted(
        block_devices.of_server(tx, server.id), key=lambda one: (one.boot_index != 0, one.device_name or "")
    ):
        if device.attachment_id is None:
            continue
        attachment = attachments.find(tx, device.attachment_id)
        if attachment is not None and attachment.connection_info:
            found.append(disk(server, device, attachment))
    return found


def disk(server: Server, device: BlockDevice, attachment: VolumeAttachment) -> calls.Disk:
    """A volume as a disk. Its serial number is the volume's id, by which guests find it under /dev/disk/by-id."""
    info: dict[str, Any] = (attachment.connection_info or {}).get("data", {})
    bus = device.disk_bus or server.image_properties.properties.get("hw_disk_bus")
    return calls.Disk(
        id=attachment.volume_id,
        path=info["device_path"],
        format="raw" if info.get("format") == "raw" else "qcow2",
        bus=BUSES.get(bus, "virtio"),
        device="cdrom" if device.device_type == "cdrom" else "disk",
        boot_index=device.boot_index if device.boot_index is not None and device.boot_index >= 0 else None,
        serial=attachment.volume_id,
        read_only=info.get("access_mode") == "ro",
        shared=bool(info.get("shared")),
        throttle=throttle(info.get("qos_specs")),
    )


def throttle(specs: dict[str, Any] | None) -> calls.Throttle | None:
    """QoS specs as limits of a disk; what is no number limits nothing."""
    limits = {
        _LIMITS[name]: int(value) for name, value in (specs or {}).items() if name in _LIMITS and str(value).isdigit()
    }
    return calls.Throttle(**limits) if limits else None
