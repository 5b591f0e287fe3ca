"""Simulated disks: instant, without a byte on disk, but the images behind them are really read, verified and inspected once."""

import hashlib
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import anyio
import msgspec

from minicloud.base.errors import Failed, Invalid, NotFound
from minicloud.base.imageformat import Inspector, qcow2
from minicloud.drivers.faults import FaultScript
from minicloud.drivers.statelog import StateLog
from minicloud.drivers.storage import Base, CachedBase, DiskFile, Fetch, GiB
from minicloud.drivers.storage.names import STORED_AS, check_base, check_disk, check_machine, check_size

_IMAGES, _BASES, _DISKS, _KEPT = "images", "bases", "disks", "kept"
T = TypeVar("T", Base, DiskFile)


class FakeImages:
    """What all simulated hosts of a cloud know of images: each is read once, however many hosts ask at the same time."""

    def __init__(self, log: StateLog) -> None:
        self._log = log
        self._locks: dict[str, anyio.Lock] = {}

    async def ensure_verified(self, checksum: str, format: str, fetch: Fetch) -> int:
        """The image's virtual size in bytes. Raises Failed, and what ``fetch`` raises."""
        key = f"{checksum}.{STORED_AS[format]}"
        lock = self._locks.setdefault(key, anyio.Lock())
        try:
            async with lock:
                size: int | None = self._log.get(_IMAGES, "", key)
                if size is None:
                    size = await _verify(checksum, format, fetch)
                    self._log.put(_IMAGES, "", key, size)
                return size
        finally:
            if not lock.locked():
                self._locks.pop(key, None)


