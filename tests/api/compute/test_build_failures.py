"""Builds that fail, one by one as the troubleshooting guides have them: the true symptom, the cause in words, and nothing left."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from tests.support.clouds import TestedCloud, a_cloud
from tests.support.failures import explained, failed_events, heals, left, meets
from tests.support.volume import VOLUME, a_snapshot, a_volume, act, message, read, volume_admin, volume_client

pytestmark = pytest.mark.anyio
NOBODY = "11111111-2222-4333-8444-555555555555"
FULL = "the disk is full: 0 MiB are free below /storage; make room and try again"
NOT_CREATED = "did not finish being created even after we waited 0 seconds or 1 attempts. And its status is error."
OCTETS = {"Content-Type": "application/octet-stream"}


class Guide(msgspec.Struct):
    """A cloud in which something is to go wrong, and its owner's client of block storage."""

    cloud: TestedCloud
    volumes: httpx.AsyncClient
    image: str


@asynccontextmanager
async def a_guide(**settings: Any) -> AsyncIterator[Guide]:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, **settings)
        guide = Guide(cloud, await volume_client(cloud), await cloud.image_id())
        # The project's security group and network are there before anything is compared.
        server = await cloud.a_server()
        await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
        await cloud.settled()
        yield guide
        assert await cloud.stuck() == []


def disk(source: str, uuid: str | None, **more: Any) -> dict[str, Any]:
    found = {"source_type": source, "destination_type": "volume", "boot_index": 0, **more}
    return found if uuid is None else {**found, "uuid": uuid}


def on(*devices: dict[str, Any]) -> dict[str, Any]:
    return {"imageRef": None, "block_device_mapping_v2": list(devices)}


async def an_image(guide: Guide, content: bytes | None = None, **fields: Any) -> str:
    body = {"name": "other", "disk_format": "raw", "container_format": "bare", **fields}
    made = (await guide.cloud.demo.post("/image/v2/images", json=body)).json()["id"]
    if content is not None:
        sent = await guide.cloud.demo.put(f"/image/v2/images/{made}/file", content=content, headers=OCTETS)
        assert sent.status_code == 204, sent.text
    return str(made)


async def refused(guide: Guide, status: int, words: str, **wanted: Any) -> None:
    """Such a server is refused at once, and nothing is written down."""
    before, servers = await left(guide.cloud), (await guide.cloud.demo.get("/compute/v2.1/servers")).json()
    answer = await guide.cloud.ask_server(**wanted)
    assert (answer.status_code, words in message(answer)) == (status, True), answer.text
    await guide.cloud.settled()
    assert await left(guide.cloud) == before
    assert (await guide.cloud.demo.get("/compute/v2.1/servers")).json() == servers


async def fails(
    guide: Guide,
    symptom: str,
    cause: str,
    *,
    stays: Callable[[Any], bool] | None = None,
    code: int = 500,
    **wanted: Any,
) -> dict[str, Any]:
    """Such a server is promised, ends in ERROR with this symptom, and is explained by its cause; as its administrator reads it.

    ``stays``: what of volumes is left; by default nothing is.
    """
    cloud = guide.cloud
    before = await left(cloud)
    server = await cloud.a_server(**wanted)
    assert (server["status"], server["OS-EXT-STS:vm_state"], server["OS-EXT-STS:task_state"]) == (
        "ERROR",
        "error",
        None,
    )
    assert server["fault"]["code"] == code, server["fault"]
    assert symptom in server["fault"]["message"], server["fault"]
    assert ("details" in server["fault"]) == (code != 500)
    told: dict[str, Any] = (await cloud.admin.get(f"/compute/v2.1/servers/{server['id']}")).json()["server"]
    assert cause in told["fault"]["details"], told["fault"]
    assert told["OS-EXT-SRV-ATTR:host"] is None
    assert any(symptom in event["details"] for event in await failed_events(cloud, server["id"]))
    story = await explained(cloud, server["id"])
    assert cause in story, story
    after = await left(cloud)
    if stays is None:
        assert after == before
    else:
        assert stays(after), after
        assert msgspec.structs.replace(after, volumes=before.volumes, stored=before.stored) == before
    return told


