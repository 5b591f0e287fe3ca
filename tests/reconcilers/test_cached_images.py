"""The hosts' caches of images: what they have is shown, what nobody needs any more goes, what a server needs stays."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.clouds import TestedCloud, a_cloud
from tests.support.image import OCTETS

pytestmark = pytest.mark.anyio
CACHE = "/image/v2/cache"


async def an_image(cloud: TestedCloud) -> str:
    """An image of the project demo, which differs from others."""
    body = {"name": "own", "disk_format": "raw", "container_format": "bare"}
    image_id = (await cloud.demo.post("/image/v2/images", json=body)).json()["id"]
    sent = await cloud.demo.put(f"/image/v2/images/{image_id}/file", content=image_id.encode() * 30, headers=OCTETS)
    assert sent.status_code == 204, sent.text
    return str(image_id)


async def shown(cloud: TestedCloud, image_id: str) -> tuple[list[str], int]:
    """The hosts that are said to have the image, and the hits."""
    hosts = (await cloud.admin.get(f"{CACHE}/nodes/{image_id}")).json()
    found = (await cloud.admin.get(CACHE)).json()["cached_images"]
    return hosts, sum(one["hits"] for one in found if one["image_id"] == image_id)


async def held(cloud: TestedCloud) -> int:
    """How many images the first host has."""
    return len(await cloud.cloud.agents["host-1"].storage.bases())


async def deleted(cloud: TestedCloud, server: dict[str, Any]) -> None:
    assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")).status_code == 204
    await cloud.settled()


async def test_what_servers_brought_is_shown_with_how_often_it_was_there() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        image_id = await an_image(cloud)
        await cloud.reconciled()
        assert await shown(cloud, image_id) == ([], 0)
        for _ in range(3):
            await cloud.a_server(imageRef=image_id)
        await cloud.reconciled()
        assert await shown(cloud, image_id) == (["host-1"], 2)


async def test_an_image_that_was_deleted_leaves_the_hosts_with_the_last_server_that_needs_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        image_id = await an_image(cloud)
        server = await cloud.a_server(imageRef=image_id)
        assert (await cloud.demo.delete(f"/image/v2/images/{image_id}")).status_code == 204
        assert (await cloud.reconciled())["leftovers"] == []
        assert await held(cloud) == 1
        await deleted(cloud, server)
        [word] = (await cloud.reconciled())["leftovers"]
        assert "was kept on host-1 for nobody" in word
        assert await held(cloud) == 0
        assert (await cloud.reconciled())["leftovers"] == []


async def test_an_image_that_has_a_twin_stays() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        first, second = await an_image(cloud), await an_image(cloud)
        body = {"name": "twin", "disk_format": "raw", "container_format": "bare"}
        twin = (await cloud.demo.post("/image/v2/images", json=body)).json()["id"]
        await cloud.demo.put(f"/image/v2/images/{twin}/file", content=first.encode() * 30, headers=OCTETS)
        for image_id in (first, second):
            await deleted(cloud, await cloud.a_server(imageRef=image_id))
            await cloud.demo.delete(f"/image/v2/images/{image_id}")
        assert len((await cloud.reconciled())["leftovers"]) == 1
        assert await held(cloud) == 1
        assert (await shown(cloud, twin))[0] == ["host-1"]


async def test_an_image_that_is_forgotten_leaves_the_hosts_unless_a_server_needs_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        image_id = await an_image(cloud)
        assert (await cloud.admin.put(f"{CACHE}/{image_id}")).status_code == 202
        await cloud.settled()
        assert (await shown(cloud, image_id))[0] == ["host-1", "host-2"]
        server = await cloud.a_server(imageRef=image_id)
        assert (await cloud.admin.delete(f"{CACHE}/{image_id}")).status_code == 204
        await cloud.settled()
        await cloud.reconciled()
        assert (await shown(cloud, image_id))[0] == ["host-1", "host-2"]
        await deleted(cloud, server)
        assert (await cloud.admin.delete(CACHE)).status_code == 204
        await cloud.settled()
        await cloud.reconciled()
        assert await shown(cloud, image_id) == ([], 0)
        assert await held(cloud) == 0