class FakeStorage:
    """The storage promise on one simulated host. ``log`` and ``images`` are shared by all hosts of a cloud."""

    def __init__(
        self,
        log: StateLog,
        host: str,
        *,
        images: FakeImages | None = None,
        faults: FaultScript | None = None,
        size_gb: int = 1000,
    ) -> None:
        self._log = log
        self._images = images or FakeImages(log)
        self._host = host
        self._faults = faults or FaultScript()
        self._size_gb = size_gb
        self._hits: dict[str, int] = {}
        self._spoiled: set[str] = set()

    def spoil(self, checksum: str) -> None:
        """From now on the disk of this host has other bytes for the image than came."""
        self._spoiled.add(checksum)

    async def ensure_base(self, checksum: str, format: str, fetch: Fetch) -> Base:
        check_base(checksum, format)
        late = await self._faults.meet("ensure_base", self._host, checksum) if self._faults.armed else None
        key = f"{checksum}.{STORED_AS[format]}"
        row = self._log.get(_BASES, self._host, key)
        if row is None:
            size = await self._images.ensure_verified(checksum, format, fetch)
            row = Base(checksum=checksum, path=self._path("_base", key), format=_stored(format), virtual_size=size)
            self._log.put(_BASES, self._host, key, row)
        else:
            self._hits[checksum] = self._hits.get(checksum, 0) + 1
        if late is not None:
            raise late
        return _as(row, Base)

    async def ensure_disk(self, machine_id: str, name: str, *, base: Base | None, size_bytes: int) -> DiskFile:
        check_machine(machine_id)
        check_disk(name)
        late = await self._faults.meet("ensure_disk", self._host, machine_id) if self._faults.armed else None
        size = check_size(size_bytes, base.virtual_size if base is not None else None)
        row = self._log.get(_DISKS, self._host, f"{machine_id}/{name}")
        if row is not None and _as(row, DiskFile).virtual_size > size:
            raise Invalid(f"disk {name} of {machine_id} has more than {size} bytes already: disks do not shrink")
        disk = self._disk(machine_id, name, "qcow2", size, None if base is None else base.checksum)
        if late is not None:
            raise late
        return disk

    async def ensure_formatted(
        self, machine_id: str, name: str, *, size_bytes: int, filesystem: str, label: str, anew: bool = False
    ) -> DiskFile:
        there = await self.disk(machine_id, name)
        if there is not None and anew and there.virtual_size != size_bytes:
            return self._disk(machine_id, name, "qcow2", size_bytes)
        return there or await self.ensure_disk(machine_id, name, base=None, size_bytes=size_bytes)

    async def ensure_file(self, machine_id: str, name: str, content: bytes) -> DiskFile:
        check_machine(machine_id)
        check_disk(name)
        late = await self._faults.meet("ensure_file", self._host, machine_id) if self._faults.armed else None
        disk = self._disk(machine_id, name, "raw", len(content))
        if late is not None:
            raise late
        return disk

    async def disk(self, machine_id: str, name: str) -> DiskFile | None:
        check_machine(machine_id)
        check_disk(name)
        row = self._log.get(_DISKS, self._host, f"{machine_id}/{name}")
        return None if row is None else _as(row, DiskFile)

    async def ensure_copy(self, machine_id: str, name: str, of: str) -> DiskFile:
        late = await self._faults.meet("ensure_copy", self._host, machine_id) if self._faults.armed else None
        check_disk(name)
        source = await self.disk(machine_id, of)
        if source is None:
            raise NotFound(f"machine {machine_id} has no disk {of}")
        made = self._disk(machine_id, name, "qcow2", source.virtual_size)
        if late is not None:
            raise late
        return made

    async def content(self, machine_id: str, name: str) -> AsyncGenerator[bytes, None]:
        found = await self.disk(machine_id, name)
        if found is None:
            raise NotFound(f"machine {machine_id} has no disk {name}")
        yield qcow2.blank(found.virtual_size)

    async def ensure_no_disk(self, machine_id: str, name: str) -> None:
        check_machine(machine_id)
        check_disk(name)
        late = await self._faults.meet("ensure_no_disk", self._host, machine_id) if self._faults.armed else None
        left = [known for known in self._names(machine_id) if known != name]
        self._log.drop(_DISKS, self._host, f"{machine_id}/{name}")
        if left:
            self._log.put(_DISKS, self._host, machine_id, left)
        else:
            self._log.drop(_DISKS, self._host, machine_id)
        if late is not None:
            raise late

    async def ensure_kept(self, machine_id: str) -> None:
        check_machine(machine_id)
        late = await self._faults.meet("ensure_kept", self._host, machine_id) if self._faults.armed else None
        if self._log.get(_KEPT, self._host, machine_id) is None:
            self._log.put(_KEPT, self._host, machine_id, await self.disks(machine_id))
        if late is not None:
            raise late

    async def ensure_restored(self, machine_id: str) -> None:
        check_machine(machine_id)
        late = await self._faults.meet("ensure_restored", self._host, machine_id) if self._faults.armed else None
        for row in self._log.get(_KEPT, self._host, machine_id) or []:
            disk = _as(row, DiskFile)
            self._log.put(_DISKS, self._host, f"{machine_id}/{disk.name}", disk)
        self._log.drop(_KEPT, self._host, machine_id)
        if late is not None:
            raise late

    async def ensure_not_kept(self, machine_id: str) -> None:
        check_machine(machine_id)
        late = await self._faults.meet("ensure_not_kept", self._host, machine_id) if self._faults.armed else None
        self._log.drop(_KEPT, self._host, machine_id)
        if late is not None:
            raise late

    async def disks(self, machine_id: str) -> list[DiskFile]:
        check_machine(machine_id)
        rows = [self._log.get(_DISKS, self._host, f"{machine_id}/{name}") for name in self._names(machine_id)]
        return [_as(row, DiskFile) for row in rows if row is not None]

    async def ensure_unpacked(self, machine_id: str, name: str, fetch: Fetch) -> DiskFile:
        check_machine(machine_id)
        check_disk(name)
        late = await self._faults.meet("ensure_unpacked", self._host, machine_id) if self._faults.armed else None
        row = self._log.get(_DISKS, self._host, f"{machine_id}/{name}")
        if row is None:
            content = b"".join([chunk async for chunk in fetch()])
            try:
                size = qcow2.size(content)
            except Invalid as error:
                raise Failed(f"disk {name} of {machine_id} arrived damaged: {error.message}") from error
            row = self._disk(machine_id, name, "qcow2", size)
        if late is not None:
            raise late
        return _as(row, DiskFile)

    async def ensure_no_disks(self, machine_id: str) -> None:
        check_machine(machine_id)
        late = await self._faults.meet("ensure_no_disks", self._host, machine_id) if self._faults.armed else None
        self._log.drop(_KEPT, self._host, machine_id)
        for name in self._names(machine_id):
            self._log.drop(_DISKS, self._host, f"{machine_id}/{name}")
        self._log.drop(_DISKS, self._host, machine_id)
        if late is not None:
            raise late

    async def machines(self) -> list[str]:
        return [key for key in self._log.rows(_DISKS, self._host) if "/" not in key]

    async def bases(self) -> list[Base]:
        return [_as(row, Base) for row in self._log.rows(_BASES, self._host).values()]

    async def cached(self) -> list[CachedBase]:
        return [CachedBase(checksum=one.checksum, hits=self._hits.get(one.checksum, 0)) for one in await self.bases()]

    async def ensure_no_base(self, checksum: str) -> bool:
        late = await self._faults.meet("ensure_no_base", self._host, checksum) if self._faults.armed else None
        disks = [row for key, row in self._log.rows(_DISKS, self._host).items() if "/" in key]
        used = any(_as(row, DiskFile).base == checksum for row in disks)
        if not used:
            self._hits.pop(checksum, None)
            for format in set(STORED_AS.values()):
                self._log.drop(_BASES, self._host, f"{checksum}.{format}")
        if late is not None:
            raise late
        return not used

    async def ensure_sound(self, checksum: str, format: str, fetch: Fetch, *, unless_since: float) -> bool:
        check_base(checksum, format)
        late = await self._faults.meet("ensure_sound", self._host, checksum) if self._faults.armed else None
        there = self._log.get(_BASES, self._host, f"{checksum}.{STORED_AS[format]}") is not None
        damaged = there and checksum in self._spoiled
        if damaged:
            await _verify(checksum, format, fetch)
            self._spoiled.discard(checksum)
        if late is not None:
            raise late
        return damaged

    async def free_bytes(self) -> int:
        rows = self._log.rows(_DISKS, self._host)
        used = sum(_as(row, DiskFile).virtual_size for key, row in rows.items() if "/" in key)
        return max(0, self._size_gb * GiB - used)

    def _disk(self, machine_id: str, name: str, format: str, size: int, base: str | None = None) -> DiskFile:
        key = f"{machine_id}/{name}"
        row = self._log.get(_DISKS, self._host, key)
        disk = DiskFile(
            machine_id=machine_id,
            name=name,
            path=self._path("instances", machine_id, name),
            format="raw" if format == "raw" else "qcow2",
            virtual_size=size,
            base=base,
        )
        if row is None or _as(row, DiskFile) != disk:
            names = self._names(machine_id)
            if name not in names:
                # The list of names first: a disk that no list names could never be removed.
                self._log.put(_DISKS, self._host, machine_id, [*names, name])
            self._log.put(_DISKS, self._host, key, disk)
        return disk

    def _names(self, machine_id: str) -> list[str]:
        return list(self._log.get(_DISKS, self._host, machine_id) or [])

    def _path(self, *parts: str) -> str:
        return "/".join(("/simulated", self._host, *parts))


def _as(row: Any, kind: type[T]) -> T:
    return row if isinstance(row, kind) else msgspec.convert(row, kind)


def _stored(format: str) -> Any:
    return STORED_AS[format]


async def _verify(checksum: str, format: str, fetch: Fetch) -> int:
    digest, inspector = hashlib.sha512(), Inspector(format)
    try:
        async for chunk in fetch():
            digest.update(chunk)
            inspector.feed(chunk)
        facts = inspector.finish()
    except Invalid as error:
        raise Invalid(f"image {checksum[:12]} cannot be used: {error.message}") from error
    if digest.hexdigest() != checksum:
        raise Failed(f"image {checksum[:12]} arrived with other bytes: its sha512 is {digest.hexdigest()[:12]}...")
    return facts.virtual_size
