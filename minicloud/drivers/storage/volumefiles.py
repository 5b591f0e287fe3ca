"""Volumes as qcow2 files in a folder: sparse, copied on write, frozen and cloned without copying a byte.

Every change is a file made beside and renamed into its place, so that a killed process leaves the old state or the new one.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread

from minicloud.base.errors import Invalid, NotFound
from minicloud.base.imageformat import qcow2
from minicloud.drivers.storage import Base, Capacity, Fetch, GiB, VolumeFile
from minicloud.drivers.storage.basecache import BaseCache, disk_trouble, free_bytes
from minicloud.drivers.storage.layers import SNAPSHOTS, VOLUMES, Layers
from minicloud.drivers.storage.names import check_machine, check_size
from minicloud.drivers.storage.qemuimg import qemu_img

DEEPEST = 24
"""Files in a chain above which the next copy is a real one: each costs every read of the guest a look."""
_PIECE = 4 << 20
EXPORTS = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx"}
"""Image formats that a volume can be written as, by qemu-img's names."""


class VolumeFiles:
    """The promise of volumes in a folder of its own, which no other process changes.

    Args:
        folder: absolute; made when needed, private to the user.
        cache: where images are kept, shared with the hosts of this machine.
        size_gb: what the backend says that it has, whatever the disk has (GiB).
    """

    driver = "files"

    def __init__(self, folder: Path, cache: BaseCache, size_gb: int | None = None) -> None:
        self._layers = Layers(folder.absolute())
        self._cache = cache
        self._size_gb = size_gb
        self._locks: dict[str, anyio.Lock] = {}
        self._ready = False
        self._exports = 0

    async def ensure_base(self, checksum: str, format: str, fetch: Fetch) -> Base:
        return await self._cache.ensure(checksum, format, fetch)

    async def ensure_volume(
        self,
        volume_id: str,
        *,
        size_bytes: int,
        base: Base | None = None,
        snapshot_id: str | None = None,
        shared: bool = False,
    ) -> VolumeFile:
        async with self._changing(volume_id):
            if not self._layers.volume(volume_id).exists():
                size = check_size(size_bytes, None)
                if base is not None:
                    check_size(size_bytes, base.virtual_size)
                    with self._layers.holding(self._layers.image(base)):
                        under = await anyio.to_thread.run_sync(self._layers.lend_image, base)
                        await self._stand(volume_id, under, size, shared=shared)
                elif snapshot_id is not None:
                    under = self._snapshot(snapshot_id)
                    check_size(size_bytes, self._layers.size(under))
                    with self._layers.holding(under):
                        await self._stand(volume_id, under, size, shared=shared)
                else:
                    await self._stand(volume_id, None, size, shared=shared)
            return self._file(volume_id)

    async def ensure_clone(
        self, volume_id: str, *, size_bytes: int, source_id: str, copied: bool = False, shared: bool = False
    ) -> VolumeFile:
        async with self._changing(volume_id), self._changing(source_id):
            if not self._layers.volume(volume_id).exists():
                check_size(size_bytes, self._layers.size(self._layers.volume(source_id)))
                # The layer bears the clone's id: whoever repeats this after a crash finds it again.
                await self._freeze(volume_id, source_id, copied)
                await self._stand(volume_id, self._layers.layer(volume_id), size_bytes, shared=shared)
            self._layers.copy(volume_id).unlink(missing_ok=True)
            return self._file(volume_id)

    async def ensure_imported(
        self, volume_id: str, *, path: str, format: Literal["raw", "qcow2"], size_bytes: int, shared: bool = False
    ) -> VolumeFile:
        async with self._changing(volume_id):
            layers = self._layers
            raw, layered = layers.raw_volume(volume_id), layers.layered_volume(volume_id)
            under = layers.under(layered)
            target = raw if shared else layered
            await self._copy(Path(path), target, target.suffix[1:], size_bytes, source_format=format)
            layers.remove(layered if shared else raw)
            if under is not None and not shared:
                layers.collect(under)
            return self._file(volume_id)

    async def ensure_shared(self, volume_id: str) -> VolumeFile:
        async with self._changing(volume_id):
            raw = self._layers.raw_volume(volume_id)
            if not raw.exists():
                top = self._layers.volume(volume_id)
                await self._copy(top, raw, "raw", self._file(volume_id).virtual_size)
            # The raw file counts from the moment it is there; what it was copied from may have outlived a crash.
            self._layers.remove(self._layers.layered_volume(volume_id))
            return self._file(volume_id)

    async def ensure_size(self, volume_id: str, size_bytes: int) -> VolumeFile:
        async with self._changing(volume_id):
            file = self._file(volume_id)
            if file.virtual_size < size_bytes:
                await qemu_img("resize", "-q", "-f", file.format, file.path, str(size_bytes))
            return self._file(volume_id)

    async def ensure_no_volume(self, volume_id: str) -> None:
        async with self._changing(volume_id):
            for part in self._layers.folder.glob(f"{VOLUMES}/.{volume_id}.*"):
                part.unlink(missing_ok=True)
            self._layers.copy(volume_id).unlink(missing_ok=True)
            for path in (self._layers.raw_volume(volume_id), self._layers.layered_volume(volume_id)):
                self._layers.remove(path)
            # A clone that was being made of another volume may have left its layer.
            self._layers.collect(self._layers.layer(volume_id))

    async def volume(self, volume_id: str) -> VolumeFile:
        check_machine(volume_id)
        return self._file(volume_id)

    async def prepare_copy(self, copy_id: str, volume_id: str) -> VolumeFile:
        check_machine(copy_id)
        async with self._changing(volume_id):
            size = self._file(volume_id).virtual_size
            path = self._layers.copy(copy_id)
            path.unlink(missing_ok=True)
            await self._create(path, None, size)
            return VolumeFile(volume_id=volume_id, path=str(path), virtual_size=size)

    async def ensure_snapshot(self, snapshot_id: str, volume_id: str, *, copied: bool = False) -> None:
        check_machine(snapshot_id)
        async with self._changing(volume_id):
            if not self._layers.is_snapshot(snapshot_id):
                await self._freeze(snapshot_id, volume_id, copied)
                self._layers.name_snapshot(snapshot_id)
            self._layers.copy(snapshot_id).unlink(missing_ok=True)

    async def ensure_no_snapshot(self, snapshot_id: str) -> None:
        check_machine(snapshot_id)
        async with self._changing(snapshot_id):
            self._layers.copy(snapshot_id).unlink(missing_ok=True)
            self._layers.forget_snapshot(snapshot_id)

    async def ensure_reverted(self, volume_id: str, snapshot_id: str, *, size_bytes: int) -> VolumeFile:
        async with self._changing(volume_id):
            self._file(volume_id)
            await self._stand(volume_id, self._snapshot(snapshot_id), size_bytes)
            return self._file(volume_id)

    async def content(self, volume_id: str, format: str) -> AsyncIterator[bytes]:
        if format not in EXPORTS:
            raise Invalid(f"a volume cannot be written as {format!r}: {', '.join(EXPORTS)}")
        async with self._changing(volume_id):
            # Swept before it is written to, so that nobody takes this part for one that an earlier life left.
            file = self._file(volume_id)
        self._exports += 1
        part = self._layers.folder / VOLUMES / f".{volume_id}.{format}.{self._exports}.part"
        try:
            await qemu_img(
                *("convert", "-q", "-U", "-f", file.format, "-O", EXPORTS[format], file.path, str(part)),
                cpu_s=3600,
                timeout_s=3600.0,
            )
            async with await anyio.open_file(part, "rb") as opened:
                while piece := await opened.read(_PIECE):
                    yield piece
        except OSError as error:
            raise disk_trouble(error, self._layers.folder) from error
        finally:
            part.unlink(missing_ok=True)

    async def volumes(self) -> list[str]:
        return self._layers.names(VOLUMES)

    async def snapshots(self) -> list[str]:
        return self._layers.names(SNAPSHOTS)

    async def capacity(self) -> Capacity:
        folder = self._layers.folder
        while not folder.exists():
            folder = folder.parent
        room, free = os.statvfs(folder), free_bytes(folder)
        if self._size_gb is None:
            return Capacity(total_bytes=room.f_blocks * room.f_frsize, free_bytes=free)
        size = self._size_gb * GiB
        return Capacity(total_bytes=size, free_bytes=max(0, min(free, size - self._layers.used_bytes())))

    @contextlib.asynccontextmanager
    async def _changing(self, name: str) -> AsyncIterator[None]:
        """One change at a time to a volume. What the disk refuses is told in words."""
        check_machine(name)
        lock = self._locks.setdefault(name, anyio.Lock())
        try:
            async with lock:
                if not self._ready:
                    self._layers.make_folders()
                    self._layers.sweep()
                    self._ready = True
                yield
        except OSError as error:
            raise disk_trouble(error, self._layers.folder) from error
        finally:
            if not lock.locked():
                self._locks.pop(name, None)

    def _file(self, volume_id: str) -> VolumeFile:
        path = self._layers.volume(volume_id)
        if not path.exists():
            raise NotFound(f"Volume {volume_id} has no file on this backend")
        format: Literal["raw", "qcow2"] = "raw" if path.suffix == ".raw" else "qcow2"
        return VolumeFile(volume_id=volume_id, path=str(path), format=format, virtual_size=self._layers.size(path))

    def _snapshot(self, snapshot_id: str) -> Path:
        check_machine(snapshot_id)
        if not self._layers.is_snapshot(snapshot_id):
            raise NotFound(f"Snapshot {snapshot_id} has no file on this backend")
        return self._layers.layer(snapshot_id)

    async def _freeze(self, layer_id: str, volume_id: str, copied: bool) -> None:
        """What the volume holds, or held when it was copied, becomes a layer; in the first case the volume is a new file on it."""
        layer, top = self._layers.layer(layer_id), self._layers.volume(volume_id)
        size = self._file(volume_id).virtual_size
        if copied:
            if not layer.exists():
                self._layers.put_in_place(self._layers.copy(layer_id), layer)
            return
        if top.suffix == ".raw":
            if not layer.exists():
                await self._copy(top, layer, "qcow2")
            return
        if self._layers.frozen(layer_id, volume_id):
            return
        if self._layers.depth(top) >= DEEPEST:
            await self._stand(volume_id, top, size)
        part = top.with_name(f".{volume_id}.{layer_id}.part")
        await self._create(part, layer, size)
        self._layers.freeze(layer_id, volume_id)
        self._layers.put_in_place(part, top)

    async def _stand(self, volume_id: str, under: Path | None, size: int, *, shared: bool = False) -> None:
        """The volume is a new file on this layer; or a copy of it, where several machines shall have it open, or where the
        chain would grow too long."""
        path = self._layers.raw_volume(volume_id) if shared else self._layers.volume(volume_id)
        before = self._layers.under(path)
        if path.suffix == ".raw":
            await self._copy(under, path, "raw", size)
        elif under is not None and self._layers.depth(under) >= DEEPEST:
            await self._copy(under, path, "qcow2", size)
        else:
            fresh = path.with_name(f".{volume_id}.new.part")
            await self._create(fresh, under, size)
            self._layers.put_in_place(fresh, path)
        for layer in (before, under):
            if layer is not None:
                self._layers.collect(layer)

    async def _copy(
        self, source: Path | None, target: Path, format: str, size: int = 0, *, source_format: str | None = None
    ) -> None:
        """A file that stands alone with what another one (or nobody) holds, grown to ``size`` bytes."""
        part = target.with_name(f".{target.name}.copy.part")
        if source is not None:
            # One of another backend may be given to a guest meanwhile, whose QEMU shall not be kept from it by our lock.
            words = ("convert", "-q", *(("-U",) if source_format else ()), "-f", source_format or source.suffix[1:])
            words += ("-O", format, str(source), str(part))
            await qemu_img(*words, cpu_s=3600, timeout_s=3600.0)
        elif format == "raw":
            part.touch(mode=0o600)
        os.chmod(part, 0o600)
        if size:
            await qemu_img("resize", "-q", "-f", format, str(part), str(size))
        self._layers.put_in_place(part, target)

    async def _create(self, part: Path, under: Path | None, size: int) -> None:
        making = part.with_name(f"{part.name}.part")
        if under is None:
            content = qcow2.blank(size)
        else:
            # Written here, not by qemu-img, which takes a hundred times as long: a header and two small tables.
            on = self._layers.relative(under, part)
            content = qcow2.blank(size, on=on, on_format=under.suffix[1:])
        await anyio.to_thread.run_sync(_write, making, content)
        os.replace(making, part)


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
