"""Disks as files: ``_base`` holds images, ``instances/<machine>/`` holds copy-on-write overlays and small raw disks.

The hypervisor may use the same instance folders: storage owns the files that are named ``disk`` or ``disk.*`` (and their
hidden unfinished forms) and no others, and removes a folder only when nothing is left in it.
"""

import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path

import anyio

from minicloud.base.errors import Invalid, NotFound
from minicloud.drivers.privatefolder import make_private
from minicloud.drivers.storage import Base, CachedBase, DiskFile, Fetch, formatting, kept
from minicloud.drivers.storage.basecache import BaseCache, disk_trouble, free_bytes, sync
from minicloud.drivers.storage.diskfiles import backing, disk_of, is_qcow2, virtual_size
from minicloud.drivers.storage.names import check_disk, check_machine, check_size, is_disk
from minicloud.drivers.storage.qemuimg import qemu_img

_PIECE = 1 << 20
_COPY_CPU_S = 600
_COPY_LIMIT_S = 1800.0


class FilesStorage:
    """The storage promise in a folder of its own.

    Args:
        folder: absolute; made when needed, private to the user.
        cache: where images are kept; by default ``_base`` in the folder, but hosts on one machine may share one.
    """

    def __init__(self, folder: Path, cache: BaseCache | None = None) -> None:
        self._folder = folder.absolute()
        self._instances = self._folder / "instances"
        self._cache = cache or BaseCache(self._folder / "_base")
        self._cache.used_by(self._standing_on)
        self._hits: dict[str, int] = {}
        self._locks: dict[str, anyio.Lock] = {}

    async def ensure_base(self, checksum: str, format: str, fetch: Fetch) -> Base:
        if self._cache.holds(checksum, format):
            self._hits[checksum] = self._hits.get(checksum, 0) + 1
        return await self._cache.ensure(checksum, format, fetch)

    async def ensure_disk(self, machine_id: str, name: str, *, base: Base | None, size_bytes: int) -> DiskFile:
        check_machine(machine_id)
        check_disk(name)
        size = check_size(size_bytes, base.virtual_size if base is not None else None)
        async with self._alone(machine_id):
            path = self._path(machine_id, name)
            if path.exists():
                await kept.tidy(path.parent, path)
            if not path.exists():
                await self._create(path, base, size)
            elif (has := virtual_size(path)) < size:
                await qemu_img("resize", "-q", "-f", "qcow2", str(path), str(size))
            elif has > -(-size // 512) * 512:
                raise Invalid(f"disk {name} of {machine_id} has {has} bytes, more than {size}: disks do not shrink")
            return disk_of(machine_id, path, "qcow2")

    async def ensure_formatted(
        self, machine_id: str, name: str, *, size_bytes: int, filesystem: str, label: str, anew: bool = False
    ) -> DiskFile:
        check_machine(machine_id)
        check_disk(name)
        async with self._alone(machine_id):
            path = self._path(machine_id, name)
            other = anew and path.exists() and disk_of(machine_id, path, "qcow2").virtual_size != size_bytes
            if other or not path.exists():
                try:
                    if other:
                        kept.put_aside(path.parent, path)
                    make_private(path.parent)
                    await formatting.make(path, check_size(size_bytes, None), filesystem, label)
                except OSError as error:
                    raise disk_trouble(error, self._folder) from error
                finally:
                    self._tidy(path.parent)
            return disk_of(machine_id, path, "qcow2")

    async def ensure_file(self, machine_id: str, name: str, content: bytes) -> DiskFile:
        check_machine(machine_id)
        check_disk(name)
        async with self._alone(machine_id):
            path = self._path(machine_id, name)
            try:
                if not path.exists() or path.read_bytes() != content:
                    await anyio.to_thread.run_sync(self._write, path, content)
            except OSError as error:
                raise disk_trouble(error, self._folder) from error
            return disk_of(machine_id, path, "raw")

    async def disk(self, machine_id: str, name: str) -> DiskFile | None:
        check_machine(machine_id)
        check_disk(name)
        path = self._path(machine_id, name)
        return disk_of(machine_id, path, "qcow2") if path.exists() else None

    async def ensure_copy(self, machine_id: str, name: str, of: str) -> DiskFile:
        check_disk(name)
        source = await self.disk(machine_id, of)
        if source is None:
            raise NotFound(f"machine {machine_id} has no disk {of}")
        async with self._alone(machine_id):
            path = self._path(machine_id, name)
            part = path.with_name(f".{path.name}.part")
            try:
                part.unlink(missing_ok=True)
                arguments = ("-q", "-f", source.format, "-O", "qcow2", source.path, str(part))
                await qemu_img("convert", *arguments, cpu_s=_COPY_CPU_S, timeout_s=_COPY_LIMIT_S)
                os.chmod(part, 0o600)
                os.replace(part, path)
            except OSError as error:
                raise disk_trouble(error, self._folder) from error
            finally:
                part.unlink(missing_ok=True)
            return disk_of(machine_id, path, "qcow2")

    async def content(self, machine_id: str, name: str) -> AsyncGenerator[bytes, None]:
        check_machine(machine_id)
        check_disk(name)
        try:
            async with await anyio.open_file(self._path(machine_id, name), "rb") as file:
                while piece := await file.read(_PIECE):
                    yield piece
        except FileNotFoundError as error:
            raise NotFound(f"machine {machine_id} has no disk {name}") from error

    async def ensure_no_disk(self, machine_id: str, name: str) -> None:
        check_machine(machine_id)
        check_disk(name)
        async with self._alone(machine_id):
            path = self._path(machine_id, name)
            path.unlink(missing_ok=True)
            path.with_name(f".{path.name}.part").unlink(missing_ok=True)
            if path.parent.is_dir():
                self._tidy(path.parent)

    async def ensure_kept(self, machine_id: str) -> None:
        check_machine(machine_id)
        async with self._alone(machine_id):
            await kept.keep(self._instances / machine_id, self._growing(machine_id))

    async def ensure_restored(self, machine_id: str) -> None:
        check_machine(machine_id)
        async with self._alone(machine_id):
            await kept.restore(self._instances / machine_id, self._growing(machine_id))

    async def ensure_not_kept(self, machine_id: str) -> None:
        check_machine(machine_id)
        async with self._alone(machine_id):
            await kept.forget(self._instances / machine_id, self._growing(machine_id))

    async def disks(self, machine_id: str) -> list[DiskFile]:
        check_machine(machine_id)
        folder = self._instances / machine_id
        found = sorted(entry for entry in folder.iterdir() if is_disk(entry.name)) if folder.is_dir() else []
        return [disk_of(machine_id, path, "qcow2" if is_qcow2(path) else "raw") for path in found]

    async def ensure_unpacked(self, machine_id: str, name: str, fetch: Fetch) -> DiskFile:
        check_machine(machine_id)
        check_disk(name)
        path = self._path(machine_id, name)
        async with self._alone(machine_id):
            if not path.exists():
                await self._unpack(path, fetch)
            return disk_of(machine_id, path, "qcow2")

    async def _unpack(self, path: Path, fetch: Fetch) -> None:
        part = path.with_name(f".{path.name}.part")
        try:
            make_private(path.parent)
            async with await anyio.open_file(
                os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
            ) as file:
                async for chunk in fetch():
                    await file.write(chunk)
            virtual_size(part)
            await anyio.to_thread.run_sync(sync, part)
            os.replace(part, path)
        except OSError as error:
            raise disk_trouble(error, self._folder) from error
        finally:
            part.unlink(missing_ok=True)
            self._tidy(path.parent)

    def _growing(self, machine_id: str) -> list[Path]:
        """The machine's disks that guests write to."""
        folder = self._instances / machine_id
        if not folder.is_dir():
            return []
        return sorted(entry for entry in folder.iterdir() if is_disk(entry.name) and is_qcow2(entry))

    async def ensure_no_disks(self, machine_id: str) -> None:
        check_machine(machine_id)
        async with self._alone(machine_id):
            folder = self._instances / machine_id
            if not folder.is_dir():
                return
            for entry in list(folder.iterdir()):
                if is_disk(entry.name) or entry.match(".disk*.part"):
                    entry.unlink(missing_ok=True)
            # Not empty: the hypervisor still has files here, and removes the folder after them.
            with contextlib.suppress(OSError):
                folder.rmdir()

    async def machines(self) -> list[str]:
        if not self._instances.is_dir():
            return []
        return sorted(
            folder.name
            for folder in self._instances.iterdir()
            if folder.is_dir() and any(is_disk(entry.name) for entry in folder.iterdir())
        )

    async def bases(self) -> list[Base]:
        return self._cache.list()

    async def cached(self) -> list[CachedBase]:
        return [
            CachedBase(checksum=base.checksum, hits=self._hits.get(base.checksum, 0)) for base in self._cache.list()
        ]

    async def ensure_no_base(self, checksum: str) -> bool:
        self._hits.pop(checksum, None)
        return await self._cache.remove(checksum)

    async def ensure_sound(self, checksum: str, format: str, fetch: Fetch, *, unless_since: float) -> bool:
        return await self._cache.ensure_sound(checksum, format, fetch, unless_since=unless_since)

    def _standing_on(self) -> Iterator[Path]:
        """What the machines' disks stand on, those included that are not finished."""
        for path in self._instances.glob("*/*"):
            if path.is_file() and (below := backing(path)) is not None:
                yield below

    async def free_bytes(self) -> int:
        return free_bytes(self._folder)

    def _path(self, machine_id: str, name: str) -> Path:
        return self._instances / machine_id / name

    @contextlib.asynccontextmanager
    async def _alone(self, machine_id: str) -> AsyncIterator[None]:
        """One change at a time to a machine's disks, because unfinished files have fixed names."""
        lock = self._locks.setdefault(machine_id, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._locks.pop(machine_id, None)

    async def _create(self, path: Path, base: Base | None, size: int) -> None:
        part = path.with_name(f".{path.name}.part")
        backing = ("-b", base.path, "-F", base.format) if base is not None else ()
        try:
            make_private(path.parent)
            part.unlink(missing_ok=True)
            await qemu_img("create", "-q", "-f", "qcow2", *backing, str(part), str(size))
            os.chmod(part, 0o600)
            os.replace(part, path)
        except OSError as error:
            raise disk_trouble(error, self._folder) from error
        finally:
            part.unlink(missing_ok=True)
            self._tidy(path.parent)

    def _write(self, path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.part")
        try:
            make_private(path.parent)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(content)
            sync(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
            self._tidy(path.parent)

    @staticmethod
    def _tidy(folder: Path) -> None:
        """A first disk that could not be made leaves no folder either."""
        with contextlib.suppress(OSError):
            folder.rmdir()
