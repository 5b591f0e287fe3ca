"""Shelving over HTTP: what a shelved server keeps and gives up, how it comes back, and what is refused."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.api.compute.test_resizes import act, events, host_of, memory_claimed
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack, hosts=2)


async def shelved_images(cloud: TestedCloud) -> list[str]:
    found = (await cloud.demo.get("/image/v2/images", params={"name": "web-shelved"})).json()["images"]
    return [image["status"] for image in found]


async def test_a_shelved_server_takes_no_room_and_comes_back(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    assert (await cloud.act(server["id"], {"shelve": None})).status_code == 202
    assert (await cloud.server(server["id"]))["OS-EXT-STS:task_state"] == "shelving"
    await cloud.settled()
    after = await cloud.server(server["id"], cloud.admin)
    assert (after["status"], after["OS-EXT-SRV-ATTR:host"]) == ("SHELVED_OFFLOADED", None)
    assert after["addresses"] == server["addresses"]
    assert (await memory_claimed(cloud), await shelved_images(cloud)) == ({}, ["active"])
    await act(cloud, server, {"unshelve": None})
    back = await cloud.server(server["id"])
    assert (back["status"], back["image"], back["addresses"]) == ("ACTIVE", server["image"], server["addresses"])
    assert (await memory_claimed(cloud), await shelved_images(cloud)) == ({"INSTANCE": 512}, [])
    assert await events(cloud, server["id"]) == (
        "unshelve",
        [("schedule_instances", "Success"), ("compute_unshelve_instance", "Success")],
    )
    await act(cloud, server, {"reboot": {"type": "HARD"}})
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"


async def test_it_goes_where_it_is_sent(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    zoned = {"unshelve": {"availability_zone": "nova"}}
    refused = await cloud.act(server["id"], zoned)
    assert refused.status_code == 409
    await act(cloud, server, {"shelve": None})
    target = "host-2"
    assert (await cloud.act(server["id"], {"unshelve": {"host": target}})).status_code == 403
    for body, status in (
        ({"availability_zone": "moon"}, 400),
        ({"host": "moon"}, 400),
        ({"nonsense": 1}, 400),
        ({"availability_zone": ""}, 202),
    ):
        if status == 400:
            answer = await cloud.act(server["id"], {"unshelve": body}, cloud.admin)
            assert answer.status_code == status, answer.text
    old = at(await cloud.as_demo(), "2.80")
    assert (await cloud.act(server["id"], {"unshelve": {}}, old)).status_code == 400
    await act(cloud, server, {"unshelve": {"host": target, "availability_zone": "nova"}}, admin=True)
    assert await host_of(cloud, server["id"]) == target


async def test_it_may_stay_on_its_host_for_a_while() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, shelved_offload_time=3600.0)
        server = await cloud.a_server()
        await act(cloud, server, {"shelve": None})
        assert (await cloud.server(server["id"]))["status"] == "SHELVED"
        early = await cloud.act(server["id"], {"unshelve": {"availability_zone": "nova"}})
        assert "The server status must be SHELVED_OFFLOADED" in early.text
        assert (await cloud.act(server["id"], {"shelveOffload": None})).status_code == 403
        await act(cloud, server, {"unshelve": None})
        assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
        await act(cloud, server, {"shelve": None})
        await act(cloud, server, {"shelveOffload": None}, admin=True)
        assert (await cloud.server(server["id"]))["status"] == "SHELVED_OFFLOADED"


async def test_a_shelved_server_is_deleted_with_its_image(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    await act(cloud, server, {"shelve": None})
    await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
    await cloud.settled()
    assert await shelved_images(cloud) == []
    await cloud.reconciled()
    assert await cloud.cloud.world.blobs.keys() == [await cloud.image_id()]
