"""Volumes of servers over HTTP: attached by name and tag, shown at each version, detached, and gone with the server if asked."""

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from minicloud.agent import volume_calls
from minicloud.base.errors import ErrorFacts
from minicloud.conductor.volume.backends import ask
from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.volume import VOLUME, a_volume, act, message, read, volume_admin, volume_client

pytestmark = pytest.mark.anyio
COMPUTE = "/compute/v2.1"
NOBODY = "11111111-2222-4333-8444-555555555555"


async def attach(cloud: TestedCloud, client: httpx.AsyncClient, server: str, **fields: Any) -> httpx.Response:
    answer = await client.post(f"{COMPUTE}/servers/{server}/os-volume_attachments", json={"volumeAttachment": fields})
    await cloud.settled()
    return answer


async def test_a_volume_comes_to_a_server_and_goes() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes, old = await volume_client(cloud), await cloud.as_demo(version="compute 2.1")
        server, volume = await cloud.a_server(), await a_volume(cloud, volumes)
        made = await attach(cloud, old, server["id"], volumeId=volume["id"])
        assert made.status_code == 200, made.text
        first = {"id": volume["id"], "volumeId": volume["id"], "serverId": server["id"], "device": "/dev/vdb"}
        assert made.json() == {"volumeAttachment": first}
        shown = await read(volumes, "volume", volume["id"])
        assert (shown["status"], shown["attachments"][0]["device"]) == ("in-use", "/dev/vdb")
        all_of_it, one = (f"{COMPUTE}/servers/{server['id']}/os-volume_attachments", f"/{volume['id']}")
        assert (await old.get(all_of_it)).json() == {"volumeAttachments": [first]}
        newest = (await cloud.demo.get(all_of_it + one)).json()["volumeAttachment"]
        assert newest == {
            "volumeId": volume["id"],
            "serverId": server["id"],
            "device": "/dev/vdb",
            "tag": None,
            "delete_on_termination": False,
            "attachment_id": shown["attachments"][0]["attachment_id"],
            "bdm_uuid": newest["bdm_uuid"],
        }
        detailed = await cloud.server(server["id"])
        assert detailed["os-extended-volumes:volumes_attached"] == [
            {"id": volume["id"], "delete_on_termination": False}
        ]
        [machine] = await cloud.hypervisor().machines()
        assert machine.id == server["id"]
        gone = await volumes.delete(f"{VOLUME}/attachments/{newest['attachment_id']}")
        assert (gone.status_code, "using the Compute API" in message(gone)) == (409, True)
        assert (await old.delete(all_of_it + one)).status_code == 202
        await cloud.settled()
        assert (await read(volumes, "volume", volume["id"]))["status"] == "available"
        assert (await old.get(all_of_it + one)).status_code == 404
        recorded = (await cloud.demo.get(f"{COMPUTE}/servers/{server['id']}/os-instance-actions")).json()
        assert [a["action"] for a in recorded["instanceActions"]] == ["detach_volume", "attach_volume", "create"]


async def test_what_cannot_be_attached() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes, client = await volume_client(cloud), await cloud.as_demo(version="compute 2.100")
        server, other = await cloud.a_server(), await cloud.a_server(name="other")
        volume, second = await a_volume(cloud, volumes), await a_volume(cloud, volumes)
        ok = await attach(cloud, client, server["id"], volumeId=volume["id"], device="/dev/sdd", tag="data")
        assert (ok.json()["volumeAttachment"]["device"], ok.json()["volumeAttachment"]["tag"]) == ("/dev/vdd", "data")
        for target, wanted, status in (
            (server["id"], {"volumeId": NOBODY}, 404),
            (NOBODY, {"volumeId": second["id"]}, 404),
            (server["id"], {"volumeId": volume["id"]}, 400),
            (other["id"], {"volumeId": volume["id"]}, 400),
            (server["id"], {"volumeId": second["id"], "device": "/dev/vdd"}, 409),
            (server["id"], {"volumeId": second["id"], "device": "nonsense"}, 400),
            (server["id"], {"volumeId": "nonsense"}, 400),
            (server["id"], {"volumeId": second["id"], "tag": "a,b"}, 400),
        ):
            refused = await attach(cloud, client, target, **wanted)
            assert refused.status_code == status, refused.text
        assert (await read(volumes, "volume", second["id"]))["status"] == "available"
        assert (
            await client.delete(f"{COMPUTE}/servers/{other['id']}/os-volume_attachments/{volume['id']}")
        ).status_code == 404


async def test_a_stopped_server_has_the_disk_when_it_starts() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes = await volume_client(cloud)
        server, volume = await cloud.a_server(), await a_volume(cloud, volumes)
        await cloud.act(server["id"], {"os-stop": None})
        await cloud.settled()
        assert (await attach(cloud, cloud.demo, server["id"], volumeId=volume["id"])).status_code == 202
        assert (await read(volumes, "volume", volume["id"]))["status"] == "in-use"
        await cloud.act(server["id"], {"os-start": None})
        await cloud.settled()
        row = cloud.hypervisor()._world.log.get("machines", "host-1", server["id"])
        assert [disk.serial for disk in row.machine.disks] == [None, volume["id"]]


