"""Servers on volumes over HTTP: made of an image, a snapshot, one that is there, blank ones beside; and what makes no sense."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.volume import VOLUME, a_snapshot, a_volume, message, read, volume_client

pytestmark = pytest.mark.anyio
NOBODY = "11111111-2222-4333-8444-555555555555"
OTHER = {"name": "other", "disk_format": "raw", "container_format": "bare"}


def disk(source: str, uuid: str | None, **more: Any) -> dict[str, Any]:
    found = {"source_type": source, "destination_type": "volume", "boot_index": 0, **more}
    return found if uuid is None else {**found, "uuid": uuid}


async def on_volume(cloud: TestedCloud, *devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await cloud.a_server(imageRef=None, block_device_mapping_v2=list(devices), **more)


async def test_a_server_on_a_new_volume_takes_it_along_when_it_goes() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes, image = await volume_client(cloud), await cloud.image_id()
        server = await on_volume(cloud, disk("image", image, volume_size=2, delete_on_termination=True))
        assert (server["status"], server["image"]) == ("ACTIVE", "")
        [attached] = server["os-extended-volumes:volumes_attached"]
        assert attached["delete_on_termination"] is True
        volume = await read(volumes, "volume", attached["id"])
        assert (volume["status"], volume["size"], volume["bootable"]) == ("in-use", 2, "true")
        assert volume["attachments"][0]["device"] == "/dev/vda"
        row = cloud.hypervisor()._world.log.get("machines", "host-1", server["id"])
        assert [(d.serial, d.boot_index) for d in row.machine.disks] == [(volume["id"], 0)]
        refused = await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}/os-volume_attachments/{volume['id']}")
        assert (refused.status_code, message(refused)) == (400, "Cannot detach a root device volume")
        await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
        await cloud.settled()
        assert (await volumes.get(f"{VOLUME}/volumes/{volume['id']}")).status_code == 404
        assert await cloud.stuck() == []


async def test_the_same_volume_serves_one_server_after_the_other() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes = await volume_client(cloud)
        volume = await a_volume(cloud, volumes, imageRef=await cloud.image_id())
        for _ in range(2):
            server = await on_volume(cloud, disk("volume", volume["id"]))
            assert server["status"] == "ACTIVE"
            busy = await cloud.ask_server(imageRef=None, block_device_mapping_v2=[disk("volume", volume["id"])])
            assert busy.status_code == 400, busy.text
            await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
            await cloud.settled()
            assert (await read(volumes, "volume", volume["id"]))["status"] == "available"


async def test_a_snapshot_boots_and_blank_volumes_stand_beside() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes = await volume_client(cloud)
        volume = await a_volume(cloud, volumes, imageRef=await cloud.image_id())
        snapshot = await a_snapshot(cloud, volumes, volume["id"])
        server = await on_volume(
            cloud,
            disk("snapshot", snapshot["id"]),
            disk("blank", None, volume_size=3, boot_index=-1, tag="data"),
        )
        assert server["status"] == "ACTIVE"
        answer = await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}/os-volume_attachments")
        assert [(a["device"], a["tag"]) for a in answer.json()["volumeAttachments"]] == [
            ("/dev/vda", None),
            ("/dev/vdb", "data"),
        ]


async def test_the_older_form() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes = await volume_client(cloud)
        volume = await a_volume(cloud, volumes, imageRef=await cloud.image_id())
        device = {"device_name": "vda", "volume_id": volume["id"], "delete_on_termination": "0"}
        server = await cloud.a_server(imageRef=None, block_device_mapping=[device])
        assert server["status"] == "ACTIVE"
        assert [v["id"] for v in server["os-extended-volumes:volumes_attached"]] == [volume["id"]]


REFUSED: list[tuple[list[dict[str, Any]], str]] = [
    ([disk("volume", NOBODY)], f"failed to get volume {NOBODY}."),
    ([disk("snapshot", NOBODY)], f"failed to get snapshot {NOBODY}."),
    ([disk("image", NOBODY, volume_size=1)], f"failed to get image {NOBODY}."),
    ([disk("image", "IMAGE")], "need to have a non-zero size specified"),
    ([disk("blank", None)], "Blank volumes"),
    ([disk("volume", None)], "Missing device UUID."),
    ([disk("image", "IMAGE", volume_size=1, boot_index=1)], "Boot sequence"),
    ([disk("image", "IMAGE", volume_size=1, disk_bus="carrier-pigeon")], "disk bus"),
    ([disk("image", "IMAGE", destination_type="local")], "Mapping image to local is not supported."),
    ([disk("image", "IMAGE", volume_size=1, volume_type="gold")], "gold"),
    ([disk("image", "IMAGE", volume_size=1), disk("blank", None, destination_type="local", volume_size=5, boot_index=-1)], "Ephemeral"),
    ([disk("image", "IMAGE", volume_size=1, colour="red")], "colour"),
]  # fmt: skip


@pytest.mark.parametrize(("devices", "words"), REFUSED, ids=lambda value: str(value)[:50])
async def test_what_cannot_be_booted_from(devices: list[dict[str, Any]], words: str) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        image = await cloud.image_id()
        given = [{**d, "uuid": image} if d.get("uuid") == "IMAGE" else d for d in devices]
        answer = await cloud.ask_server(imageRef=None, block_device_mapping_v2=given)
        assert answer.status_code == 400, answer.text
        assert words in message(answer)


async def test_a_backend_that_fails_leaves_nothing_but_a_server_that_says_why() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes, image = await volume_client(cloud), await cloud.image_id()
        assert cloud.cloud.fake is not None
        error = ErrorFacts("failed", "the disk is full: 0 MiB are free below /storage; make room and try again")
        cloud.cloud.fake.faults.add(Fault(verb="ensure_volume", error=error))
        server = await on_volume(cloud, disk("image", image, volume_size=2))
        assert server["status"] == "ERROR"
        assert "And its status is error." in server["fault"]["message"]
        [volume] = (await volumes.get(f"{VOLUME}/volumes/detail")).json()["volumes"]
        assert (volume["status"], volume["attachments"]) == ("error", [])
        assert await cloud.stuck() == []


async def test_a_quota_of_gigabytes_binds_at_boot() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await on_volume(cloud, disk("image", await cloud.image_id(), volume_size=1001))
        assert server["status"] == "ERROR"
        assert "Requested volume or snapshot exceeds allowed gigabytes quota" in server["fault"]["message"]


async def test_an_image_of_a_server_on_volumes_names_snapshots_of_which_a_new_one_is_made() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes = await volume_client(cloud)
        server = await on_volume(
            cloud,
            disk("image", await cloud.image_id(), volume_size=2),
            disk("blank", None, volume_size=1, boot_index=-1),
        )
        made = await cloud.act(server["id"], {"createImage": {"name": "picture"}})
        assert made.status_code == 202, made.text
        await cloud.settled()
        image = (await cloud.demo.get(f"/image/v2/images/{made.json()['image_id']}")).json()
        assert (image["status"], image["size"], image["disk_format"]) == ("active", 0, None)
        found = (await volumes.get(f"{VOLUME}/snapshots/detail")).json()["snapshots"]
        assert {(s["name"], s["status"], s["size"]) for s in found} == {
            ("snapshot for picture", "available", 2),
            ("snapshot for picture", "available", 1),
        }
        again = await cloud.a_server(imageRef=image["id"])
        assert (again["status"], len(again["os-extended-volumes:volumes_attached"])) == ("ACTIVE", 2)
        copy = await a_volume(cloud, volumes, size=None, imageRef=image["id"])
        assert (copy["status"], copy["size"], copy["bootable"]) == ("available", 2, "true")
        backup = await cloud.act(server["id"], {"createBackup": {"name": "b", "backup_type": "daily", "rotation": 1}})
        assert (backup.status_code, "volume-backed" in message(backup)) == (400, True)
        other = await cloud.act(
            server["id"], {"rebuild": {"imageRef": image["id"]}}, await cloud.as_demo(version="compute 2.92")
        )
        assert (other.status_code, "different image" in message(other)) == (400, True)


async def test_a_server_on_a_volume_is_stopped_started_resized_and_rebuilt_with_its_image() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        image = await cloud.image_id()
        server = await on_volume(cloud, disk("image", image, volume_size=2))
        for action in (
            {"os-stop": None},
            {"os-start": None},
            {"reboot": {"type": "HARD"}},
            {"resize": {"flavorRef": "2"}},
            {"confirmResize": None},
            {"rebuild": {"imageRef": image}},
        ):
            answer = await cloud.act(server["id"], action)
            assert answer.is_success, (action, answer.text)
            await cloud.settled()
        after = await cloud.server(server["id"])
        assert (after["status"], after["os-extended-volumes:volumes_attached"]) == (
            "ACTIVE",
            server["os-extended-volumes:volumes_attached"],
        )
        assert await cloud.stuck() == []


async def test_since_2_93_a_rebuild_makes_the_volume_of_the_image_anew() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes, image = await volume_client(cloud), await cloud.image_id()
        server = await on_volume(cloud, disk("image", image, volume_size=2))
        [attached] = server["os-extended-volumes:volumes_attached"]
        made = (await cloud.demo.post("/image/v2/images", json=OTHER)).json()
        headers = {"Content-Type": "application/octet-stream"}
        await cloud.demo.put(f"/image/v2/images/{made['id']}/file", content=bytes(1 << 20), headers=headers)
        answer = await cloud.act(server["id"], {"rebuild": {"imageRef": made["id"]}})
        assert answer.status_code == 202, answer.text
        assert (await read(volumes, "volume", attached["id"]))["status"] == "downloading"
        await cloud.settled()
        after = await cloud.server(server["id"])
        assert (after["status"], after["image"], after["os-extended-volumes:volumes_attached"]) == (
            "ACTIVE",
            "",
            [attached],
        )
        volume = await read(volumes, "volume", attached["id"])
        assert (volume["status"], volume["volume_image_metadata"]["image_id"]) == ("in-use", made["id"])
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.faults.add(
            Fault(verb="ensure_volume", count=None, error=ErrorFacts("failed", "The disk is full"))
        )
        await cloud.act(server["id"], {"rebuild": {"imageRef": image}})
        await cloud.settled()
        assert (await cloud.server(server["id"]))["status"] == "ERROR"
        assert (await read(volumes, "volume", attached["id"]))["status"] == "error"
        assert await cloud.stuck() == []