async def user_messages(guide: Guide) -> list[tuple[str, str]]:
    """What ``openstack volume message list`` shows: of which resource, and what."""
    found = (await guide.volumes.get(f"{VOLUME}/messages")).json()["messages"]
    return [(one["resource_uuid"], one["user_message"]) for one in found]


async def test_images_that_cannot_be_booted_are_refused() -> None:
    async with a_guide() as guide:
        cloud = guide.cloud
        await refused(guide, 400, "Can not find requested image", imageRef=NOBODY)
        words = f"Block Device Mapping is Invalid: failed to get image {NOBODY}."
        await refused(guide, 400, words, **on(disk("image", NOBODY, volume_size=1)))
        queued = await an_image(guide)
        inactive = await an_image(guide, bytes(4096))
        assert (await cloud.admin.post(f"/image/v2/images/{inactive}/actions/deactivate")).status_code == 204
        saving = await an_image(guide)
        await cloud.write(lambda tx: tx.execute("UPDATE images SET status = 'saving' WHERE id = ?", [saving]))
        for image in (queued, inactive, saving):
            await refused(guide, 400, f"Image {image} is not active.", imageRef=image)
            await refused(guide, 400, f"Image {image} is not active.", **on(disk("image", image, volume_size=1)))


async def test_what_is_too_small_is_refused() -> None:
    async with a_guide() as guide:
        await guide.cloud.admin.post(
            "/compute/v2.1/flavors", json={"flavor": {"id": "f", "name": "f", "ram": 64, "vcpus": 1, "disk": 1}}
        )
        hungry = await an_image(guide, bytes(4096), min_ram=128)
        await refused(guide, 400, "Flavor's memory is too small for requested image.", imageRef=hungry, flavorRef="f")
        large = await an_image(guide, bytes(4096), min_disk=2)
        words = "Flavor's disk is smaller than the minimum size specified in image metadata."
        await refused(guide, 400, words, imageRef=large, flavorRef="f")
        words = "Volume is smaller than the minimum size specified in image metadata. Volume size is 1073741824 bytes"
        await refused(guide, 400, words, **on(disk("image", large, volume_size=1)))


async def test_an_image_that_goes_between_the_promise_and_the_build() -> None:
    async with a_guide(hosts=2) as guide:
        cloud = guide.cloud
        image = await an_image(guide, bytes(4096))
        await cloud.cloud.world.blobs.delete(image)
        why = "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures"
        await fails(guide, why, f"Image {image} could not be found.", imageRef=image)
        told = await fails(
            guide, NOT_CREATED, image, **on(disk("image", image, volume_size=1, delete_on_termination=True))
        )
        assert told["os-extended-volumes:volumes_attached"] == []


async def test_a_corrupt_image() -> None:
    async with a_guide() as guide:
        image = await an_image(guide, bytes(4096))
        await guide.cloud.write(
            lambda tx: tx.execute("UPDATE images SET os_hash_value = ? WHERE id = ?", ["0" * 128, image])
        )
        await fails(guide, "arrived with other bytes", "arrived with other bytes", imageRef=image)
        await fails(
            guide,
            NOT_CREATED,
            "arrived with other bytes",
            **on(disk("image", image, volume_size=1)),
            stays=lambda after: [status for _, status in after.volumes] == ["error"] and after.stored == [],
        )
        [(volume, words)] = await user_messages(guide)
        assert words == "copy image to volume:An unknown error occurred."
        assert (await read(guide.volumes, "volume", volume))["status"] == "error"
        assert "arrived with other bytes" in await explained(guide.cloud, volume)


