"""Rebuilding servers over HTTP: what changes, what stays, what is refused."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.clouds import a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio


async def test_a_rebuild_changes_what_it_says_and_keeps_the_rest() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        before = await cloud.a_server(metadata={"a": "1"}, user_data="YQ==")
        wanted = {
            "imageRef": await cloud.image_id(),
            "name": "new",
            "metadata": {"b": "2"},
            "description": "again",
            "adminPass": "secret-word",
            "user_data": None,
            "hostname": "other",
            "OS-DCF:diskConfig": "AUTO",
        }
        answer = await cloud.act(before["id"], {"rebuild": wanted})
        assert answer.status_code == 202, answer.text
        shown = answer.json()["server"]
        assert (shown["status"], shown["adminPass"], shown["name"]) == ("REBUILD", "secret-word", "new")
        assert (shown["user_data"], shown["key_name"]) == (None, None)
        assert answer.headers["Location"].endswith(f"/servers/{before['id']}")
        await cloud.settled()
        after = await cloud.server(before["id"])
        assert (after["status"], after["metadata"], after["description"]) == ("ACTIVE", {"b": "2"}, "again")
        assert (after["addresses"], after["OS-DCF:diskConfig"]) == (before["addresses"], "AUTO")
        assert [machine.id for machine in await cloud.hypervisor().machines()] == [before["id"]]


async def test_answers_to_changes_were_short_before_2_75() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        demo = at(cloud.demo, "2.1")
        answer = await cloud.act(server["id"], {"rebuild": {"imageRef": await cloud.image_id()}}, demo)
        basic = {
            "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
            "addresses", "accessIPv4", "accessIPv6", "links", "OS-DCF:diskConfig", "progress",
        }  # fmt: skip
        assert set(answer.json()["server"]) == basic | {"adminPass"}
        await cloud.settled()
        changed = await demo.put(f"/compute/v2.1/servers/{server['id']}", json={"server": {"name": "n"}})
        assert set(changed.json()["server"]) == basic
        assert {frozenset(p) for ps in changed.json()["server"]["addresses"].values() for p in ps} == {
            frozenset({"version", "addr"})
        }


async def test_a_stopped_server_is_stopped_again() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        await cloud.act(server["id"], {"os-stop": None})
        await cloud.settled()
        await cloud.act(server["id"], {"rebuild": {"imageRef": await cloud.image_id()}})
        await cloud.settled()
        assert (await cloud.server(server["id"]))["status"] == "SHUTOFF"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"imageRef": "5eed0000-0000-4000-8000-000000000001"}, 400),
        ({"imageRef": "nonsense"}, 400),
        ({"name": ""}, 400),
        ({"name": " "}, 400),
        ({"key_name": "none"}, 400),
        ({"user_data": "YQ"}, 400),
        ({"accessIPv4": "x"}, 400),
        ({"metadata": {f"k{i}": "v" for i in range(129)}}, 403),
        ({"odd": 1}, 400),
    ],
)
async def test_odd_rebuilds_are_refused_and_change_nothing(change: dict[str, Any], status: int) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        answer = await cloud.act(server["id"], {"rebuild": {"imageRef": await cloud.image_id(), **change}})
        assert answer.status_code == status, answer.text
        assert await cloud.server(server["id"]) == server


async def test_another_image_must_suit_the_host_that_the_server_is_on() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        images = []
        for properties in ({"hw_architecture": "aarch64"}, {"hw_numa_nodes": "2"}, {}):
            fields = {"name": "other", "disk_format": "raw", "container_format": "bare", **properties}
            made = (await cloud.demo.post("/image/v2/images", json=fields)).json()
            headers = {"Content-Type": "application/octet-stream"}
            await cloud.demo.put(f"/image/v2/images/{made['id']}/file", content=b"1" * 512, headers=headers)
            images.append(made["id"])
        foreign, cells, good = images
        answer = await cloud.act(server["id"], {"rebuild": {"imageRef": cells}})
        assert answer.status_code == 400
        assert (await cloud.act(server["id"], {"rebuild": {"imageRef": good}})).status_code == 202
        await cloud.settled()
        after = await cloud.server(server["id"])
        assert (after["status"], after["image"]["id"]) == ("ACTIVE", good)
        assert (await cloud.act(server["id"], {"rebuild": {"imageRef": foreign}})).status_code == 202
        await cloud.settled()
        after = await cloud.server(server["id"])
        assert after["status"] == "ERROR"
        assert after["fault"]["message"].startswith("No valid host was found")
        allocations = await cloud.admin.get(
            f"/placement/allocations/{server['id']}", headers={"OpenStack-API-Version": "placement 1.28"}
        )
        assert len(allocations.json()["allocations"]) == 1, "it has its place still"


async def test_the_ephemeral_disk_outlasts_a_rebuild_that_preserves_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        flavor = {"name": "roomy", "ram": 64, "vcpus": 1, "disk": 1, "OS-FLV-EXT-DATA:ephemeral": 1}
        made = (await cloud.admin.post("/compute/v2.1/flavors", json={"flavor": flavor})).json()["flavor"]
        server = await cloud.a_server(flavorRef=made["id"])
        body = {"imageRef": await cloud.image_id(), "preserve_ephemeral": True}
        assert (await cloud.act(server["id"], {"rebuild": body})).status_code == 202
        await cloud.settled()
        assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
        storage = next(iter(cloud.cloud.agents.values())).storage
        assert sorted(disk.name for disk in await storage.disks(server["id"])) == ["disk", "disk.eph0"]
