"""Volumes: 400 of 1 GiB asked for by 16 at once until all are available, on simulated storage; and clones of 10 GiB of real files."""

import asyncio
import tempfile
import time
from pathlib import Path

from bench import figures, floors
from bench.boot_storm import AT_ONCE, floor_per_s
from bench.clouds import Client, a_cloud
from minicloud.base.tools import find
from minicloud.drivers.storage import GiB
from minicloud.drivers.storage.basecache import BaseCache
from minicloud.drivers.storage.volumefiles import VolumeFiles

VOLUMES = 400
CLONES = 9


async def storm(client: Client, count: int) -> float:
    """Seconds until all are available: asked for by 16 at once, then counted with one listing every 20 ms."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with limit:
            answer = await client.post("/volume/v3/volumes", json={"volume": {"size": 1, "name": f"storm-{number}"}})
            assert answer.status_code == 202, answer.text

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    while (await client.get("/volume/v3/volumes", params={"status": "creating", "limit": "1"})).json()["volumes"]:
        await asyncio.sleep(0.02)
    seconds = time.perf_counter() - began
    made = (await client.get("/volume/v3/volumes", params={"status": "available"})).json()["volumes"]
    assert len(made) == count, len(made)
    return seconds


async def clones() -> list[float]:
    """Seconds that each clone of a volume of 10 GiB takes, of which a few megabytes are written."""
    took = []
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder:
        store = VolumeFiles(Path(folder) / "storage", BaseCache(Path(folder) / "_base"))
        await store.ensure_volume("source", size_bytes=10 * GiB)
        for number in range(CLONES):
            began = time.perf_counter()
            await store.ensure_clone(f"clone-{number}", size_bytes=10 * GiB, source_id="source")
            took.append(time.perf_counter() - began)
    return took


async def main() -> None:
    async with a_cloud() as client:
        await client.unlimited()
        floor = await floor_per_s(VOLUMES)
        seconds = await storm(client, VOLUMES)
        commits = floors.commits_per_s()
        figures.show(
            "volumes_per_s", VOLUMES / seconds, "volumes/s", floor=floor, peer="volumes_per_s", target="> 400",
            more=f"floor: bare POSTs/s; bare sqlite: {commits:.0f} commits/s of 10 rows",
        )  # fmt: skip
    if find("qemu-img") is not None:
        figures.show("volume_clone_ms", figures.p50(await clones()) * 1e3, "ms", target="< 50")


if __name__ == "__main__":
    asyncio.run(main())
