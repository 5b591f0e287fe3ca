"""Quotas bind exactly, however many ask at the same moment, whoever makes what is counted: the API or the build of a server."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx
import pytest

from tests.support.clouds import TestedCloud, a_cloud
from tests.support.volume import VOLUME, volume_admin, volume_client

pytestmark = pytest.mark.anyio
AT_ONCE = 100
UNLIMITED = {"instances": -1, "cores": -1, "ram": -1}


async def all_at_once(ask: Callable[[int], Awaitable[httpx.Response]]) -> Counter[int]:
    """How often each status was answered."""
    found: Counter[int] = Counter()

    async def one(number: int) -> None:
        found[(await ask(number)).status_code] += 1

    async with anyio.create_task_group() as tasks:
        for number in range(AT_ONCE):
            tasks.start_soon(one, number)
    return found


async def prepared(cloud: TestedCloud) -> str:
    """The project demo may have any number of servers; its id."""
    found = (await cloud.admin.get("/identity/v3/projects", params={"name": "demo"})).json()["projects"]
    project: str = found[0]["id"]
    answer = await cloud.admin.put(f"/compute/v2.1/os-quota-sets/{project}", json={"quota_set": UNLIMITED})
    assert answer.status_code == 200, answer.text
    return project


async def servers(cloud: TestedCloud) -> dict[str, list[dict[str, Any]]]:
    """The servers by status."""
    found = (await cloud.demo.get("/compute/v2.1/servers/detail")).json()["servers"]
    return {status: [s for s in found if s["status"] == status] for status in {s["status"] for s in found}}


@pytest.mark.parametrize("limit", [{"gigabytes": 14}, {"volumes": 7, "gigabytes": -1}], ids=["gigabytes", "volumes"])
async def test_volumes_that_servers_boot_from(limit: dict[str, int]) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=10)
        project, image = await prepared(cloud), await cloud.image_id()
        volumes, admin = await volume_client(cloud), await volume_admin(cloud)
        answer = await admin.put(f"{VOLUME}/os-quota-sets/{project}", json={"quota_set": limit})
        assert answer.status_code == 200, answer.text
        root = {"uuid": image, "source_type": "image", "destination_type": "volume", "boot_index": 0, "volume_size": 2,
                "delete_on_termination": True}  # fmt: skip

        async def ask(number: int) -> httpx.Response:
            return await cloud.ask_server(name=f"web{number}", imageRef=None, block_device_mapping_v2=[root])

        assert await all_at_once(ask) == {202: AT_ONCE}
        await cloud.settled()
        found = await servers(cloud)
        assert {status: len(those) for status, those in found.items()} == {"ACTIVE": 7, "ERROR": AT_ONCE - 7}
        assert all("aborted: Volume" in server["fault"]["message"] for server in found["ERROR"])
        stored = (await volumes.get(f"{VOLUME}/volumes/detail")).json()["volumes"]
        assert [volume["status"] for volume in stored] == ["in-use"] * 7
        used = (await admin.get(f"{VOLUME}/os-quota-sets/{project}", params={"usage": "True"})).json()["quota_set"]
        assert (used["volumes"]["in_use"], used["gigabytes"]["in_use"]) == (7, 14)
        assert await cloud.stuck() == []


async def test_ports_of_servers() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=10)
        project = await prepared(cloud)
        assert (await cloud.a_server(name="first"))["status"] == "ACTIVE"
        have = len((await cloud.demo.get("/network/v2.0/ports", params={"project_id": project})).json()["ports"])
        limit = {"quota": {"port": have + 8}}
        assert (await cloud.admin.put(f"/network/v2.0/quotas/{project}", json=limit)).status_code == 200

        async def ask(number: int) -> httpx.Response:
            return await cloud.ask_server(name=f"web{number}")

        answers = await all_at_once(ask)
        assert set(answers) <= {202, 403}
        await cloud.settled()
        found = await servers(cloud)
        assert len(found["ACTIVE"]) == 1 + 8
        assert len(found.get("ERROR", [])) == answers[202] - 8
        words = "aborted: Failed to allocate the network(s), not rescheduling."
        assert all(words in server["fault"]["message"] for server in found.get("ERROR", []))
        refused = await cloud.ask_server(name="late")
        assert (refused.status_code, refused.json()["forbidden"]["message"]) == (
            403,
            "Maximum number of ports exceeded",
        )
        now = (await cloud.demo.get("/network/v2.0/ports", params={"project_id": project})).json()["ports"]
        assert len(now) == have + 8


async def test_ports_volumes_and_floating_addresses_by_themselves() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        project = await prepared(cloud)
        admin, volumes = await volume_admin(cloud), await volume_client(cloud)
        networks = (await cloud.admin.get("/network/v2.0/networks")).json()["networks"]
        outside = next(n["id"] for n in networks if n["router:external"])
        inside = (await cloud.demo.post("/network/v2.0/networks", json={"network": {"name": "n"}})).json()["network"][
            "id"
        ]
        had = (await cloud.demo.get("/network/v2.0/ports", params={"project_id": project})).json()["ports"]
        limits = {"quota": {"port": len(had) + 9, "floatingip": 11}}
        assert (await cloud.admin.put(f"/network/v2.0/quotas/{project}", json=limits)).status_code == 200
        await admin.put(f"{VOLUME}/os-quota-sets/{project}", json={"quota_set": {"volumes": -1, "gigabytes": 13}})

        async def a_port(number: int) -> httpx.Response:
            return await cloud.demo.post("/network/v2.0/ports", json={"port": {"network_id": inside}})

        async def an_address(number: int) -> httpx.Response:
            wanted = {"floatingip": {"floating_network_id": outside}}
            return await cloud.demo.post("/network/v2.0/floatingips", json=wanted)

        async def a_volume(number: int) -> httpx.Response:
            return await volumes.post(f"{VOLUME}/volumes", json={"volume": {"size": 1}})

        assert await all_at_once(a_port) == {201: 9, 409: AT_ONCE - 9}
        assert await all_at_once(an_address) == {201: 11, 409: AT_ONCE - 11}
        assert await all_at_once(a_volume) == {202: 13, 413: AT_ONCE - 13}
        await cloud.settled()
        assert await cloud.stuck() == []
