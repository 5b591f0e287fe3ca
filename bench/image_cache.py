"""A boot from an image of 256 MiB that the host has to fetch first (cold cache), beside one that it has (warm).

The guest is a boot sector, so that what is measured is the cloud. The floor of the cold one is ``cp`` of the same file and one
sha512 of it, which is what an honest fetch cannot do without.
"""

import asyncio
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from bench import figures
from bench.clouds import Client, a_cloud
from tests.support.bootsector import boot_disk

MiB = 1 << 20
SIZE = 256 * MiB
RUNS = 3
LIMIT_S = 180
OCTETS = {"Content-Type": "application/octet-stream"}


async def an_image(client: Client, content: bytes) -> str:
    """Upload it; its id."""
    body = {"name": "boot", "disk_format": "raw", "container_format": "bare"}
    image_id = (await client.post("/image/v2/images", json=body)).json()["id"]
    sent = await client.put(f"/image/v2/images/{image_id}/file", content=content, headers=OCTETS)
    assert sent.status_code == 204, sent.text
    return str(image_id)


async def boot(client: Client, image_id: str) -> float:
    """Seconds from POST until the server is ACTIVE; it is deleted afterwards."""
    body = {"name": "web", "flavorRef": "1", "imageRef": image_id, "networks": "none"}
    began = time.perf_counter()
    asked = await client.post("/compute/v2.1/servers", json={"server": body})
    assert asked.status_code == 202, asked.text
    path = f"/compute/v2.1/servers/{asked.json()['server']['id']}"
    while (server := (await client.get(path)).json()["server"])["status"] != "ACTIVE":
        assert server["status"] == "BUILD", server
        assert time.perf_counter() - began < LIMIT_S, server
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - began
    await client.delete(path)
    while (await client.get(path)).status_code != 404:
        await asyncio.sleep(0.02)
    return seconds


def copied(content: bytes) -> float:
    """Seconds that ``cp`` and a sha512 of the content take, one after the other."""
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder:
        source = Path(folder) / "source"
        source.write_bytes(content)
        began = time.perf_counter()
        shutil.copyfile(source, Path(folder) / "copy")
        hashlib.sha512(content).digest()
        return time.perf_counter() - began


async def main() -> None:
    if shutil.which("qemu-system-x86_64") is None:
        print("image_cache: needs qemu-system-x86")
        return
    cold, warm, floor = [], [], []
    async with a_cloud("--fabric", "fake", "--guest-image", "none", driver="qemu") as client:
        await client.unlimited()
        for _ in range(RUNS):
            content = boot_disk() + os.urandom(SIZE - len(boot_disk()))
            image_id = await an_image(client, content)
            cold.append(await boot(client, image_id))
            warm.append(await boot(client, image_id))
            floor.append(copied(content))
    figures.show("boot_cold_image_s", figures.p50(cold), "s", floor=figures.p50(floor), more=f"{SIZE // MiB} MiB")
    figures.show(
        "boot_warm_image_s", figures.p50(warm), "s", more=f"{figures.p50(cold) / figures.p50(warm):.1f} x faster"
    )


if __name__ == "__main__":
    asyncio.run(main())
