"""The agent of one storage backend: hears which volumes and snapshots there shall be, and turns its store until there are."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from minicloud.agent import calls, volume_calls
from minicloud.agent.image_bytes import image_bytes
from minicloud.base import trace
from minicloud.base.imageformat import Inspector
from minicloud.drivers.storage import Base, GiB, VolumeStore
from minicloud.engines.blobs import Blobs
from minicloud.engines.messaging import Messaging
from minicloud.engines.servicegroup import ServiceGroup


class BackendAgent:
    """One backend, known as ``machine@name``; by default its name is that of its driver."""

    def __init__(
        self,
        machine: str,
        *,
        store: VolumeStore,
        blobs: Blobs,
        messaging: Messaging,
        servicegroup: ServiceGroup,
        name: str | None = None,
    ) -> None:
        self.host = f"{machine}@{name or store.driver}"
        self.store = store
        self._blobs = blobs
        self._messaging = messaging
        self._servicegroup = servicegroup

    @property
    def member(self) -> str:
        """This backend's name in the servicegroup."""
        return f"cinder-volume@{self.host}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While inside, the backend hears messages and its heart beats."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(
                self._messaging.listen(
                    volume_calls.VOLUME,
                    host=self.host,
                    messages=volume_calls.TO_BACKEND,
                    handler=self.handle,
                    concurrency=64,
                )
            )
            up = volume_calls.BackendUp(host=self.host, report=await self.report())
            await self._messaging.call(calls.CONTROL, up, host=calls.CONTROL)
            await self._servicegroup.join(self.member)
            stack.callback(self._servicegroup.silence, self.member)
            yield

    async def handle(self, message: Any) -> Any:
        """Do what a message says. Raises CloudError, which reaches the caller."""
        store = self.store
        match message:
            case volume_calls.ReportBackend():
                return await self.report()
            case volume_calls.EnsureVolume():
                return await self._ensure_volume(message)
            case volume_calls.EnsureClone():
                return await store.ensure_clone(
                    message.volume_id,
                    size_bytes=message.size_gb * GiB,
                    source_id=message.source_id,
                    copied=message.copied,
                    shared=message.shared,
                )
            case volume_calls.EnsureImported():
                return await store.ensure_imported(
                    message.volume_id,
                    path=message.path,
                    format=message.format,
                    size_bytes=message.size_gb * GiB,
                    shared=message.shared,
                )
            case volume_calls.EnsureVolumeSize():
                return await store.ensure_size(message.volume_id, message.size_gb * GiB)
            case volume_calls.EnsureVolumeShared():
                return await store.ensure_shared(message.volume_id)
            case volume_calls.EnsureNoVolume():
                return await store.ensure_no_volume(message.volume_id)
            case volume_calls.LocateVolume():
                return await store.volume(message.volume_id)
            case volume_calls.PrepareCopy():
                return await store.prepare_copy(message.copy_id, message.volume_id)
            case volume_calls.EnsureSnapshot():
                return await store.ensure_snapshot(message.snapshot_id, message.volume_id, copied=message.copied)
            case volume_calls.EnsureNoSnapshot():
                return await store.ensure_no_snapshot(message.snapshot_id)
            case volume_calls.EnsureReverted():
                size = message.size_gb * GiB
                return await store.ensure_reverted(message.volume_id, message.snapshot_id, size_bytes=size)
            case volume_calls.ExportVolume():
                return await self._export(message)
            case _:
                raise TypeError(f"The backend {self.host} does not know {type(message).__name__}")

    async def report(self) -> volume_calls.BackendReport:
        """All that this backend knows."""
        room = await self.store.capacity()
        return volume_calls.BackendReport(
            driver=self.store.driver,
            volumes=await self.store.volumes(),
            snapshots=await self.store.snapshots(),
            total_gb=room.total_bytes // GiB,
            free_gb=room.free_bytes // GiB,
        )

    async def _ensure_volume(self, wanted: volume_calls.EnsureVolume) -> volume_calls.VolumeFile:
        base: Base | None = None
        if wanted.image is not None:
            image = wanted.image
            with trace.span("image", checksum=image.checksum, format=image.format):
                base = await self.store.ensure_base(
                    image.checksum, image.format, lambda: image_bytes(self._blobs, image)
                )
        return await self.store.ensure_volume(
            wanted.volume_id,
            size_bytes=wanted.size_gb * GiB,
            base=base,
            snapshot_id=wanted.snapshot_id,
            shared=wanted.shared,
        )

    async def _export(self, wanted: volume_calls.ExportVolume) -> volume_calls.Exported:
        inspector = Inspector(wanted.format)

        async def inspected() -> AsyncIterator[bytes]:
            async for piece in self.store.content(wanted.volume_id, wanted.format):
                inspector.feed(piece)
                yield piece

        await self._blobs.delete(wanted.blob)
        facts = await self._blobs.put(wanted.blob, inspected())
        return volume_calls.Exported(
            size=facts.size, virtual_size=inspector.finish().virtual_size, md5=facts.md5, sha512=facts.sha512
        )
