"""What an administrator allows of servers' disks, through the API: how many, and in which zone."""

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from tests.support.clouds import TestedCloud, a_cloud
from tests.support.volume import a_volume, message, volume_client

pytestmark = pytest.mark.anyio
COMPUTE = "/compute/v2.1"


async def attach(cloud: TestedCloud, server_id: str, volume_id: str) -> httpx.Response:
    path = f"{COMPUTE}/servers/{server_id}/os-volume_attachments"
    body = {"volumeAttachment": {"volumeId": volume_id}}
    # Later versions answer without a document.
    answer = await cloud.demo.post(path, json=body, headers={"OpenStack-API-Version": "compute 2.100"})
    await cloud.settled()
    return answer


async def a_zone(cloud: TestedCloud, name: str, host: str) -> None:
    """A host stands in a zone of its own."""
    made = await cloud.admin.post(
        f"{COMPUTE}/os-aggregates", json={"aggregate": {"name": name, "availability_zone": name}}
    )
    aggregate = made.json()["aggregate"]["id"]
    added = await cloud.admin.post(f"{COMPUTE}/os-aggregates/{aggregate}/action", json={"add_host": {"host": host}})
    assert added.status_code == 200, added.text


def mapped(volume_id: str) -> dict[str, Any]:
    return {"source_type": "volume", "destination_type": "volume", "uuid": volume_id, "boot_index": -1}


def image(image_id: str) -> dict[str, Any]:
    return {"source_type": "image", "destination_type": "local", "uuid": image_id, "boot_index": 0}


async def test_a_server_has_as_many_disks_as_it_likes_and_their_names_go_on_after_z() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes = await volume_client(cloud)
        limits = {"volumes": 40, "gigabytes": 100}
        project = (await cloud.demo.get("/identity/v3/auth/projects")).json()["projects"][0]["id"]
        admin = await cloud.as_admin(version="volume 3.0")
        await admin.put(f"/volume/v3/os-quota-sets/{project}", json={"quota_set": limits})
        server = await cloud.a_server()
        named = [
            (await attach(cloud, server["id"], (await a_volume(cloud, volumes))["id"])).json()["volumeAttachment"]
            for _ in range(27)
        ]
        assert [one["device"] for one in named][-4:] == ["/dev/vdy", "/dev/vdz", "/dev/vdaa", "/dev/vdab"]


async def test_one_disk_too_many_is_refused_and_ends_a_build() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, max_disk_devices_to_attach=2)
        volumes = await volume_client(cloud)
        first, second = await a_volume(cloud, volumes), await a_volume(cloud, volumes)
        server = await cloud.a_server()
        assert (await attach(cloud, server["id"], first["id"])).status_code == 200
        refused = await attach(cloud, server["id"], second["id"])
        words = "The maximum allowed number of disk devices (2) to attach to a single instance has been exceeded."
        assert (refused.status_code, message(refused)) == (403, words)
        await cloud.act(server["id"], {"shelve": None})
        await cloud.settled()
        assert (await cloud.server(server["id"]))["status"] == "SHELVED_OFFLOADED"
        assert (await attach(cloud, server["id"], second["id"])).status_code == 200
        path = f"{COMPUTE}/servers/{server['id']}/os-volume_attachments/{second['id']}"
        assert (await cloud.demo.delete(path)).status_code == 202
        await cloud.settled()
        third = await a_volume(cloud, volumes)
        disks = [image(await cloud.image_id()), mapped(second["id"]), mapped(third["id"])]
        answer = await cloud.ask_server(imageRef=await cloud.image_id(), block_device_mapping_v2=disks)
        asked = answer.json()["server"]
        await cloud.settled()
        built = await cloud.server(asked["id"])
        assert (built["status"], built["fault"]["message"]) == (
            "ERROR",
            f"Build of instance {asked['id']} aborted: {words}",
        )
        shown = [(await volumes.get(f"/volume/v3/volumes/{one['id']}")).json()["volume"] for one in (second, third)]
        assert [one["status"] for one in shown] == ["available", "available"]


async def test_zones_are_crossed_unless_that_is_forbidden() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await a_zone(cloud, "east", "host-1")
        volume = await a_volume(cloud, await volume_client(cloud))
        server = await cloud.a_server(availability_zone="east")
        assert (volume["availability_zone"], server["OS-EXT-AZ:availability_zone"]) == ("nova", "east")
        assert (await attach(cloud, server["id"], volume["id"])).status_code == 200


async def test_where_zones_must_not_be_crossed_attaching_creating_and_unshelving_are_refused() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2, cross_az_attach=False)
        await a_zone(cloud, "east", "host-1")
        volume = await a_volume(cloud, await volume_client(cloud))
        server = await cloud.a_server(availability_zone="east")
        refused = await attach(cloud, server["id"], volume["id"])
        assert (refused.status_code, message(refused)) == (
            400,
            f"Invalid volume: Instance {server['id']} and volume {volume['id']} are not in the same availability_zone. "
            "Instance is in east. Volume is in nova",
        )
        disks = [image(await cloud.image_id()), mapped(volume["id"])]
        body = {"imageRef": await cloud.image_id(), "block_device_mapping_v2": disks, "networks": "none"}
        body |= {"name": "web", "flavorRef": "1", "availability_zone": "east"}
        refused = await cloud.demo.post(f"{COMPUTE}/servers", json={"server": body})
        assert (refused.status_code, message(refused)) == (
            400,
            "Server and volumes are not in the same availability zone. Server is in: east. Volumes are in: nova",
        )
        together = await cloud.a_server(
            availability_zone="nova", block_device_mapping_v2=disks, imageRef=body["imageRef"]
        )
        for action in ("shelve", "shelveOffload"):
            await cloud.demo.post(f"{COMPUTE}/servers/{together['id']}/action", json={action: None})
            await cloud.settled()
        path, wanted = f"{COMPUTE}/servers/{together['id']}/action", {"unshelve": {"availability_zone": "east"}}
        refused = await cloud.demo.post(path, json=wanted)
        assert (refused.status_code, message(refused)) == (
            400,
            f"The specified availability zone does not match the volume {volume['id']} attached to the server. Specified "
            "availability zone is east. Volume is in nova.",
        )


async def test_a_server_whose_volumes_are_made_with_it_stays_in_their_zone() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2, cross_az_attach=False)
        await a_zone(cloud, "east", "host-1")
        made = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": -1}
        disks = [image(await cloud.image_id()), made]
        for _ in range(3):
            server = await cloud.a_server(imageRef=await cloud.image_id(), block_device_mapping_v2=disks)
            assert server["OS-EXT-AZ:availability_zone"] == "nova"
        answer = await cloud.ask_server(
            imageRef=await cloud.image_id(), block_device_mapping_v2=disks, availability_zone="east"
        )
        asked = answer.json()["server"]
        await cloud.settled()
        fault = (await cloud.server(asked["id"]))["fault"]["message"]
        assert fault == f"Build of instance {asked['id']} aborted: Availability zone 'east' is invalid."
