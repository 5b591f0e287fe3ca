"""Evacuating over HTTP, and what becomes of the host that returns."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import anyio
import pytest

from tests.api.compute.test_resizes import events, host_of, memory_claimed, moves
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack, hosts=3)


async def force(cloud: TestedCloud, host: str, *, down: bool) -> None:
    """Say of a host that it is down, as whoever has switched it off does; or no longer."""
    services = (await cloud.admin.get("/compute/v2.1/os-services", params={"host": host})).json()["services"]
    [service] = [one for one in services if one["binary"] == "nova-compute"]
    answer = await cloud.admin.put(f"/compute/v2.1/os-services/{service['id']}", json={"forced_down": down})
    assert answer.status_code == 200, answer.text


async def test_it_goes_on_elsewhere_and_the_old_host_is_cleaned(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    refused = await cloud.act(server["id"], {"evacuate": {}}, cloud.admin)
    assert (refused.status_code, refused.json()["badRequest"]["message"]) == (
        400,
        f"Compute service of {source} is still in use.",
    )
    await force(cloud, source, down=True)
    old = at(await cloud.as_admin(), "2.94")
    answer = await cloud.act(server["id"], {"evacuate": {"adminPass": "new"}}, old)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await cloud.server(server["id"]))["status"] == "REBUILD"
    await cloud.settled()
    after = await cloud.server(server["id"])
    assert (after["status"], after["addresses"]) == ("ACTIVE", server["addresses"])
    assert await host_of(cloud, server["id"]) != source
    assert await memory_claimed(cloud) == {"INSTANCE": 1024}, "the old host's place is kept until it returns"
    [move] = await moves(cloud, migration_type="evacuation")
    assert (move["status"], move["source_compute"]) == ("done", source)
    assert await events(cloud, server["id"]) == (
        "evacuate",
        [("rebuild_server", "Success"), ("compute_rebuild_instance", "Success")],
    )
    assert await cloud.hypervisor(source).machine(server["id"]) is not None
    await force(cloud, source, down=False)
    await cloud.reconciled()
    await cloud.reconciled()
    assert await cloud.hypervisor(source).machine(server["id"]) is None
    assert await memory_claimed(cloud) == {"INSTANCE": 512}
    assert [m["status"] for m in await moves(cloud)] == ["completed"]


async def test_a_host_that_is_said_to_be_back_is_cleaned_at_once() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=3, reconcile_interval=1e6)
        server = await cloud.a_server()
        source = await host_of(cloud, server["id"])
        await force(cloud, source, down=True)
        assert (await cloud.act(server["id"], {"evacuate": {}}, cloud.admin)).status_code == 200
        await cloud.settled()
        await anyio.wait_all_tasks_blocked()
        assert await cloud.hypervisor(source).machine(server["id"]) is not None
        await force(cloud, source, down=False)
        await anyio.sleep(1)  # of an interval of a million
        assert await cloud.hypervisor(source).machine(server["id"]) is None


async def test_since_2_95_it_is_off_afterwards(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    await force(cloud, source, down=True)
    target = next(host for host in ("host-1", "host-2", "host-3") if host != source)
    answer = await cloud.act(server["id"], {"evacuate": {"host": target}}, cloud.admin)
    assert answer.status_code == 200
    await cloud.settled()
    assert (await cloud.server(server["id"]))["status"] == "SHUTOFF"
    assert await host_of(cloud, server["id"]) == target


@pytest.mark.parametrize(
    ("version", "body", "status", "words"),
    [
        ("2.95", {"host": "moon"}, 404, "Compute host moon not found."),
        ("2.95", {"host": "host-1"}, 400, "The target host can't be the same one."),
        ("2.95", {"force": True, "host": "host-2"}, 400, "Additional properties"),
        ("2.60", {"force": True}, 400, "Can't force to a non-provided destination"),
        ("2.1", {}, 400, "onSharedStorage"),
        ("2.1", {"onSharedStorage": True, "adminPass": "x"}, 400, "admin password can't be changed on existing disk"),
    ],
)
async def test_what_is_refused(
    cloud: TestedCloud, version: str, body: dict[str, object], status: int, words: str
) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    body = {name: source if value == "host-1" else value for name, value in body.items()}
    await force(cloud, source, down=True)
    answer = await cloud.act(server["id"], {"evacuate": body}, at(await cloud.as_admin(), version))
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert (await cloud.act(server["id"], {"evacuate": {}})).status_code == 403


async def test_what_fails_is_in_error_on_its_old_host(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    await force(cloud, source, down=True)
    old = at(await cloud.as_admin(), "2.1")
    answer = await cloud.act(server["id"], {"evacuate": {"onSharedStorage": "True"}}, old)
    assert (answer.status_code, answer.json()) == (200, {"adminPass": None})
    await cloud.settled()
    after = await cloud.server(server["id"])
    assert (after["status"], after["fault"]["message"]) == (
        "ERROR",
        "Invalid state of instance files on shared storage",
    )
    told = await cloud.act(server["id"], {"evacuate": {"onSharedStorage": False}}, old)
    assert len(told.json()["adminPass"]) == 12
    await cloud.settled()
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
    assert [m["status"] for m in await moves(cloud)] == ["done", "error"]
