"""Attachments over HTTP, in the new way and in the old one: who has a volume, and what that makes of its status."""

from contextlib import AsyncExitStack

import pytest

from tests.support.clouds import a_cloud
from tests.support.volume import VOLUME, a_volume, act, message, read, volume_admin, volume_client

pytestmark = pytest.mark.anyio
SERVER = "11111111-2222-4333-8444-555555555555"
OTHER = "11111111-2222-4333-8444-666666666666"


async def test_a_volume_is_reserved_connected_in_use_and_free_again() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)

        async def status() -> str:
            return str((await read(demo, "volume", volume["id"]))["status"])

        asked = {"volume_uuid": volume["id"], "instance_uuid": SERVER, "mode": "rw"}
        made = await demo.post(f"{VOLUME}/attachments", json={"attachment": asked})
        assert made.status_code == 200, made.text
        attachment = made.json()["attachment"]
        assert (attachment["status"], attachment["instance"], attachment["connection_info"]) == ("reserved", SERVER, {})
        assert await status() == "reserved"
        second = await demo.post(f"{VOLUME}/attachments", json={"attachment": {**asked, "instance_uuid": OTHER}})
        assert (second.status_code, "to reserve, but the current status is reserved" in message(second)) == (400, True)
        connector = {"connector": {"host": "host-1", "mountpoint": "/dev/vdb", "mode": "rw"}}
        one = f"{VOLUME}/attachments/{attachment['id']}"
        connected = (await demo.put(one, json={"attachment": connector})).json()["attachment"]
        info = connected["connection_info"]
        assert (info["driver_volume_type"], info["data"]["volume_id"]) == ("local", volume["id"])
        assert (connected["status"], await status()) == ("attaching", "attaching")
        assert (await demo.post(f"{one}/action", json={"os-complete": {}})).status_code == 204
        shown = await read(demo, "volume", volume["id"])
        assert shown["status"] == "in-use"
        assert [(a["server_id"], a["device"], a["host_name"]) for a in shown["attachments"]] == [
            (SERVER, "/dev/vdb", None)
        ]
        assert shown["metadata"] == {"attached_mode": "rw"}
        listed = (await demo.get(f"{VOLUME}/attachments?volume_id={volume['id']}")).json()["attachments"]
        assert [a["id"] for a in listed] == [attachment["id"]]
        assert (await demo.delete(f"{VOLUME}/volumes/{volume['id']}")).status_code == 400
        gone = await demo.delete(one)
        assert (gone.status_code, gone.json()) == (200, {"attachments": []})
        assert (await status(), (await demo.get(one)).status_code) == ("available", 404)


async def test_attachments_are_there_from_3_27_on() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        for version, status in (("3.26", 404), ("3.27", 200)):
            client = await volume_client(cloud, version=f"volume {version}")
            assert (await client.get(f"{VOLUME}/attachments")).status_code == status


async def test_the_old_way() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud, version="volume 3.0")
        volume = await a_volume(cloud, demo)

        async def done(name: str, body: object = None, status: int = 202) -> str:
            answer = await act(demo, volume["id"], name, body)
            assert answer.status_code == status, answer.text
            return str((await read(demo, "volume", volume["id"]))["status"])

        assert await done("os-reserve") == "attaching"
        assert await done("os-reserve", status=400) == "attaching"
        assert await done("os-unreserve") == "available"
        assert await done("os-begin_detaching", status=400) == "available"
        assert await done("os-attach", {"mountpoint": "/dev/vdc"}, status=400) == "available"
        assert await done("os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdc"}) == "in-use"
        assert await done("os-attach", {"instance_uuid": OTHER, "mountpoint": "/dev/vdc"}, status=400) == "in-use"
        shown = await read(demo, "volume", volume["id"])
        assert shown["metadata"] == {"readonly": "False", "attached_mode": "rw"}
        assert await done("os-begin_detaching") == "detaching"
        assert await done("os-roll_detaching") == "in-use"
        assert await done("os-initialize_connection", {"connector": {"host": "x"}}, status=200) == "in-use"
        assert await done("os-terminate_connection", {"connector": {"host": "x"}}) == "in-use"
        assert await done("os-detach") == "available"


async def test_a_readonly_volume_is_attached_for_reading_only() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)
        await act(demo, volume["id"], "os-update_readonly_flag", {"readonly": True})
        refused = await act(demo, volume["id"], "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdc"})
        assert (refused.status_code, "Invalid attaching mode 'rw'" in message(refused)) == (400, True)
        made = await demo.post(
            f"{VOLUME}/attachments", json={"attachment": {"volume_uuid": volume["id"], "instance_uuid": SERVER}}
        )
        assert made.json()["attachment"]["attach_mode"] == "ro"


async def test_nobody_else_touches_an_attachment() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo)
        made = await demo.post(
            f"{VOLUME}/attachments", json={"attachment": {"volume_uuid": volume["id"], "instance_uuid": SERVER}}
        )
        one = f"{VOLUME}/attachments/{made.json()['attachment']['id']}"
        stranger = await cloud.a_project("others")
        stranger.headers["OpenStack-API-Version"] = "volume latest"
        assert (await stranger.get(one)).status_code == 404
        assert (await stranger.delete(one)).status_code == 404
        assert (await stranger.get(f"{VOLUME}/attachments")).json() == {"attachments": []}
        admin = await volume_admin(cloud)
        assert (await admin.get(one)).status_code == 200
        reset = await act(admin, volume["id"], "os-reset_status", {"status": "available", "attach_status": "detached"})
        assert (reset.status_code, (await demo.get(one)).status_code) == (202, 404)
