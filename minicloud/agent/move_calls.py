"""Messages about disks of servers that change their size or their host, or are rescued; part of ``calls``."""

import msgspec

from minicloud.drivers.hypervisor import MoveProgress as MoveProgress
from minicloud.engines.messaging import Message


class PackedDisk(msgspec.Struct, frozen=True, kw_only=True):
    """A disk that travels between hosts: its name, and the key in the blob store."""

    name: str
    blob: str


class EnsureServerPacked(Message[list[PackedDisk]], tag="ensure_server_packed", kw_only=True):
    """The disks of a server that is off lie in the blob store, under keys that begin with ``prefix``; which they are."""

    server_id: str
    prefix: str


class EnsureDisksKept(Message[None], tag="ensure_disks_kept", kw_only=True):
    """The disks of a server that is off can be had again as they are now."""

    server_id: str


class EnsureDisksRestored(Message[None], tag="ensure_disks_restored", kw_only=True):
    """The disks of a server that is off are as they were kept, if they were."""

    server_id: str


class EnsureDisksNotKept(Message[None], tag="ensure_disks_not_kept", kw_only=True):
    """What was kept of a server's disks is of no use any more."""

    server_id: str


class EnsureNoRescueDisk(Message[None], tag="ensure_no_rescue_disk", kw_only=True):
    """Nothing of the image from which a server was rescued is left; it is off, or runs from its own disks."""

    server_id: str


class GuestBuilt(Message[str], tag="guest_built", kw_only=True):
    """How the server's machine is put together on its host, for the host that shall await its guest."""

    server_id: str


class EnsureGuestNotAwaited(Message[None], tag="ensure_guest_not_awaited", kw_only=True):
    """Nothing of a server that waits for its guest is left, its disks included; one whose guest has arrived is left alone (Conflict)."""

    server_id: str


class GuestArrived(Message[bool | None], tag="guest_arrived", kw_only=True):
    """Whether the server is here with its guest; None: it is still coming, and only a later question will tell."""

    server_id: str


class EnsureGuestSent(Message[None], tag="ensure_guest_sent", kw_only=True):
    """All of the guest but the last lies at the address, and it stands still for the rest."""

    server_id: str
    address: str


class EnsureGuestSwitched(Message[None], tag="ensure_guest_switched", kw_only=True):
    """The guest goes on at the address, and is off here."""

    server_id: str
    address: str


class EnsureGuestNotSent(Message[None], tag="ensure_guest_not_sent", kw_only=True):
    """The guest stays and goes on, if it was being sent."""

    server_id: str


class HurryGuest(Message[None], tag="hurry_guest", kw_only=True):
    """A guest that is being sent holds up its own move no longer."""

    server_id: str


class GuestProgress(Message[MoveProgress | None], tag="guest_progress", kw_only=True):
    """How far the guest is on its way; None when it is not being sent."""

    server_id: str


MOVE_CALLS = (
    EnsureServerPacked,
    EnsureDisksKept,
    EnsureDisksRestored,
    EnsureDisksNotKept,
    EnsureNoRescueDisk,
    GuestBuilt,
    EnsureGuestNotAwaited,
    GuestArrived,
    EnsureGuestSent,
    EnsureGuestSwitched,
    EnsureGuestNotSent,
    HurryGuest,
    GuestProgress,
)
