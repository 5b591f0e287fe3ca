"""Servers with volumes that move: the volumes are theirs on every host, and say where they are."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.api.compute.test_resizes import act, host_of
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
VOLUMES = "/volume/v3"


async def attached(cloud: TestedCloud, volume_id: str) -> list[tuple[str, str | None]]:
    """The volume's status, and the host on which it is attached."""
    answer = await cloud.admin.get(f"{VOLUMES}/volumes/{volume_id}")
    volume: dict[str, Any] = answer.json()["volume"]
    return [(volume["status"], one["host_name"]) for one in volume["attachments"]]


async def test_one_that_boots_from_a_volume_is_shelved_without_an_image() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        root = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 1}
        device = {**root, "uuid": await cloud.image_id()}
        server = await cloud.a_server(cloud.admin, imageRef=None, block_device_mapping_v2=[device])
        [volume] = server["os-extended-volumes:volumes_attached"]
        live = {"os-migrateLive": {"host": None, "block_migration": False}}
        await act(cloud, server, live, admin=True)
        assert await attached(cloud, volume["id"]) == [("in-use", await host_of(cloud, server["id"]))]
        for _ in range(2):
            await act(cloud, server, {"shelve": None}, admin=True)
            assert (await cloud.server(server["id"], cloud.admin))["status"] == "SHELVED_OFFLOADED"
            images = (await cloud.admin.get("/image/v2/images")).json()["images"]
            assert [image for image in images if "shelved" in image["name"]] == []
            assert await attached(cloud, volume["id"]) == [("in-use", None)]
            await act(cloud, server, {"unshelve": None}, admin=True)
            assert (await cloud.server(server["id"], cloud.admin))["status"] == "ACTIVE"
            host = await host_of(cloud, server["id"])
            assert await attached(cloud, volume["id"]) == [("in-use", host)]
            assert [d.id for d in cloud.hypervisor(host)._machines[server["id"]].machine.disks] == [volume["id"]]


async def test_volumes_follow_their_server() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=3)
        server = await cloud.a_server(cloud.admin)
        made = await cloud.admin.post(f"{VOLUMES}/volumes", json={"volume": {"size": 1, "name": "data"}})
        assert made.status_code == 202, made.text
        await cloud.settled()
        volume_id = made.json()["volume"]["id"]
        wanted = {"volumeAttachment": {"volumeId": volume_id}}
        path = f"/compute/v2.1/servers/{server['id']}/os-volume_attachments"
        assert (await cloud.admin.post(path, json=wanted)).is_success
        await cloud.settled()
        assert await attached(cloud, volume_id) == [("in-use", await host_of(cloud, server["id"]))]
        live = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
        for action in ({"migrate": None}, {"confirmResize": None}, live):
            await act(cloud, server, action, admin=True)
            assert await attached(cloud, volume_id) == [("in-use", await host_of(cloud, server["id"]))]
        host = await host_of(cloud, server["id"])
        disks = [disk.id for disk in cloud.hypervisor(host)._machines[server["id"]].machine.disks]
        assert len(disks) == 2
        await act(cloud, server, {"resize": {"flavorRef": "2"}}, admin=True)
        await act(cloud, server, {"revertResize": None}, admin=True)
        assert await attached(cloud, volume_id) == [("in-use", host)]
        await act(cloud, server, {"shelve": None}, admin=True)
        assert [status for status, _ in await attached(cloud, volume_id)] == ["in-use"]
        await act(cloud, server, {"unshelve": None}, admin=True)
        host = await host_of(cloud, server["id"])
        assert await attached(cloud, volume_id) == [("in-use", host)]
        assert len(cloud.hypervisor(host)._machines[server["id"]].machine.disks) == 2
        assert (await cloud.server(server["id"], cloud.admin))["status"] == "ACTIVE"