async def test_volumes_that_should_go_with_the_server_go() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes = await volume_client(cloud)
        server = await cloud.a_server()
        kept, going = await a_volume(cloud, volumes), await a_volume(cloud, volumes)
        for volume in (kept, going):
            assert (await attach(cloud, cloud.demo, server["id"], volumeId=volume["id"])).status_code == 202
        path = f"{COMPUTE}/servers/{server['id']}/os-volume_attachments/{going['id']}"
        body = {"volumeAttachment": {"volumeId": going["id"], "delete_on_termination": True}}
        assert (await cloud.demo.put(path, json=body)).status_code == 202
        assert (
            await cloud.demo.put(path, json={"volumeAttachment": {"volumeId": going["id"], "tag": "x"}})
        ).status_code == 400
        swap = await cloud.demo.put(path, json={"volumeAttachment": {"volumeId": kept["id"]}})
        assert swap.status_code == 403
        await cloud.demo.delete(f"{COMPUTE}/servers/{server['id']}")
        await cloud.settled()
        assert (await read(volumes, "volume", kept["id"]))["status"] == "available"
        assert (await volumes.get(f"{VOLUME}/volumes/{going['id']}")).status_code == 404


async def test_a_volume_is_swapped_by_nobody_and_the_words_are_those_of_nova() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes, admin = await volume_client(cloud), await volume_admin(cloud)
        server = await cloud.a_server()
        had, other, small, loose = [await a_volume(cloud, volumes, size=size) for size in (2, 2, 1, 2)]
        assert (await attach(cloud, cloud.demo, server["id"], volumeId=had["id"])).status_code == 202

        older = await cloud.as_admin(version="compute 2.84")

        async def swap(old: str, new: str) -> tuple[int, str]:
            path = f"{COMPUTE}/servers/{server['id']}/os-volume_attachments/{old}"
            answer = await older.put(path, json={"volumeAttachment": {"volumeId": new}})
            return answer.status_code, message(answer)

        early = f"volume {had['id']} is not migrating; this API should only be called by Cinder"
        assert await swap(had["id"], other["id"]) == (409, early)
        assert (await swap(NOBODY, other["id"]))[0] == 404
        for volume in (had, loose):
            await act(admin, volume["id"], "os-reset_status", {"migration_status": "migrating"})
        assert await swap(had["id"], NOBODY) == (400, f"Volume {NOBODY} could not be found.")
        assert await swap(had["id"], had["id"]) == (
            400,
            "Invalid volume: New volume must be detached in order to swap.",
        )
        assert await swap(had["id"], small["id"]) == (
            400,
            "Invalid volume: New volume must be the same size or larger.",
        )
        elsewhere = "Invalid volume: Old volume is attached to a different instance."
        assert await swap(loose["id"], other["id"]) == (400, elsewhere)
        assert (await swap(had["id"], other["id"]))[0] == 409
        await cloud.write(lambda tx: tx.execute("UPDATE servers SET vm_state = 'stopped'"))
        status, words = await swap(had["id"], other["id"])
        assert (status, words) == (409, f"Cannot 'swap_volume' instance {server['id']} while it is in vm_state stopped")


async def test_a_guest_that_does_not_let_go_keeps_its_volume() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes = await volume_client(cloud)
        server, volume = await cloud.a_server(), await a_volume(cloud, volumes)
        await attach(cloud, cloud.demo, server["id"], volumeId=volume["id"])
        assert cloud.cloud.fake is not None
        error = ErrorFacts("timed_out", "the guest did not let go within 60 s")
        cloud.cloud.fake.faults.add(Fault(verb="ensure_disk_detached", error=error))
        path = f"{COMPUTE}/servers/{server['id']}/os-volume_attachments/{volume['id']}"
        assert (await cloud.demo.delete(path)).status_code == 202
        await cloud.settled()
        assert (await read(volumes, "volume", volume["id"]))["status"] == "in-use"
        assert (await cloud.demo.get(path)).status_code == 200
        recorded = (await cloud.demo.get(f"{COMPUTE}/servers/{server['id']}/os-instance-actions")).json()
        assert recorded["instanceActions"][0]["message"] == "Error"


async def test_a_volume_of_a_type_for_several_servers_is_on_two() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes, admin = await volume_client(cloud), await volume_admin(cloud)
        kind = {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}
        made = await admin.post(f"{VOLUME}/types", json={"volume_type": kind})
        assert made.status_code == 200, made.text
        volume = await a_volume(cloud, volumes, volume_type="shared")
        assert volume["multiattach"] is True
        first, second = await cloud.a_server(), await cloud.a_server(name="second")
        for server in (first, second):
            answer = await attach(cloud, cloud.demo, server["id"], volumeId=volume["id"])
            assert answer.status_code == 202, answer.text
        shown = await read(volumes, "volume", volume["id"])
        assert {a["server_id"] for a in shown["attachments"]} == {first["id"], second["id"]}
        path = f"{COMPUTE}/servers/{first['id']}/os-volume_attachments/{volume['id']}"
        assert (await cloud.demo.delete(path)).status_code == 202
        await cloud.settled()
        shown = await read(volumes, "volume", volume["id"])
        assert (shown["status"], [a["server_id"] for a in shown["attachments"]]) == ("in-use", [second["id"]])
        old = await cloud.as_demo(version="compute 2.59")
        refused = await attach(cloud, old, first["id"], volumeId=volume["id"])
        assert (refused.status_code, "2.60" in message(refused)) == (400, True)


async def test_a_volume_grows_under_its_server_file_and_all() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        volumes = await volume_client(cloud)
        server, volume = await cloud.a_server(), await a_volume(cloud, volumes)
        assert (await attach(cloud, cloud.demo, server["id"], volumeId=volume["id"])).is_success
        assert (await act(volumes, volume["id"], "os-extend", {"new_size": 3})).status_code == 202
        await cloud.settled()
        shown = await read(await volume_admin(cloud), "volume", volume["id"])
        assert (shown["status"], shown["size"]) == ("in-use", 3)
        where = volume_calls.LocateVolume(volume_id=volume["id"])
        file = await ask(cloud.cloud.world, shown["os-vol-host-attr:host"], where)
        assert file.virtual_size == 3 << 30
