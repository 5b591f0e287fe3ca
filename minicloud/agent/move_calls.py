"""Messages about disks of servers that change their size or their host, or are rescued; part of ``calls``."""

import msgspec

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


MOVE_CALLS = (EnsureServerPacked, EnsureDisksKept, EnsureDisksRestored, EnsureDisksNotKept, EnsureNoRescueDisk)
