"""A corpus of hostile images at the door: none becomes an image, by no way in, and whoever sent it is told why."""

import re

import pytest

from tests.support.hostile_images import HOSTILE
from tests.support.image import OCTETS, an_image, an_image_service

pytestmark = pytest.mark.anyio
M = "/image"


async def test_no_hostile_image_is_taken_as_an_upload() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        for hostile in HOSTILE:
            image = await an_image(ann, None, disk_format=hostile.declared)
            path = f"/v2/images/{image['id']}"
            sent = await ann.put(f"{path}/file", content=hostile.content, headers=OCTETS)
            assert sent.status_code == 415, (hostile.name, sent.text)
            assert re.search(hostile.why, sent.json()["message"]), (hostile.name, sent.text)
            found = (await ann.get(path)).json()
            assert (found["status"], found["size"], found["checksum"]) == ("queued", None, None), hostile.name
        assert await door.blobs.keys() == []


async def test_no_hostile_image_is_taken_by_an_import() -> None:
    async with an_image_service() as door:
        ann = door.as_(mount=M)
        for hostile in HOSTILE:
            image = await an_image(ann, None, disk_format=hostile.declared)
            path = f"/v2/images/{image['id']}"
            assert (await ann.put(f"{path}/stage", content=hostile.content, headers=OCTETS)).status_code == 204
            asked = await ann.post(f"{path}/import", json={"method": {"name": "glance-direct"}})
            assert asked.status_code == 202, (hostile.name, asked.text)
            await door.executor.idle()
            assert (await ann.get(path)).json()["status"] == "queued", hostile.name
            (task,) = (await ann.get(f"{path}/tasks")).json()["tasks"]
            assert (task["status"], bool(re.search(hostile.why, task["message"]))) == ("failure", True), hostile.name
        assert await door.blobs.keys() == []