async def test_an_image_that_no_host_can_use_is_tried_on_one() -> None:
    async with a_guide(hosts=4) as guide:
        image = await an_image(guide, bytes(4096))
        await guide.cloud.write(lambda tx: tx.execute("UPDATE images SET disk_format = 'qcow2' WHERE id = ?", [image]))
        told = await fails(guide, f"aborted: Image {image} is unacceptable: ", "declared as qcow2", imageRef=image)
        assert told["fault"]["message"].startswith(f"Build of instance {told['id']} aborted: ")
        steps = [n.facts for n in guide.cloud.notes.notes if n.word == "saga_step" and n.facts["event"] == "failed"]
        assert [(one["step"], one["attempt"]) for one in steps] == [("spawn", 1)]


async def test_how_many_hosts_are_tried_is_a_setting() -> None:
    async with a_guide(hosts=4, max_attempts=2) as guide:
        meets(guide.cloud, "ensure_base", FULL)
        image = await an_image(guide, bytes(4096))
        told = await fails(guide, "Exceeded max scheduling attempts 2 for instance ", FULL, imageRef=image)
        assert told["fault"]["message"].endswith(f"Last exception: {FULL}")
    # Nova tells the failure as it is where it does not try anew: with one attempt, and where a host was forced.
    async with a_guide(hosts=4, max_attempts=1) as guide:
        meets(guide.cloud, "ensure_base", FULL)
        told = await fails(guide, FULL, FULL, imageRef=await an_image(guide, bytes(4096)))
        assert told["fault"]["message"] == FULL
    async with a_guide(hosts=4) as guide:
        cloud = guide.cloud
        meets(cloud, "ensure_base", FULL)
        image = (await cloud.admin.get("/image/v2/images")).json()["images"][0]["id"]
        asked = await cloud.ask_server(cloud.admin, availability_zone="nova:host-2", imageRef=image)
        await cloud.settled()
        server = await cloud.server(asked.json()["server"]["id"], cloud.admin)
        assert (server["status"], server["fault"]["message"]) == ("ERROR", FULL)


async def test_volumes_that_cannot_be_booted_from_are_refused() -> None:
    async with a_guide(hosts=1) as guide:
        cloud, admin = guide.cloud, await volume_admin(guide.cloud)
        volume = await a_volume(cloud, guide.volumes, imageRef=guide.image)
        server = await cloud.a_server(**on(disk("volume", volume["id"])))
        answer = await cloud.ask_server(**on(disk("volume", volume["id"])))
        assert (answer.status_code, message(answer)) == (
            400,
            f"Invalid volume: Invalid input received: Invalid volume: Volume {volume['id']} status must be available or "
            "downloading to reserve, but the current status is in-use.",
        )
        await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
        await cloud.settled()
        await act(admin, volume["id"], "os-reset_status", {"status": "error"})
        await refused(
            guide,
            400,
            "Invalid volume: Invalid input received: Invalid volume: Volume attachments can not be created if the volume "
            f"is in an error state. The Volume {volume['id']} currently has a status of: error",
            **on(disk("volume", volume["id"])),
        )
        blank = await a_volume(cloud, guide.volumes)
        await refused(guide, 400, f"Block Device {blank['id']} is not bootable.", **on(disk("volume", blank["id"])))
        words = f"Block Device Mapping is Invalid: failed to get volume {NOBODY}."
        await refused(guide, 400, words, **on(disk("volume", NOBODY)))


