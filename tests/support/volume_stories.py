"""Stories of sagas about volumes and snapshots: what of them is looked at, and a backend on which some are already."""

from contextlib import AsyncExitStack
from typing import Any

import msgspec

from minicloud.conductor import log
from minicloud.conductor.executor import Executor
from minicloud.conductor.volume import create_volume
from minicloud.conductor.volume.create_snapshot import CreateSnapshot
from minicloud.conductor.volume.create_volume import CreateVolume, CreateVolumeAnywhere
from minicloud.core import records
from minicloud.core.volume import snapshots, volume_requests
from minicloud.core.volume.snapshots import VolumeSnapshot
from minicloud.core.volume.volume_requests import VolumeRequest
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction
from tests.support.datacenters import OWNER, Datacenter, Snapshot, a_datacenter
from tests.support.saga_contract import Story
from tests.support.worlds import Outside


class VolumePicture(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a half-made saga about volumes could leave behind."""

    volumes: list[tuple[str, int, int, str | None, bool]]
    snapshots: list[tuple[str, str]]
    stored_volumes: int
    stored_snapshots: int
    sizes: list[int]
    images: list[str]
    blobs: int
    open_sagas: list[str]


class VolumeStory(Story):
    """A saga about volumes. ``given``: whether a volume, or one with a snapshot, is there before the saga begins."""

    given: str = "nothing"
    backends: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None

    async def outside(self, stack: AsyncExitStack) -> Outside:
        if self._snapshot is None:
            async with AsyncExitStack() as first:
                center = await a_datacenter(first, hosts=0, backends=self.backends)
                async with Executor(center.world(), [CreateVolume, CreateVolumeAnywhere, CreateSnapshot]) as executor:
                    await self.prepare(executor)
                self._snapshot = center.snapshot()
        return await a_datacenter(stack, hosts=0, like=self._snapshot, backends=self.backends)

    async def prepare(self, executor: Executor) -> None:
        """Make what is ``given``."""
        if self.given == "nothing":
            return
        await executor.world.database.write(lambda tx: promise_volume(tx, executor))
        await executor.idle()
        if self.given == "snapshot":
            await executor.world.database.write(lambda tx: promise_snapshot(tx, executor))
            await executor.idle()

    async def picture(self, outside: Outside) -> VolumePicture:
        assert isinstance(outside, Datacenter)
        center, blobs = outside, len(await outside.blobs.keys())
        return await outside.database.read(lambda tx: look(tx, center, blobs))


def look(tx: Transaction, center: Datacenter, blobs: int) -> VolumePicture:
    """The picture of this moment."""
    stored = center.stored()
    rows = [row for host in center.log.hosts("volumes") for row in center.log.rows("volumes", host).values()]
    return VolumePicture(
        volumes=[
            (v.status, v.size, v.growing_gb, v.host, v.bootable)
            for v in records.select(tx, Volume, "1 = 1 ORDER BY created_at, id")
        ],
        snapshots=[(s.status, s.progress) for s in records.select(tx, VolumeSnapshot, "1 = 1 ORDER BY created_at, id")],
        stored_volumes=len(stored["volumes"]),
        stored_snapshots=len(stored["snapshots"]),
        sizes=sorted(row.virtual_size >> 30 if hasattr(row, "virtual_size") else row["virtual_size"] for row in rows),
        images=[row[0] for row in tx.all("SELECT status FROM images WHERE deleted = 0 ORDER BY created_at, id")],
        blobs=blobs,
        open_sagas=[row.kind for row in log.unfinished(tx)],
    )


def promise_volume(tx: Transaction, executor: Executor, **wanted: Any) -> str:
    """Promise a volume of 1 GiB, as the API does; the saga's id."""
    request = VolumeRequest(**{"size": 1, "name": "data", **wanted})
    volume = volume_requests.ask(tx, OWNER, request)
    return executor.begin(tx, create_volume.saga_for(tx, volume, request.image_id))


def promise_snapshot(tx: Transaction, executor: Executor) -> str:
    """Promise a snapshot of the one volume there is; the saga's id."""
    volume = only_volume(tx)
    assert volume.host is not None
    made = snapshots.ask(tx, OWNER, volume, name="kept", description=None, metadata={}, in_use=False)
    return executor.begin(tx, CreateSnapshot(snapshot_id=made.id, volume_id=volume.id, host=volume.host))


def only_volume(tx: Transaction) -> Volume:
    """The one volume there is."""
    [found] = records.select(tx, Volume)
    return found


def only_snapshot(tx: Transaction) -> VolumeSnapshot:
    """The one snapshot there is."""
    [found] = records.select(tx, VolumeSnapshot)
    return found
