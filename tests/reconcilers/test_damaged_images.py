"""Images that a host's disk spoilt are fetched anew; how often hosts look is a setting."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from minicloud.drivers.storage.fake import FakeStorage
from minicloud.reconcilers.damaged_images import EVERY_S
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.failures import explained
from tests.support.image import OCTETS

pytestmark = pytest.mark.anyio


async def spoilt(cloud: TestedCloud) -> str:
    """An image that the first host has with other bytes than came."""
    body = {"name": "own", "disk_format": "raw", "container_format": "bare"}
    image: dict[str, Any] = (await cloud.demo.post("/image/v2/images", json=body)).json()
    path = f"/image/v2/images/{image['id']}"
    assert (await cloud.demo.put(f"{path}/file", content=b"a disk" * 100, headers=OCTETS)).status_code == 204
    await cloud.a_server(imageRef=image["id"])
    await cloud.reconciled()
    storage = cloud.cloud.agents["host-1"].storage
    assert isinstance(storage, FakeStorage)
    storage.spoil((await cloud.demo.get(path)).json()["os_hash_value"])
    return str(image["id"])


async def test_an_image_that_lost_bytes_is_fetched_anew_once() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        image_id = await spoilt(cloud)
        assert (await cloud.reconciled())["damaged_images"] == [], "it looked a moment ago"
        await anyio.sleep(EVERY_S)
        wanted = [f"image {image_id} had lost bytes on host-1: it was fetched anew"]
        assert (await cloud.reconciled())["damaged_images"] == wanted
        assert "host host-1 had other bytes of image own than came" in await explained(cloud, image_id)
        await anyio.sleep(EVERY_S)
        assert (await cloud.reconciled())["damaged_images"] == []


async def test_an_image_whose_bytes_are_gone_from_the_store_too_is_told() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        image_id = await spoilt(cloud)
        await cloud.cloud.api.means.blobs.delete(image_id)
        await anyio.sleep(EVERY_S)
        assert (await cloud.reconciled())["damaged_images"] == []
        [fact] = cloud.notes.facts("image_unsound")
        assert "whether host-1 has the bytes of image" in await explained(cloud, image_id)
        assert (fact["image"], fact["host"], "could not be found" in fact["why"]) == (image_id, "host-1", True)


async def test_where_the_setting_is_nothing_no_host_looks() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, image_check_hours=0)
        await spoilt(cloud)
        await anyio.sleep(EVERY_S)
        assert (await cloud.reconciled())["damaged_images"] == []
