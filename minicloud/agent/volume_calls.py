"""The messages between the control side and storage backends, and the caller's side of them.

A backend listens under its ``host@backend`` name. Every ``Ensure`` may be sent again. Sizes in GiB.
"""

from typing import Literal, TypeVar

import msgspec

from minicloud.agent.calls import ImageSource
from minicloud.drivers.storage import VolumeFile
from minicloud.engines.messaging import Message, Messaging

R = TypeVar("R")

VOLUME = "volume"

__all__ = [
    "TO_BACKEND",
    "VOLUME",
    "BackendReport",
    "BackendUp",
    "Backends",
    "EnsureClone",
    "EnsureImported",
    "EnsureNoSnapshot",
    "EnsureNoVolume",
    "EnsureReverted",
    "EnsureSnapshot",
    "EnsureVolume",
    "EnsureVolumeShared",
    "EnsureVolumeSize",
    "ExportVolume",
    "Exported",
    "ImageSource",
    "LocateVolume",
    "PrepareCopy",
    "ReportBackend",
    "VolumeFile",
]


class BackendReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that a backend knows: what lies there, and its room in GiB."""

    driver: str
    volumes: list[str]
    snapshots: list[str]
    total_gb: int
    free_gb: int


class ReportBackend(Message[BackendReport], tag="report_backend", kw_only=True):
    """Tell everything."""


class EnsureVolume(Message[VolumeFile], tag="ensure_volume", kw_only=True):
    """The volume exists: blank, or with what the image or the snapshot holds."""

    volume_id: str
    size_gb: int
    image: ImageSource | None = None
    snapshot_id: str | None = None
    shared: bool = False


class EnsureClone(Message[VolumeFile], tag="ensure_clone", kw_only=True):
    """The volume exists with what another one holds, or held when it was copied."""

    volume_id: str
    size_gb: int
    source_id: str
    copied: bool = False
    shared: bool = False


class EnsureImported(Message[VolumeFile], tag="ensure_imported", kw_only=True):
    """The volume, which no machine has open, holds what this file of another backend holds, to which nobody writes."""

    volume_id: str
    size_gb: int
    path: str
    format: Literal["raw", "qcow2"]
    shared: bool = False


class EnsureVolumeSize(Message[VolumeFile], tag="ensure_volume_size", kw_only=True):
    """The volume, which no machine has open, is at least so large."""

    volume_id: str
    size_gb: int


class EnsureVolumeShared(Message[VolumeFile], tag="ensure_volume_shared", kw_only=True):
    """The volume, which no machine has open, may be open in several."""

    volume_id: str


class EnsureNoVolume(Message[None], tag="ensure_no_volume", kw_only=True):
    """The volume is gone."""

    volume_id: str


class LocateVolume(Message[VolumeFile], tag="locate_volume", kw_only=True):
    """Where the volume lies now."""

    volume_id: str


class PrepareCopy(Message[VolumeFile], tag="prepare_copy", kw_only=True):
    """A blank file to which a machine that has the volume open copies it, for this snapshot or clone to stand on."""

    copy_id: str
    volume_id: str


class EnsureSnapshot(Message[None], tag="ensure_volume_snapshot", kw_only=True):
    """What the volume holds now, or held when it was copied, is kept as the snapshot."""

    snapshot_id: str
    volume_id: str
    copied: bool = False


class EnsureNoSnapshot(Message[None], tag="ensure_no_volume_snapshot", kw_only=True):
    """The snapshot is gone."""

    snapshot_id: str


class EnsureReverted(Message[VolumeFile], tag="ensure_reverted", kw_only=True):
    """The volume, which no machine has open, holds what its snapshot holds."""

    volume_id: str
    snapshot_id: str
    size_gb: int


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written to the blob store: sizes in bytes, checksums in hexadecimal."""

    size: int
    virtual_size: int | None
    md5: str
    sha512: str


class ExportVolume(Message[Exported], tag="export_volume", kw_only=True):
    """The volume's bytes are in the blob store under this key, as an image of this format."""

    volume_id: str
    blob: str
    format: str


class BackendUp(Message[None], tag="backend_up", kw_only=True):
    """From a backend: it has started, and this is what it has."""

    host: str
    report: BackendReport


TO_BACKEND = (
    ReportBackend,
    EnsureVolume,
    EnsureClone,
    EnsureImported,
    EnsureVolumeSize,
    EnsureVolumeShared,
    EnsureNoVolume,
    LocateVolume,
    PrepareCopy,
    EnsureSnapshot,
    EnsureNoSnapshot,
    EnsureReverted,
    ExportVolume,
)


def backend_of(host: str) -> str:
    """The backend that a volume's ``host@backend#pool`` names."""
    return host.partition("#")[0]


class Backends:
    """The caller's side: asks the backend that keeps a volume."""

    def __init__(self, messaging: Messaging) -> None:
        self._messaging = messaging

    async def ask(self, host: str, message: Message[R], *, timeout_s: float = 120.0) -> R:
        """Send to the backend of ``host@backend#pool`` and wait. Raises what the backend raised, TimedOut, Unavailable."""
        return await self._messaging.call(VOLUME, message, host=backend_of(host), timeout_s=timeout_s)
