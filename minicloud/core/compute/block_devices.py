"""Block devices: the disks that a server was asked to have beside its own, and what they are called in its guest."""

import itertools
import re
import string
from collections.abc import Container, Iterable, Mapping
from typing import ClassVar

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.compute.servers import Server
from minicloud.engines.database import Transaction

_LETTERS = [*string.ascii_lowercase, *("".join(two) for two in itertools.product(string.ascii_lowercase, repeat=2))]
_PREFIXES = {"ide": "hd", "sata": "sd", "scsi": "sd", "usb": "sd"}
_DEVICE = re.compile(r"(/dev/x?[a-z]?d?)([a-z]+)[0-9]*")


class BlockDevice(records.Record, kw_only=True):
    """A disk of a server. ``source_id`` is the image, snapshot or volume that it is made of; ``boot_index`` 0 is the root."""

    TABLE = "block_devices"
    MISSING: ClassVar[str] = "Block device {id} could not be found."

    id: str
    server_id: str
    source_type: str
    destination_type: str = "volume"
    source_id: str | None = None
    volume_id: str | None = None
    attachment_id: str | None = None
    device_name: str | None = None
    boot_index: int | None = None
    volume_size: int | None = None
    volume_type: str | None = None
    guest_format: str | None = None
    disk_bus: str | None = None
    device_type: str | None = None
    tag: str | None = None
    delete_on_termination: bool = False
    created_at: str
    updated_at: str | None = None

    @property
    def is_root(self) -> bool:
        """Whether the server boots from it."""
        return self.boot_index == 0

    @property
    def is_swap(self) -> bool:
        """Whether it is a swap area on the server's host."""
        return self._is_blank and self.guest_format == "swap"

    @property
    def is_ephemeral(self) -> bool:
        """Whether it is a blank disk on the server's host, to keep files on."""
        return self._is_blank and self.guest_format != "swap"

    @property
    def _is_blank(self) -> bool:
        return (self.source_type, self.destination_type) == ("blank", "local")


def of_server(tx: Transaction, server_id: str) -> list[BlockDevice]:
    """A server's devices, oldest first."""
    return records.select(tx, BlockDevice, "server_id = ? ORDER BY created_at, id", [server_id])


def of_servers(tx: Transaction, server_ids: Iterable[str]) -> dict[str, list[BlockDevice]]:
    """The devices that are volumes, of each server, oldest first."""
    found: dict[str, list[BlockDevice]] = {}
    rows = records.select_in(tx, BlockDevice, "server_id", set(server_ids))
    for device in sorted(rows, key=lambda one: (one.created_at, one.id)):
        if device.volume_id is not None:
            found.setdefault(device.server_id, []).append(device)
    return found


def of_volume(tx: Transaction, volume_id: str) -> list[BlockDevice]:
    """The devices that are this volume, on whatever server."""
    return records.select(tx, BlockDevice, "volume_id = ? ORDER BY created_at, id", [volume_id])


def find(tx: Transaction, server_id: str, volume_id: str) -> BlockDevice | None:
    """How a server has a volume, or None."""
    found = records.select(tx, BlockDevice, "server_id = ? AND volume_id = ?", [server_id, volume_id])
    return found[0] if found else None


def get(tx: Transaction, server_id: str, volume_id: str) -> BlockDevice:
    """How a server has a volume. Raises NotFound in Nova's words."""
    found = find(tx, server_id, volume_id)
    if found is None:
        raise NotFound(f"Instance {server_id} is not attached to volume {volume_id}")
    return found


def has_volumes(tx: Transaction, server_id: str) -> bool:
    """Whether any device of the server is a volume, or will be."""
    found = tx.one(
        "SELECT 1 FROM block_devices WHERE server_id = ? AND destination_type = 'volume' LIMIT 1", [server_id]
    )
    return found is not None


def prefix_of(bus: str | None) -> str:
    """How guests call the disks of a bus, without their letters."""
    return f"/dev/{_PREFIXES.get(bus or 'virtio', 'vd')}"


def root_name(properties: Mapping[str, str], bus: str | None) -> str:
    """What the guest calls its first disk, which is on this bus, or on the one that its image names."""
    return f"{prefix_of(bus or properties.get('hw_disk_bus'))}a"


def disk_ids(devices: Iterable[BlockDevice]) -> dict[str, str]:
    """What its host calls each disk, by the device's id."""
    found: dict[str, str] = {}
    ephemeral = 0
    for device in devices:
        if device.is_ephemeral:
            found[device.id] = f"ephemeral{ephemeral}"
            ephemeral += 1
        elif device.is_swap:
            found[device.id] = "swap"
        elif device.volume_id is not None:
            found[device.id] = device.volume_id
        elif device.is_root:
            found[device.id] = "root"
    return found


def device_name(tx: Transaction, server: Server, wanted: str | None = None, bus: str | None = None) -> str:
    """The name for one more disk of a server: the one that is wanted, if it is free, or the next.

    Its prefix is that of the bus; None: of the one that the server's image names for disks.

    Raises:
        Invalid: it is no name of a disk.
        Conflict: another disk has it.
    """
    used = used_names(server, of_server(tx, server.id))
    prefix = prefix_of(bus or server.image_properties.properties.get("hw_disk_bus"))
    if wanted:
        match = _DEVICE.fullmatch(wanted)
        if match is None:
            raise Invalid(f"The supplied device path ({wanted}) is invalid.")
        if f"{prefix}{match[2]}" in used:
            raise Conflict(f"The supplied device path ({wanted}) is in use.")
        return f"{prefix}{match[2]}"
    return _next(prefix, used)


def used_names(server: Server, devices: Iterable[BlockDevice]) -> set[str]:
    """The names of the disks that a server has: its root, its own further disks, its volumes."""
    devices = list(devices)
    usual = server.image_properties.properties.get("hw_disk_bus")
    buses = [device.disk_bus for device in devices if device.is_ephemeral] or [None] * bool(server.flavor.ephemeral)
    buses += [device.disk_bus for device in devices if device.is_swap] or [None] * bool(server.flavor.swap)
    # The host's own disks come before volumes, whose names they cannot have.
    used = {server.root_device_name}
    for bus in buses:
        used.add(_next(prefix_of(bus or usual), used))
    return used | {_whole(device.device_name) for device in devices if device.device_name}


def _next(prefix: str, used: Container[str]) -> str:
    return next(name for letters in _LETTERS if (name := f"{prefix}{letters}") not in used)


def _whole(name: str) -> str:
    """The name of the disk that a partition is on."""
    match = _DEVICE.fullmatch(name)
    return name if match is None else f"{match[1]}{match[2]}"


def forget(tx: Transaction, device: BlockDevice) -> None:
    """The server does not have it any more."""
    records.remove(tx, device)
