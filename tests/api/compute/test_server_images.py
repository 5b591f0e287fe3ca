"""Images made of servers, over HTTP: what they say, what they inherit, what becomes of them and of the server meanwhile."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


async def image(cloud: TestedCloud, image_id: str) -> dict[str, Any]:
    answer = await cloud.demo.get(f"/image/v2/images/{image_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_snapshot_is_an_image_that_servers_are_made_from() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        base = await cloud.image_id()
        server = await cloud.a_server()
        asked = await cloud.act(server["id"], {"createImage": {"name": "copy", "metadata": {"why": "to see"}}})
        assert asked.status_code == 202, asked.text
        assert "location" not in asked.headers
        image_id = asked.json()["image_id"]
        await cloud.settled()
        made = await image(cloud, image_id)
        assert made["status"] == "active"
        assert made["visibility"] == "private"
        assert (made["name"], made["disk_format"], made["container_format"]) == ("copy", "qcow2", "bare")
        assert made["size"] > 0
        assert made["min_disk"] == 1
        told = {
            "instance_uuid": server["id"],
            "base_image_ref": base,
            "image_type": "snapshot",
            "image_location": "snapshot",
            "image_state": "available",
            "why": "to see",
            "owner_id": server["tenant_id"],
            "user_id": server["user_id"],
        }
        assert {name: made[name] for name in told} == told
        assert (await cloud.server(server["id"]))["OS-EXT-STS:task_state"] is None
        again = await cloud.a_server(imageRef=image_id)
        assert again["status"] == "ACTIVE"
        actions = (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}/os-instance-actions")).json()
        assert actions["instanceActions"][0]["action"] == "createImage"


async def test_before_2_45_the_image_stands_in_a_header() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        old = await cloud.as_demo(version="compute 2.44")
        asked = await cloud.act(server["id"], {"createImage": {"name": "copy"}}, old)
        assert (asked.status_code, asked.content) == (202, b"")
        await cloud.settled()
        answer = await cloud.demo.get(asked.headers["location"])
        assert answer.json()["name"] == "copy"
        asked = await cloud.act(
            server["id"], {"createBackup": {"name": "b", "backup_type": "daily", "rotation": 0}}, old
        )
        assert (asked.status_code, "location" in asked.headers) == (202, False)


async def test_backups_of_a_type_are_rotated() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        made = []
        for kind in ("daily", "daily", "weekly", "daily"):
            body = {"createBackup": {"name": f"{kind} {len(made)}", "backup_type": kind, "rotation": "2"}}
            asked = await cloud.act(server["id"], body)
            assert asked.status_code == 202, asked.text
            made.append(asked.json()["image_id"])
            await cloud.settled()
            await anyio.sleep(1)
        listed = (await cloud.demo.get("/image/v2/images?image_type=backup&sort=created_at:asc")).json()["images"]
        assert sorted(found["id"] for found in listed) == sorted(made[1:])
        assert {found["backup_type"] for found in listed} == {"daily", "weekly"}
        assert sorted(key for key in await cloud.cloud.world.blobs.keys() if key in made) == sorted(made[1:])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"createImage": {}}, "name"),
        ({"createImage": {"name": "x", "metadata": {"a": 1}}}, "metadata"),
        ({"createImage": {"name": "x", "metadata": {"a": "b" * 256}}}, "metadata"),
        ({"createImage": {"name": "x", "more": 1}}, "more"),
        ({"createBackup": {"name": "x", "backup_type": "d", "rotation": -1}}, "rotation"),
        ({"createBackup": {"name": "x", "backup_type": "d"}}, "rotation"),
    ],
)
async def test_what_makes_no_sense_is_refused(body: dict[str, Any], why: str) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        answer = await cloud.act((await cloud.a_server())["id"], body)
        assert answer.status_code == 400
        assert why in answer.json()["badRequest"]["message"]


async def test_a_state_that_allows_none_and_too_much_metadata() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        path = f"/compute/v2.1/servers/{server['id']}"
        many = {f"k{number}": "v" for number in range(129)}
        old = await cloud.as_demo(version="compute 2.38")
        answer = await cloud.act(server["id"], {"createImage": {"name": "x", "metadata": many}}, old)
        assert answer.status_code == 403
        assert answer.json()["forbidden"]["message"] == "Image metadata limit exceeded"
        assert (await cloud.act(server["id"], {"createImage": {"name": "x"}})).status_code == 202
        again = await cloud.act(server["id"], {"createImage": {"name": "x"}})
        assert again.status_code == 409
        assert again.json()["conflictingRequest"]["message"].startswith("Cannot 'createImage' instance")
        assert (await cloud.demo.delete(path)).status_code == 204
        await cloud.settled()
        assert await cloud.stuck() == []
        assert [i["name"] for i in (await cloud.demo.get("/image/v2/images")).json()["images"]] == ["minilinux"]


async def test_an_image_deleted_while_it_is_made_leaves_the_server_as_it_was() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        asked = await cloud.act(server["id"], {"createImage": {"name": "x"}})
        image_id = asked.json()["image_id"]
        assert (await cloud.demo.delete(f"/image/v2/images/{image_id}")).status_code == 204
        await cloud.settled()
        shown = await cloud.server(server["id"])
        assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("ACTIVE", None)
        assert image_id not in await cloud.cloud.world.blobs.keys()


async def test_an_administrators_snapshot_is_shared_with_the_servers_project() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        asked = await cloud.act(server["id"], {"createImage": {"name": "x"}}, cloud.admin)
        await cloud.settled()
        made = await image(cloud, asked.json()["image_id"])
        assert (made["visibility"], made["instance_owner"]) == ("shared", server["tenant_id"])
