"""Messages to a host about the disks and cards of a server, and about snapshots of its root disk; part of ``calls``."""

import msgspec

from minicloud.drivers.fabric import Port
from minicloud.drivers.hypervisor import DeviceAddress, Disk, DiskFormat, MachineUsage, NicModel, Throttle
from minicloud.engines.messaging import Message


class NicSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A card of a server: the port it is plugged to."""

    port: Port
    model: NicModel = "virtio"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot is: its format, its size and that of the disk in bytes, checksums in hexadecimal."""

    format: str
    size: int
    virtual_size: int
    md5: str
    sha512: str


class EnsureDiskAttached(Message[None], tag="ensure_disk_attached", kw_only=True):
    """The server has the disk: now if it runs, else from its next start on. The disk's file is there."""

    server_id: str
    disk: Disk


class EnsureDiskDetached(Message[None], tag="ensure_disk_detached", kw_only=True):
    """The server has no such disk; a guest that does not let go within ``timeout_s`` keeps it (TimedOut)."""

    server_id: str
    disk_id: str
    timeout_s: float


class EnsureDiskSize(Message[bool], tag="ensure_disk_size", kw_only=True):
    """A running server's disk has grown, file and all; False when the server is off, and nothing was done."""

    server_id: str
    disk_id: str
    size_bytes: int


class EnsureDiskThrottle(Message[None], tag="ensure_disk_throttle", kw_only=True):
    """The server's disk is held to these limits; None: to none."""

    server_id: str
    disk_id: str
    throttle: Throttle | None


class ServerUsage(Message[MachineUsage], tag="server_usage", kw_only=True):
    """What a running server has used so far."""

    server_id: str


class DeviceAddresses(Message[dict[str, DeviceAddress]], tag="device_addresses", kw_only=True):
    """Where a running server's guest finds its disks and cards, by their ids."""

    server_id: str


class InjectNmi(Message[None], tag="inject_nmi", kw_only=True):
    """A non-maskable interrupt reaches the guest."""

    server_id: str


class EnsurePassword(Message[None], tag="ensure_password", kw_only=True):
    """The user inside the guest has this password."""

    server_id: str
    user: str
    password: str


class EnsureDisksCopied(Message[None], tag="ensure_disks_copied", kw_only=True):
    """What a running server's disks hold at one moment is in these files; Conflict when the server is off: they lie still."""

    server_id: str
    paths: dict[str, str]


class EnsureDiskNotCopied(Message[None], tag="ensure_disk_not_copied", kw_only=True):
    """Nobody copies the server's disk."""

    server_id: str
    disk_id: str


class EnsureDiskMoved(Message[bool], tag="ensure_disk_moved", kw_only=True):
    """The server's disk lies in this file with all that it held. False when the server is off, and nothing was done: once the disk
    has been ``copied`` there, the host is asked to take note of it."""

    server_id: str
    disk_id: str
    path: str
    format: DiskFormat
    copied: bool = False


class EnsureSnapshot(Message[None], tag="ensure_snapshot", kw_only=True):
    """The host keeps the server's root disk as it is at one moment, as one file without a base; the guest goes on meanwhile."""

    server_id: str


class EnsureSnapshotUploaded(Message[Snapshot], tag="ensure_snapshot_uploaded", kw_only=True):
    """The snapshot's bytes are in the store under the key ``blob``."""

    server_id: str
    blob: str


class EnsureNoSnapshot(Message[None], tag="ensure_no_snapshot", kw_only=True):
    """The host keeps no snapshot of the server, and makes none."""

    server_id: str


class EnsureNicAttached(Message[None], tag="ensure_nic_attached", kw_only=True):
    """The server has the card, its port being wired here."""

    server_id: str
    nic: NicSpec


class EnsureNicDetached(Message[None], tag="ensure_nic_detached", kw_only=True):
    """The server has no card of this port; a guest that does not let go within ``timeout_s`` keeps it (TimedOut)."""

    server_id: str
    port_id: str
    timeout_s: float


DEVICE_CALLS = (
    ServerUsage,
    DeviceAddresses,
    InjectNmi,
    EnsurePassword,
    EnsureDiskAttached,
    EnsureDiskDetached,
    EnsureDiskSize,
    EnsureDiskThrottle,
    EnsureDisksCopied,
    EnsureDiskNotCopied,
    EnsureDiskMoved,
    EnsureNicAttached,
    EnsureNicDetached,
    EnsureSnapshot,
    EnsureSnapshotUploaded,
    EnsureNoSnapshot,
)
