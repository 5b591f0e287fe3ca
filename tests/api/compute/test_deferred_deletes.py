"""Servers that are deleted for the time being: out of sight, out of the quota, back when they are wanted, gone after a while."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.api.compute.test_resizes import act, memory_claimed
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
SERVERS = "/compute/v2.1/servers"


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack, reclaim_instance_interval=3600.0)


async def in_use(cloud: TestedCloud) -> int:
    answer = await cloud.demo.get("/compute/v2.1/limits")
    return int(answer.json()["limits"]["absolute"]["totalInstancesUsed"])


async def listed(cloud: TestedCloud, **filters: str) -> list[str]:
    client = cloud.admin if filters else cloud.demo
    filters = {**filters, "all_tenants": "1"} if filters else {}
    return [server["id"] for server in (await client.get(SERVERS, params=filters)).json()["servers"]]


async def test_it_can_be_restored_for_a_while(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    assert (await cloud.demo.delete(f"{SERVERS}/{server['id']}")).status_code == 204
    await cloud.settled()
    gone = await cloud.server(server["id"])
    assert (gone["status"], gone["OS-EXT-STS:power_state"]) == ("SOFT_DELETED", 4)
    assert (await listed(cloud), await in_use(cloud)) == ([], 0)
    assert await listed(cloud, deleted="1") == [server["id"]]
    assert await listed(cloud, status="SOFT_DELETED") == [server["id"]]
    assert await memory_claimed(cloud) == {"INSTANCE": 512}
    assert (await cloud.act(server["id"], {"os-start": None})).status_code == 409
    assert (await cloud.demo.delete(f"{SERVERS}/{server['id']}")).status_code == 204
    await act(cloud, server, {"restore": None})
    back = await cloud.server(server["id"])
    assert (back["status"], back["addresses"]) == ("ACTIVE", server["addresses"])
    assert (await listed(cloud), await in_use(cloud)) == ([server["id"]], 1)
    words = f"Cannot 'restore' instance {server['id']} while it is in vm_state active"
    refused = await cloud.act(server["id"], {"restore": None})
    assert (refused.status_code, refused.json()["conflictingRequest"]["message"]) == (409, words)


async def test_it_counts_again_when_it_comes_back(cloud: TestedCloud) -> None:
    servers = [await cloud.a_server(name=f"web{n}") for n in range(2)]
    await cloud.demo.delete(f"{SERVERS}/{servers[0]['id']}")
    await cloud.settled()
    project = (await cloud.server(servers[1]["id"]))["tenant_id"]
    limits = {"quota_set": {"instances": 1, "force": True}}
    assert (await cloud.admin.put(f"/compute/v2.1/os-quota-sets/{project}", json=limits)).status_code == 200
    assert (await cloud.act(servers[0]["id"], {"restore": None})).status_code == 403


async def test_it_is_gone_after_a_while_or_at_once_by_force(cloud: TestedCloud) -> None:
    kept, forced = [await cloud.a_server(name=f"web{n}") for n in range(2)]
    for server in (kept, forced):
        await cloud.demo.delete(f"{SERVERS}/{server['id']}")
    await cloud.settled()
    await act(cloud, forced, {"forceDelete": None})
    assert (await cloud.demo.get(f"{SERVERS}/{forced['id']}")).status_code == 404
    await cloud.reconciled()
    await cloud.settled()
    assert (await cloud.server(kept["id"]))["status"] == "SOFT_DELETED"
    cloud.clock.jump(hours=2)
    assert len((await cloud.reconciled())["deadlines"]) == 1
    await cloud.settled()
    assert (await cloud.demo.get(f"{SERVERS}/{kept['id']}")).status_code == 404
    assert await memory_claimed(cloud) == {}


async def test_a_resize_is_confirmed_by_itself_and_a_shelf_is_left() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2, resize_confirm_window=600.0, shelved_offload_time=600.0)
        resized, shelved = [await cloud.a_server(name=f"web{n}") for n in range(2)]
        await act(cloud, resized, {"resize": {"flavorRef": "2"}})
        await act(cloud, shelved, {"shelve": None})
        assert (await cloud.reconciled())["deadlines"] == []
        cloud.clock.jump(hours=1)
        assert len((await cloud.reconciled())["deadlines"]) == 2
        await cloud.settled()
        assert (await cloud.server(resized["id"]))["status"] == "ACTIVE"
        assert (await cloud.server(shelved["id"]))["status"] == "SHELVED_OFFLOADED"
        assert (await cloud.reconciled())["deadlines"] == []