async def test_quotas_of_block_storage_bind_while_booting() -> None:
    async with a_guide() as guide:
        cloud, admin = guide.cloud, await volume_admin(guide.cloud)
        project = (await cloud.server((await cloud.a_server())["id"]))["tenant_id"]
        [server] = (await cloud.demo.get("/compute/v2.1/servers")).json()["servers"]
        await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
        await cloud.settled()

        async def allow(**limits: int) -> None:
            answer = await admin.put(f"{VOLUME}/os-quota-sets/{project}", json={"quota_set": limits})
            assert answer.status_code == 200, answer.text

        await allow(gigabytes=3)
        words = (
            "Requested volume or snapshot exceeds allowed gigabytes quota. Requested 4G, quota is 3G and 0G has been"
        )
        await fails(guide, words, words, **on(disk("image", guide.image, volume_size=4)))
        # The first of two is made before the second is asked for: it stays, unless it was to go with the server.
        two = [disk("blank", None, volume_size=2, boot_index=-1), disk("image", guide.image, volume_size=2)]
        await fails(
            guide,
            "exceeds allowed gigabytes quota",
            "exceeds allowed gigabytes quota",
            **on(*two),
            stays=lambda after: [s for _, s in after.volumes] == ["available"] and len(after.stored) == 1,
        )
        [kept] = (await guide.volumes.get(f"{VOLUME}/volumes/detail")).json()["volumes"]
        assert (kept["bootable"], kept["attachments"]) == ("true", [])
        await guide.volumes.delete(f"{VOLUME}/volumes/{kept['id']}")
        await cloud.settled()
        going = on(*({**one, "delete_on_termination": True} for one in two))
        await fails(guide, "exceeds allowed gigabytes quota", "exceeds allowed gigabytes quota", **going)
        await allow(gigabytes=-1, volumes=0)
        words = "Maximum number of volumes allowed (0) exceeded for quota 'volumes'."
        await fails(guide, words, words, **on(disk("image", guide.image, volume_size=1)))
        await allow(volumes=10, per_volume_gigabytes=1)
        words = "Requested volume size 2G is larger than maximum allowed limit 1G."
        await fails(guide, words, words, **on(disk("image", guide.image, volume_size=2)))
        await allow(per_volume_gigabytes=-1, snapshots=0)
        server = await cloud.a_server(**on(disk("image", guide.image, volume_size=1)))
        answer = await cloud.act(server["id"], {"createImage": {"name": "picture"}})
        assert (answer.status_code, "snapshots" in message(answer)) == (403, True), answer.text


async def test_a_storage_backend_that_is_misconfigured() -> None:
    """Images come and go, servers boot of them; only what touches the storage fails."""
    async with a_guide() as guide:
        # Not even what was begun can be taken back there.
        for verb in ("ensure_volume", "ensure_no_volume"):
            meets(guide.cloud, verb, "/srv/volumes: Permission denied")
        image = await an_image(guide, bytes(4096))
        assert (await guide.cloud.a_server(imageRef=image))["status"] == "ACTIVE"
        told = await fails(
            guide,
            NOT_CREATED,
            "/srv/volumes: Permission denied",
            **on(disk("image", image, volume_size=1)),
            stays=lambda after: [status for _, status in after.volumes] == ["error"] and after.stored == [],
        )
        assert told["fault"]["message"].startswith(f"Build of instance {told['id']} aborted: Volume ")
        assert [words for _, words in await user_messages(guide)] == ["copy image to volume:An unknown error occurred."]
        heals(guide.cloud)
        server = await guide.cloud.a_server(**on(disk("image", image, volume_size=1)))
        assert server["status"] == "ACTIVE"


async def test_backends_that_are_down_or_full() -> None:
    async with a_guide() as guide:
        cloud = guide.cloud
        wanted = on(disk("image", guide.image, volume_size=1))
        one_in_error = {
            "stays": lambda after: [s for _, s in after.volumes] == ["error"] and after.stored == [],
        }
        await cloud.write(lambda tx: tx.execute("UPDATE volume_backends SET total_gb = 0"))
        await fails(guide, NOT_CREATED, "No valid backend was found", **wanted, **one_in_error)
        [(volume, words)] = await user_messages(guide)
        assert words == "schedule allocate volume:Could not find any available weighted backend."
        story = await explained(cloud, volume)
        assert "storage backend control@fake cannot take it: CapacityFilter: 0 GiB are left to promise" in story
        await guide.volumes.delete(f"{VOLUME}/volumes/{volume}")
        await cloud.settled()
        await cloud.write(lambda tx: tx.execute("UPDATE volume_backends SET total_gb = 100"))
        cloud.cloud.world.servicegroup.silence("cinder-volume@control@fake")
        await anyio.sleep(cloud.cloud.settings.service_down_time + cloud.cloud.settings.report_interval + 1)
        await fails(guide, NOT_CREATED, "No valid backend was found", **wanted, **one_in_error)
        [volume] = [one for one, _ in await user_messages(guide) if one != volume]
        assert "storage backend control@fake cannot take it: it does not beat" in await explained(cloud, volume)


