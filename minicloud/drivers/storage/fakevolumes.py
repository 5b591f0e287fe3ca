"""Simulated volumes: instant, without a byte on disk, kept in the simulated world's file so that they survive a SIGKILL."""

from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec

from minicloud.base.errors import CloudError, Failed, Invalid, NotFound
from minicloud.base.imageformat import qcow2
from minicloud.drivers.faults import FaultScript
from minicloud.drivers.statelog import StateLog
from minicloud.drivers.storage import Base, Capacity, Fetch, GiB, VolumeFile
from minicloud.drivers.storage.fake import FakeImages
from minicloud.drivers.storage.names import STORED_AS, check_base, check_machine, check_size

_VOLUMES, _SNAPSHOTS = "volumes", "snapshots"
SIZE_GB = 100_000
FORMATS = ("raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx")
BLANK = bytes(1 << 16)
"""What a simulated volume gives away as an image, as nothing was ever written to it."""


class FakeVolumes:
    """The promise of volumes on one simulated backend."""

    driver = "fake"

    def __init__(
        self,
        log: StateLog,
        host: str,
        *,
        images: FakeImages | None = None,
        faults: FaultScript | None = None,
        size_gb: int = SIZE_GB,
    ) -> None:
        self._log = log
        self._host = host
        self._images = images or FakeImages(log)
        self._faults = faults or FaultScript()
        self._size_gb = size_gb

    async def ensure_base(self, checksum: str, format: str, fetch: Fetch) -> Base:
        check_base(checksum, format)
        late = await self._meet("ensure_base", checksum)
        size = await self._images.ensure_verified(checksum, format, fetch)
        _raise(late)
        stored: Any = STORED_AS[format]
        return Base(
            checksum=checksum,
            path=f"/simulated/{self._host}/_base/{checksum}.{stored}",
            format=stored,
            virtual_size=size,
        )

    async def ensure_volume(
        self,
        volume_id: str,
        *,
        size_bytes: int,
        base: Base | None = None,
        snapshot_id: str | None = None,
        shared: bool = False,
    ) -> VolumeFile:
        check_machine(volume_id)
        late = await self._meet("ensure_volume", volume_id)
        if self._find(volume_id) is None:
            below = base.virtual_size if base is not None else None
            if snapshot_id is not None:
                below = self._snapshot(snapshot_id)
            check_size(size_bytes, below)
            self._put(volume_id, check_size(size_bytes, None), shared)
        _raise(late)
        return self._file(volume_id)

    async def ensure_clone(
        self, volume_id: str, *, size_bytes: int, source_id: str, copied: bool = False, shared: bool = False
    ) -> VolumeFile:
        check_machine(volume_id)
        late = await self._meet("ensure_clone", volume_id)
        if self._find(volume_id) is None:
            check_size(size_bytes, self._file(source_id).virtual_size)
            self._put(volume_id, size_bytes, shared)
        _raise(late)
        return self._file(volume_id)

    async def ensure_imported(
        self, volume_id: str, *, path: str, format: Literal["raw", "qcow2"], size_bytes: int, shared: bool = False
    ) -> VolumeFile:
        check_machine(volume_id)
        late = await self._meet("ensure_imported", volume_id)
        self._put(volume_id, check_size(size_bytes, None), shared)
        _raise(late)
        return self._file(volume_id)

    async def ensure_shared(self, volume_id: str) -> VolumeFile:
        late = await self._meet("ensure_shared", volume_id)
        self._put(volume_id, self._file(volume_id).virtual_size, True)
        _raise(late)
        return self._file(volume_id)

    async def ensure_size(self, volume_id: str, size_bytes: int) -> VolumeFile:
        late = await self._meet("ensure_size", volume_id)
        file = self._file(volume_id)
        if file.virtual_size < size_bytes:
            self._put(volume_id, size_bytes, file.format == "raw")
        _raise(late)
        return self._file(volume_id)

    async def ensure_no_volume(self, volume_id: str) -> None:
        check_machine(volume_id)
        late = await self._meet("ensure_no_volume", volume_id)
        self._log.drop(_VOLUMES, self._host, volume_id)
        _raise(late)

    async def volume(self, volume_id: str) -> VolumeFile:
        check_machine(volume_id)
        return self._file(volume_id)

    async def prepare_copy(self, copy_id: str, volume_id: str) -> VolumeFile:
        check_machine(copy_id)
        late = await self._meet("prepare_copy", copy_id)
        _raise(late)
        return msgspec.structs.replace(self._file(volume_id), path=f"/simulated/{self._host}/copies/{copy_id}")

    async def ensure_snapshot(self, snapshot_id: str, volume_id: str, *, copied: bool = False) -> None:
        check_machine(snapshot_id)
        late = await self._meet("ensure_snapshot", snapshot_id)
        if self._log.get(_SNAPSHOTS, self._host, snapshot_id) is None:
            self._log.put(_SNAPSHOTS, self._host, snapshot_id, self._file(volume_id).virtual_size)
        _raise(late)

    async def ensure_no_snapshot(self, snapshot_id: str) -> None:
        check_machine(snapshot_id)
        late = await self._meet("ensure_no_snapshot", snapshot_id)
        self._log.drop(_SNAPSHOTS, self._host, snapshot_id)
        _raise(late)

    async def ensure_reverted(self, volume_id: str, snapshot_id: str, *, size_bytes: int) -> VolumeFile:
        late = await self._meet("ensure_reverted", volume_id)
        file = self._file(volume_id)
        self._put(volume_id, check_size(size_bytes, self._snapshot(snapshot_id)), file.format == "raw")
        _raise(late)
        return self._file(volume_id)

    async def content(self, volume_id: str, format: str) -> AsyncIterator[bytes]:
        if format not in FORMATS:
            raise Invalid(f"a volume cannot be written as {format!r}: {', '.join(FORMATS)}")
        late = await self._meet("content", volume_id)
        file = self._file(volume_id)
        if format not in ("raw", "qcow2"):
            raise Failed(
                f"simulated volumes hold no bytes that could be written as {format}: upload it as raw or qcow2"
            )
        yield BLANK if format == "raw" else qcow2.blank(file.virtual_size)
        _raise(late)

    async def volumes(self) -> list[str]:
        return sorted(self._log.rows(_VOLUMES, self._host))

    async def snapshots(self) -> list[str]:
        return sorted(self._log.rows(_SNAPSHOTS, self._host))

    async def capacity(self) -> Capacity:
        used = sum(_as_file(row).virtual_size for row in self._log.rows(_VOLUMES, self._host).values())
        return Capacity(total_bytes=self._size_gb * GiB, free_bytes=max(0, self._size_gb * GiB - used))

    async def _meet(self, verb: str, target: str) -> CloudError | None:
        return await self._faults.meet(verb, self._host, target) if self._faults.armed else None

    def _put(self, volume_id: str, size: int, shared: bool) -> None:
        path = f"/simulated/{self._host}/volumes/{volume_id}"
        file = VolumeFile(volume_id=volume_id, path=path, format="raw" if shared else "qcow2", virtual_size=size)
        self._log.put(_VOLUMES, self._host, volume_id, file)

    def _find(self, volume_id: str) -> VolumeFile | None:
        row = self._log.get(_VOLUMES, self._host, volume_id)
        return None if row is None else _as_file(row)

    def _file(self, volume_id: str) -> VolumeFile:
        found = self._find(volume_id)
        if found is None:
            raise NotFound(f"Volume {volume_id} has no file on this backend")
        return found

    def _snapshot(self, snapshot_id: str) -> int:
        size: int | None = self._log.get(_SNAPSHOTS, self._host, snapshot_id)
        if size is None:
            raise NotFound(f"Snapshot {snapshot_id} has no file on this backend")
        return size


def _as_file(row: Any) -> VolumeFile:
    return row if isinstance(row, VolumeFile) else msgspec.convert(row, VolumeFile)


def _raise(late: CloudError | None) -> None:
    """What the script wants raised when the work has been done nevertheless."""
    if late is not None:
        raise late
