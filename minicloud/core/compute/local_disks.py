"""The disks that a server has on its host beside its root: what its flavor adds, or how it was asked to divide that."""

from collections.abc import Iterable

import msgspec

from minicloud.core import records
from minicloud.core.compute import block_devices
from minicloud.core.compute.block_devices import BlockDevice
from minicloud.core.compute.servers import Server, ServerFlavor
from minicloud.engines.database import Transaction


class LocalDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A blank disk: GiB of an ephemeral one, MiB of a swap area. ``format`` None: what the host prefers."""

    size: int
    format: str | None = None
    bus: str | None = None


def ephemeral(flavor: ServerFlavor, devices: Iterable[BlockDevice]) -> list[LocalDisk]:
    """A server's ephemeral disks, in the order of their names: those that it was asked to have, else one as its flavor says."""
    asked = [device for device in devices if device.is_ephemeral]
    if not asked:
        return [LocalDisk(size=flavor.ephemeral)] if flavor.ephemeral else []
    return [
        LocalDisk(size=device.volume_size or flavor.ephemeral, format=device.guest_format, bus=device.disk_bus)
        for device in asked
    ]


def follow(tx: Transaction, server: Server, flavor: ServerFlavor) -> None:
    """A server gets another flavor. Where that has another swap area, what was asked of the old one counts no more, as upstream."""
    if flavor.swap == server.flavor.swap:
        return
    for device in block_devices.of_server(tx, server.id):
        if device.is_swap:
            records.change(tx, device, volume_size=flavor.swap, updated_at=tx.now)


def swap(flavor: ServerFlavor, devices: Iterable[BlockDevice]) -> LocalDisk | None:
    """A server's swap area: as large as it was asked to be, but never larger than its flavor allows now."""
    asked = next((device for device in devices if device.is_swap), None)
    size = flavor.swap if asked is None or asked.volume_size is None else min(asked.volume_size, flavor.swap)
    return LocalDisk(size=size, bus=None if asked is None else asked.disk_bus) if size else None
