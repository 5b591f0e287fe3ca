"""Storage backends: what lies there and belongs to nothing is removed and named; what lives stays; room is told anew."""

from contextlib import AsyncExitStack

import pytest

from minicloud.core.volume import backends
from minicloud.drivers.storage import GiB
from tests.support.clouds import a_cloud
from tests.support.volume import a_snapshot, a_volume, read, volume_client

pytestmark = pytest.mark.anyio
STRANGER, OTHER = "5eed0000-0000-4000-8000-000000000001", "5eed0000-0000-4000-8000-000000000002"


async def test_what_belongs_to_nothing_goes_and_what_lives_stays() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)
        snapshot = await a_snapshot(cloud, demo, volume["id"])
        [backend] = cloud.cloud.backends
        await backend.store.ensure_volume(STRANGER, size_bytes=5 * GiB)
        await backend.store.ensure_snapshot(OTHER, STRANGER)
        assert (await cloud.reconciled())["storage_backends"] == [
            f"snapshot {OTHER} had remains on control@fake",
            f"volume {STRANGER} had remains on control@fake",
        ]
        assert (await cloud.reconciled())["storage_backends"] == []
        assert await backend.store.volumes() == [volume["id"]]
        assert await backend.store.snapshots() == [snapshot["id"]]
        assert await read(demo, "volume", volume["id"]) == volume
        [known] = await cloud.read(backends.every)
        assert known.free_gb == known.total_gb - 1