async def test_a_disk_that_is_full_while_building() -> None:
    async with a_guide(hosts=4) as guide:
        cloud = guide.cloud
        meets(cloud, "ensure_base", FULL)
        why = "Exceeded max scheduling attempts 3 for instance "
        await fails(guide, why, FULL, imageRef=await an_image(guide, bytes(4096)))
        heals(cloud)
        meets(cloud, "ensure_volume", FULL)
        await fails(
            guide, NOT_CREATED, FULL, **on(disk("image", guide.image, volume_size=1, delete_on_termination=True))
        )
        [(_, words)] = await user_messages(guide)
        assert words == "copy image to volume:Image used for creating volume exceeds available space."
        heals(cloud)
        # Of two volumes the first was made: it stays, the one that could not be made says so, and nothing more was asked for.
        meets(cloud, "ensure_volume", FULL, skip=1, count=1)
        three = [disk("image", guide.image, volume_size=1)]
        three += [disk("blank", None, volume_size=1, boot_index=-1) for _ in range(2)]
        await fails(
            guide,
            NOT_CREATED,
            FULL,
            **on(*three),
            stays=lambda after: (
                sorted(s for _, s in after.volumes) == ["available", "error"] and len(after.stored) == 1
            ),
        )
        said = {words for _, words in await user_messages(guide)}
        assert "create volume from backend storage:Driver failed to create the volume." in said


async def test_a_guest_that_cannot_be_started_leaves_the_volumes_that_do_not_go_with_it() -> None:
    async with a_guide() as guide:
        meets(guide.cloud, "ensure_running", "no such machine type")
        wanted = on(
            disk("image", guide.image, volume_size=1),
            disk("blank", None, volume_size=1, boot_index=-1, delete_on_termination=True),
        )
        await fails(
            guide,
            "Last exception: no such machine type",
            "no such machine type",
            **wanted,
            stays=lambda after: [s for _, s in after.volumes] == ["available"] and len(after.stored) == 1,
        )
        [volume] = (await guide.volumes.get(f"{VOLUME}/volumes/detail")).json()["volumes"]
        assert (volume["bootable"], volume["attachments"]) == ("true", [])


async def test_no_host_means_no_volume() -> None:
    async with a_guide() as guide:
        body = {"flavor": {"id": "f", "name": "f", "ram": 64, "vcpus": 4096, "disk": 1}}
        assert (await guide.cloud.admin.post("/compute/v2.1/flavors", json=body)).status_code == 200
        await guide.cloud.admin.put(
            f"/compute/v2.1/os-quota-sets/{(await guide.cloud.a_server())['tenant_id']}",
            json={"quota_set": {"cores": -1}},
        )
        await fails(
            guide,
            "No valid host was found.",
            "VCPU",
            **on(disk("image", guide.image, volume_size=1)),
            flavorRef="f",
        )


