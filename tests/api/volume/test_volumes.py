"""Volumes over HTTP: made of nothing, an image, a snapshot, another volume; listed, changed, deleted; refused in Cinder's words."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.drivers.faults import Fault
from tests.support.clouds import a_cloud
from tests.support.volume import VOLUME, a_snapshot, a_volume, act, message, read, volume_admin, volume_client

pytestmark = pytest.mark.anyio
NOBODY = "11111111-2222-4333-8444-555555555555"


async def test_a_volume_is_made_and_shown_at_each_version() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud, version="volume 3.0")
        asked = await demo.post(
            f"{VOLUME}/volumes", json={"volume": {"size": "2", "name": " data ", "metadata": {"a": "b"}}}
        )
        assert asked.status_code == 202
        new = asked.json()["volume"]
        assert (new["status"], new["size"], new["name"], new["attachments"]) == ("creating", 2, "data", [])
        assert not [key for key in new if key.startswith("os-vol")]
        await cloud.settled()
        made = await read(demo, "volume", new["id"])
        assert made["status"] == "available"
        assert made["volume_type"] == "__DEFAULT__"
        assert made["os-vol-tenant-attr:tenant_id"]
        assert "group_id" not in made
        assert "os-vol-host-attr:host" not in made
        newest = await read(await volume_client(cloud), "volume", new["id"])
        assert {"group_id", "service_uuid", "shared_targets", "volume_type_id", "consumes_quota"} <= set(newest)
        seen = await read(await volume_admin(cloud), "volume", new["id"])
        assert seen["os-vol-host-attr:host"] == "control@fake#fake"
        assert seen["migration_status"] is None
        assert "volume_made" in cloud.notes.words()


async def test_what_a_volume_is_made_of() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        image = await cloud.image_id()
        bootable = await a_volume(cloud, demo, imageRef=image)
        assert bootable["bootable"] == "true"
        assert bootable["volume_image_metadata"]["image_id"] == image
        snapshot = await a_snapshot(cloud, demo, bootable["id"], name="s")
        assert (snapshot["status"], snapshot["size"]) == ("available", 1)
        copy = await a_volume(cloud, demo, size=None, snapshot_id=snapshot["id"])
        assert (copy["bootable"], copy["size"], copy["snapshot_id"]) == ("true", 1, snapshot["id"])
        clone = await a_volume(cloud, demo, size=3, source_volid=copy["id"])
        assert (clone["status"], clone["size"], clone["source_volid"]) == ("available", 3, copy["id"])


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"size": "#$%"}, 400, "'#$%' does not match '^[0-9]+$'"),
    ({"size": 0}, 400, "0 is less than the minimum of 1"),
    ({"size": -1}, 400, "-1 is less than the minimum of 1"),
    ({}, 400, "must be an integer"),
    ({"size": 1, "volume_type": NOBODY}, 404, "Volume type"),
    ({"size": 1, "snapshot_id": NOBODY}, 404, f"Snapshot {NOBODY} could not be found."),
    ({"size": 1, "source_volid": NOBODY}, 404, f"Volume {NOBODY} could not be found."),
    ({"size": 1, "imageRef": NOBODY}, 400, "Invalid image identifier"),
    ({"size": 1, "availability_zone": "moon"}, 400, "Availability zone 'moon' is invalid."),
    ({"size": 1, "multiattach": True}, 400, "multiattach parameter has been removed"),
    ({"size": 1, "metadata": {"k": "v" * 256}}, 400, "too long"),
    ({"size": 1, "name": "n" * 256}, 400, "more than 255"),
    ({"size": 1, "colour": "red"}, 400, "colour"),
    ({"size": 1001}, 413, "quota is 1000G and 0G has been consumed"),
]


@pytest.mark.parametrize(("body", "status", "words"), REFUSED, ids=lambda value: str(value)[:40])
async def test_what_cannot_be_asked_for(body: dict[str, Any], status: int, words: str) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        answer = await (await volume_client(cloud)).post(f"{VOLUME}/volumes", json={"volume": body})
        assert answer.status_code == status, answer.text
        assert words in message(answer)


async def test_fields_that_are_none_are_refused_from_3_53_on() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        body = {"volume": {"size": 1, "colour": "red"}}
        for version, status in (("3.52", 202), ("3.53", 400)):
            client = await volume_client(cloud, version=f"volume {version}")
            assert (await client.post(f"{VOLUME}/volumes", json=body)).status_code == status


async def test_a_volume_with_a_snapshot_goes_only_with_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)
        snapshot = await a_snapshot(cloud, demo, volume["id"])
        refused = await demo.delete(f"{VOLUME}/volumes/{volume['id']}")
        assert (refused.status_code, "have snapshots" in message(refused)) == (400, True)
        assert (await demo.delete(f"{VOLUME}/volumes/{volume['id']}?cascade=true")).status_code == 202
        await cloud.settled()
        for kind, gone in (("volumes", volume), ("snapshots", snapshot)):
            assert (await demo.get(f"{VOLUME}/{kind}/{gone['id']}")).status_code == 404


async def test_another_project_sees_nothing_of_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)
        stranger = await cloud.a_project("others")
        assert (await stranger.get(f"{VOLUME}/volumes/{volume['id']}")).status_code == 404
        assert (await stranger.delete(f"{VOLUME}/volumes/{volume['id']}")).status_code == 404
        assert (await act(stranger, volume["id"], "os-extend", {"new_size": 2})).status_code == 404
        assert (await stranger.get(f"{VOLUME}/volumes/detail")).json()["volumes"] == []
        assert (await demo.post(f"{VOLUME}/snapshots", json={"snapshot": {"volume_id": volume["id"]}})).is_success


async def test_pages_sorts_counts_and_filters() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        for name, size in (("c", 1), ("a", 2), ("b", 3)):
            await a_volume(cloud, demo, name=name, size=size, metadata={"letter": name})

        async def names(query: str) -> list[str]:
            answer = await demo.get(f"{VOLUME}/volumes/detail?{query}")
            assert answer.status_code == 200, answer.text
            return [volume["name"] for volume in answer.json()["volumes"]]

        assert await names("sort=name:asc") == ["a", "b", "c"]
        assert await names("sort_key=size&sort_dir=desc") == ["b", "a", "c"]
        assert await names("sort=name:asc&offset=1&limit=1") == ["b"]
        assert await names("name=a") == ["a"]
        assert await names("size=3") == ["b"]
        assert await names("bootable=false&sort=name") == ["c", "b", "a"]
        assert await names("metadata={'letter':'c'}") == ["c"]
        assert await names("status=error") == []
        first = (await demo.get(f"{VOLUME}/volumes?sort=name:asc&limit=2&with_count=True")).json()
        assert [volume["name"] for volume in first["volumes"]] == ["a", "b"]
        assert first["count"] == 3
        following = (await demo.get(first["volumes_links"][0]["href"])).json()
        assert [volume["name"] for volume in following["volumes"]] == ["c"]
        for query, status in (
            ("colour=red", 400),
            ("limit=-1", 400),
            ("limit=x", 400),
            ("sort=colour", 400),
            ("offset=-1", 400),
            (f"marker={NOBODY}", 404),
            ("with_count=maybe", 400),
        ):
            assert (await demo.get(f"{VOLUME}/volumes?{query}")).status_code == status, query
        summary = (await demo.get(f"{VOLUME}/volumes/summary")).json()["volume-summary"]
        assert (summary["total_count"], summary["total_size"]) == (3, 6)


async def test_growing_counts_against_the_quota() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)
        assert (await act(demo, volume["id"], "os-extend", {"new_size": 4})).status_code == 202
        await cloud.settled()
        assert (await read(demo, "volume", volume["id"]))["size"] == 4
        for size, status in ((4, 400), (2, 400), ("x", 400), (2000, 413)):
            refused = await act(demo, volume["id"], "os-extend", {"new_size": size})
            assert refused.status_code == status, refused.text
        assert (await read(demo, "volume", volume["id"]))["status"] == "available"


async def test_ten_volumes_are_the_most_that_a_project_has_however_fast_it_asks() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        answers = []

        async def ask() -> None:
            answers.append(await demo.post(f"{VOLUME}/volumes", json={"volume": {"size": 1}}))

        async with anyio.create_task_group() as tasks:
            for _ in range(14):
                tasks.start_soon(ask)
        assert sorted(answer.status_code for answer in answers) == [202] * 10 + [413] * 4
        [words] = {message(answer) for answer in answers if answer.status_code == 413}
        assert words == "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'."


async def test_an_administrator_writes_statuses_down_and_deletes_by_force() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo, admin = await volume_client(cloud), await volume_admin(cloud)
        volume = await a_volume(cloud, demo)
        assert (await act(demo, volume["id"], "os-reset_status", {"status": "error"})).status_code == 403
        assert (await act(admin, volume["id"], "os-reset_status", {"status": "nice"})).status_code == 400
        assert (await act(admin, volume["id"], "os-reset_status", {})).status_code == 400
        assert (await act(admin, volume["id"], "os-reset_status", {"status": "maintenance"})).status_code == 202
        renamed = await demo.put(f"{VOLUME}/volumes/{volume['id']}", json={"volume": {"name": "x"}})
        assert (renamed.status_code, "maintenance" in message(renamed)) == (400, True)
        assert (await demo.delete(f"{VOLUME}/volumes/{volume['id']}")).status_code == 400
        assert (await act(admin, volume["id"], "os-force_delete")).status_code == 202
        await cloud.settled()
        assert (await demo.get(f"{VOLUME}/volumes/{volume['id']}")).status_code == 404


async def test_readonly_and_bootable_are_shown() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)
        assert (await act(demo, volume["id"], "os-update_readonly_flag", {"readonly": True})).status_code == 202
        assert (await act(demo, volume["id"], "os-set_bootable", {"bootable": "true"})).status_code == 200
        shown = await read(demo, "volume", volume["id"])
        assert (shown["metadata"], shown["bootable"]) == ({"readonly": "True"}, "true")


async def test_reverting_to_the_newest_snapshot_only() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)
        older = await a_snapshot(cloud, demo, volume["id"])
        await anyio.sleep(1)
        newer = await a_snapshot(cloud, demo, volume["id"])
        assert (await act(demo, volume["id"], "revert", {"snapshot_id": older["id"]})).status_code == 400
        assert (await act(demo, volume["id"], "revert", {"snapshot_id": newer["id"]})).status_code == 202
        await cloud.settled()
        assert (await read(demo, "volume", volume["id"]))["status"] == "available"


async def test_a_type_that_no_backend_meets_gives_a_volume_in_error_and_a_message() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo, admin = await volume_client(cloud), await volume_admin(cloud)
        for name, vendor in (("ours", "Open Source"), ("theirs", "Acme")):
            kind = {"name": name, "extra_specs": {"vendor_name": vendor, "capabilities:storage_protocol": "file"}}
            assert (await admin.post(f"{VOLUME}/types", json={"volume_type": kind})).status_code == 200
        assert (await a_volume(cloud, demo, volume_type="ours"))["status"] == "available"
        volume = await a_volume(cloud, demo, volume_type="theirs")
        assert volume["status"] == "error"
        [told] = (await demo.get(f"{VOLUME}/messages")).json()["messages"]
        assert told["resource_uuid"] == volume["id"]
        assert told["user_message"] == "schedule allocate volume:Could not find any available weighted backend."
        assert (await demo.delete(f"{VOLUME}/volumes/{volume['id']}")).status_code == 202


async def test_a_disk_that_is_full_is_told_and_leaves_nothing() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        assert cloud.cloud.fake is not None
        full = ErrorFacts("failed", "the disk is full: 0 MiB are free below /storage; make room and try again")
        for verb in ("ensure_volume", "ensure_size", "ensure_snapshot"):
            cloud.cloud.fake.faults.add(Fault(verb=verb, error=full))
        assert (await a_volume(cloud, demo))["status"] == "error"
        volume = await a_volume(cloud, demo)
        assert (await a_snapshot(cloud, demo, volume["id"]))["status"] == "error"
        await act(demo, volume["id"], "os-extend", {"new_size": 2})
        await cloud.settled()
        after = await read(demo, "volume", volume["id"])
        assert (after["status"], after["size"]) == ("error_extending", 1)
        told = (await demo.get(f"{VOLUME}/messages")).json()["messages"]
        # All bear the same moment: the clock of this cloud stands still.
        assert {m["user_message"] for m in told} == {
            "extend volume:Volume Driver failed to extend volume.",
            "create snapshot:Snapshot failed to create.",
            "create volume from backend storage:Driver failed to create the volume.",
        }
        [backend] = cloud.cloud.backends
        assert await backend.store.volumes() == [volume["id"]]
        assert await backend.store.snapshots() == []
        assert await cloud.stuck() == []


async def test_an_image_that_is_missing_inactive_or_corrupt() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        queued = await demo.post(
            "/image/v2/images", json={"name": "q", "disk_format": "raw", "container_format": "bare"}
        )
        refused = await demo.post(f"{VOLUME}/volumes", json={"volume": {"size": 1, "imageRef": queued.json()["id"]}})
        assert (refused.status_code, "is not active" in message(refused)) == (400, True)
        image = await cloud.image_id()
        await cloud.write(lambda tx: tx.execute("UPDATE images SET os_hash_value = ? WHERE id = ?", ["0" * 128, image]))
        volume = await a_volume(cloud, demo, imageRef=image)
        assert volume["status"] == "error"
        [told] = (await demo.get(f"{VOLUME}/messages")).json()["messages"]
        assert told["user_message"].startswith("copy image to volume:")
        [note] = [n for n in cloud.notes.notes if n.word == "saga_step" and "arrived with other bytes" in str(n.facts)]
        assert note
        [backend] = cloud.cloud.backends
        assert await backend.store.volumes() == []


async def test_a_backend_that_is_away_fails_at_once_and_is_told() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)
        cloud.cloud.world.servicegroup.silence("cinder-volume@control@fake")
        await anyio.sleep(cloud.cloud.settings.service_down_time + cloud.cloud.settings.report_interval + 1)
        assert (await a_volume(cloud, demo))["status"] == "error"
        assert (await demo.delete(f"{VOLUME}/volumes/{volume['id']}")).status_code == 202
        await cloud.settled()
        assert (await read(demo, "volume", volume["id"]))["status"] == "error_deleting"


async def test_another_image_is_put_on_a_volume() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo, admin = await volume_client(cloud), await volume_admin(cloud)
        image, volume = await cloud.image_id(), await a_volume(cloud, demo)
        assert (await act(demo, volume["id"], "os-reimage", {"image_id": NOBODY})).status_code == 400
        assert (await act(demo, volume["id"], "os-reimage", {"image_id": image})).status_code == 202
        await cloud.settled()
        after = await read(demo, "volume", volume["id"])
        assert (after["status"], after["bootable"]) == ("available", "true")
        assert after["volume_image_metadata"]["image_id"] == image
        old = await volume_client(cloud, version="volume 3.67")
        assert (await act(old, volume["id"], "os-reimage", {"image_id": image})).status_code in (400, 404)
        assert (await demo.get(f"{VOLUME}/volumes/{volume['id']}/encryption")).json() == {"encryption_key_id": None}
        done = await act(admin, volume["id"], "os-extend_volume_completion", {})
        assert (done.status_code, message(done)) == (400, "Invalid volume: Volume is not being extended.")
