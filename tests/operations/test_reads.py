"""What the command line reads of a cloud's rows: subjects of stories, sagas, images, the cloud at a glance."""

from contextlib import AsyncExitStack
from functools import partial

import anyio
import pytest

from minicloud.base.errors import Conflict, NotFound
from minicloud.cli import explain, story
from minicloud.operations import reads
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.volume import a_volume, volume_client

pytestmark = pytest.mark.anyio


async def the_subject(cloud: TestedCloud, text: str) -> reads.Subject:
    return await cloud.read(lambda tx: reads.subject(tx, text))


async def test_a_server_is_found_by_id_and_by_name_with_everything_that_was_asked_of_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server(name="web")
        await anyio.sleep(1)
        stopped = await cloud.act(server["id"], {"os-stop": None})
        await cloud.settled()
        found = await the_subject(cloud, "web")
        assert found == await the_subject(cloud, server["id"])
        assert (found.kind, found.id, found.state) == ("server", server["id"], "SHUTOFF")
        assert [saga.kind for saga in found.sagas] == ["CreateServer", "StopServer"]
        assert found.request_ids[-1] == stopped.headers["x-openstack-request-id"]
        assert [line.step for line in found.sagas[0].log if line.event == "done"][-1] == "publish"


async def test_a_deleted_server_is_still_explained_by_its_name() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server(name="gone")
        await anyio.sleep(1)
        await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
        await cloud.settled()
        found = await the_subject(cloud, "gone")
        assert (found.id, found.state) == (server["id"], "DELETED")
        assert [saga.kind for saga in found.sagas] == ["CreateServer", "DeleteServer"]


async def test_requests_and_sagas_are_subjects_too() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        create = (await the_subject(cloud, server["id"])).sagas[0]
        by_saga, by_request = await the_subject(cloud, create.id), await the_subject(cloud, create.request_id)
        assert (by_saga.kind, by_saga.resource, by_saga.state) == ("saga", server["id"], "finished")
        assert (by_request.kind, [saga.id for saga in by_request.sagas]) == ("request", [create.id])


async def test_what_nobody_knows_and_what_two_servers_are_called_is_refused() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        with pytest.raises(NotFound, match="nothing here is called ghost: give the name or id of a server, volume"):
            await the_subject(cloud, "ghost")
        for _ in range(2):
            await cloud.a_server(name="twin")
        with pytest.raises(Conflict, match="2 servers are named twin"):
            await the_subject(cloud, "twin")


async def test_a_real_create_is_told_from_policy_to_power_on_with_names_for_ids() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        await cloud.a_server(name="web")
        subject = await the_subject(cloud, "web")
        notes = [note for note in cloud.notes.notes if note.request_id in subject.request_ids]
        names = await cloud.read(lambda tx: reads.names(tx, explain.mentioned(notes)))
        told = "\n".join(story.written(subject, story.tell(subject, notes, names)))
        for part in (
            "POST /compute/v2.1/servers",
            "for demo",
            "policy os_compute_api:servers:create allows it",
            "for project demo",
            "Placement finds 2 candidates",
            "filter ComputeFilter passes host host-1",
            "filter ComputeFilter passes host host-2",
            "is chosen of 2; alternates",
            "claimed: 1 VCPU, 512 MEMORY_MB, 1 DISK_GB on host-",
            "is made on network private with",
            "CreateServer: step spawn is done",
            "CreateServer has finished",
        ):
            assert part in told, f"{part} is missing in\n{told}"


async def test_the_cloud_at_a_glance() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        first = await cloud.a_server(name="one")
        await cloud.a_server(name="two")
        await cloud.act(first["id"], {"os-stop": None})
        await cloud.settled()
        seen = await cloud.read(reads.glance)
        assert seen.servers == {"ACTIVE": 1, "SHUTOFF": 1}
        assert [host["host"] for host in seen.hosts] == ["host-1", "host-2"]
        assert all(host["enabled"] and host["vcpus"] for host in seen.hosts)
        assert (seen.open_sagas, seen.stuck_sagas) == (0, 0)


async def test_sagas_are_listed_and_those_that_ended_only_when_asked_for() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await cloud.a_server()
        assert await cloud.read(reads.sagas) == []
        ended = await cloud.read(partial(reads.sagas, ended=True))
        assert {(saga.kind, saga.state) for saga in ended} == {
            ("CreateServer", "finished"),
            ("ImportImage", "finished"),
        }
        assert len(await cloud.read(partial(reads.sagas, ended=True, limit=1))) == 1


async def test_images_are_listed() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        [image] = await cloud.read(reads.images)
        assert (image["name"], image["status"], image["visibility"]) == ("minilinux", "active", "public")


async def test_a_volume_is_found_by_name_and_one_that_is_no_more_by_what_was_done_to_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        demo = await volume_client(cloud)
        volume = await a_volume(cloud, demo, name="data")
        found = await cloud.read(lambda tx: reads.subject(tx, "data"))
        assert (found.kind, found.id, found.state) == ("volume", volume["id"], "available")
        assert [saga.kind for saga in found.sagas] == ["CreateVolume"]
        await anyio.sleep(1)
        await demo.delete(f"/volume/v3/volumes/{volume['id']}")
        await cloud.settled()
        gone = await cloud.read(lambda tx: reads.subject(tx, volume["id"]))
        assert (gone.kind, [saga.kind for saga in gone.sagas]) == ("resource", ["CreateVolume", "DeleteVolume"])