async def test_networks_that_give_nothing() -> None:
    async with a_guide() as guide:
        cloud = guide.cloud
        network = (await cloud.demo.post("/network/v2.0/networks", json={"network": {"name": "tiny"}})).json()[
            "network"
        ]
        subnet = {"network_id": network["id"], "cidr": "10.99.0.0/30", "ip_version": 4, "gateway_ip": None,
                  "enable_dhcp": False}  # fmt: skip
        assert (await cloud.demo.post("/network/v2.0/subnets", json={"subnet": subnet})).status_code == 201
        here = {"networks": [{"uuid": network["id"]}]}
        taken = []
        for _ in range(2):
            made = await cloud.demo.post("/network/v2.0/ports", json={"port": {"network_id": network["id"]}})
            taken.append(made.json()["port"]["id"])
        no_address = (
            "aborted: Failed to allocate the network(s) with error No fixed IP addresses available for network: "
            f"{network['id']}, not rescheduling."
        )
        await fails(guide, no_address, "No more IP addresses available", **here)
        server = (await cloud.demo.get("/compute/v2.1/servers")).json()["servers"][0]
        assert "has no free address left in 10.99.0.0/30" in await explained(cloud, server["id"])
        server = await cloud.a_server(networks=[{"port": taken[0]}])
        answer = await cloud.ask_server(networks=[{"port": taken[0]}])
        assert (answer.status_code, message(answer)) == (409, f"Port {taken[0]} is still in use.")
        await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
        await cloud.settled()
        limit = {"quota": {"port": len((await cloud.demo.get("/network/v2.0/ports")).json()["ports"])}}
        project = network["project_id"]
        assert (await cloud.admin.put(f"/network/v2.0/quotas/{project}", json=limit)).status_code == 200
        await refused(guide, 403, "Maximum number of ports exceeded", **here)


async def test_a_network_of_the_outside_is_for_administrators() -> None:
    async with a_guide() as guide:
        cloud = guide.cloud
        body = {"network": {"name": "outside", "router:external": True}}
        outside = (await cloud.admin.post("/network/v2.0/networks", json=body)).json()["network"]["id"]
        words = f"It is not allowed to create an interface on external network {outside}"
        await refused(guide, 403, words, networks=[{"uuid": outside}])
        await refused(guide, 400, f"Network {NOBODY} could not be found.", networks=[{"uuid": NOBODY}])
        await refused(guide, 400, f"Port id {NOBODY} could not be found.", networks=[{"port": NOBODY}])


async def test_a_snapshot_or_a_server_without_room_for_it() -> None:
    async with a_guide() as guide:
        cloud = guide.cloud
        volume = await a_volume(cloud, guide.volumes, imageRef=guide.image, size=2)
        snapshot = await a_snapshot(cloud, guide.volumes, volume["id"])
        meets(cloud, "ensure_volume", FULL)
        await fails(
            guide,
            NOT_CREATED,
            FULL,
            **on(disk("snapshot", snapshot["id"])),
            stays=lambda after: (
                sorted(s for _, s in after.volumes) == ["available", "error"] and after.stored == [volume["id"]]
            ),
        )
        words = f"Block Device Mapping is Invalid: failed to get snapshot {NOBODY}."
        await refused(guide, 400, words, **on(disk("snapshot", NOBODY)))


async def test_images_volumes_and_ports_are_explained() -> None:
    async with a_guide() as guide:
        cloud = guide.cloud
        image = await an_image(guide, bytes(4096), name="mine")
        told = await explained(cloud, "mine")
        assert told.startswith(f"image mine is active ({image})"), told
        for words in (
            "image mine is written down, without bytes",
            "its bytes were looked into: 4096 bytes of raw, 4096 as a disk",
            "image mine is active: 4096 bytes, 4096 as a disk; md5 ",
            f"PUT /image/v2/images/{image}/file was answered 204",
        ):
            assert words in told, told
        server = await cloud.a_server(**on(disk("image", image, volume_size=1)))
        [attached] = server["os-extended-volumes:volumes_attached"]
        told = await explained(cloud, attached["id"])
        for words in (
            "is in-use",
            "storage backend control@fake can take it",
            "storage backend control@fake is chosen of 1: it has most room left",
            "the volume lies in /simulated/",
            "asked host control@fake: ensure_volume",
            "is in use by web",
            "CreateVolumedServer has finished",
        ):
            assert words in told, told
        [port] = (await cloud.demo.get("/network/v2.0/ports", params={"device_id": server["id"]})).json()["ports"]
        told = await explained(cloud, port["id"])
        for words in (
            "port",
            "is ACTIVE",
            "is bound to host host-1 for web",
            f"port {port['id']} is active on host host-1",
        ):
            assert words in told, told
        await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
        await cloud.settled()
