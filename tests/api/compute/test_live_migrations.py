"""Live migration over HTTP: what is seen while a guest is on its way, how it is hurried and stopped, and what is refused."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.drivers.faults import Fault
from tests.api.compute.test_resizes import act, events, host_of, memory_claimed, moves
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio

AUTO = {"os-migrateLive": {"host": None, "block_migration": "auto"}}


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack, hosts=2)


def slow(cloud: TestedCloud, verb: str = "ensure_sent") -> None:
    """The next guest takes an hour for this."""
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.set([Fault(verb=verb, delay_s=3600.0)])


async def on_its_way(cloud: TestedCloud, server: dict[str, Any]) -> dict[str, Any]:
    """The live migration of a server, once it runs."""
    path = f"/compute/v2.1/servers/{server['id']}/migrations"
    for _ in range(100):
        found = (await cloud.admin.get(path)).json()["migrations"]
        if found and found[0]["memory_total_bytes"]:
            shown: dict[str, Any] = found[0]
            return shown
        await anyio.sleep(0.1)
    raise AssertionError("it never began")


async def test_it_goes_on_elsewhere(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    answer = await cloud.act(server["id"], AUTO, cloud.admin)
    assert (answer.status_code, answer.content) == (202, b"")
    assert (await cloud.server(server["id"]))["status"] == "MIGRATING"
    await cloud.settled()
    after = await cloud.server(server["id"])
    assert (after["status"], after["addresses"]) == ("ACTIVE", server["addresses"])
    dest = await host_of(cloud, server["id"])
    assert dest != source
    assert cloud.hypervisor(dest)._machines[server["id"]].boots == 1
    assert await cloud.hypervisor(source).machines() == []
    assert await memory_claimed(cloud) == {"INSTANCE": 512}
    [move] = await moves(cloud)
    assert (move["status"], move["migration_type"], move["dest_compute"]) == ("completed", "live-migration", dest)
    assert await events(cloud, server["id"]) == (
        "live-migration",
        [
            ("conductor_live_migrate_instance", "Success"),
            ("compute_pre_live_migration", "Success"),
            ("compute_live_migration", "Success"),
            ("compute_post_live_migration_at_destination", "Success"),
        ],
    )
    refused = await cloud.admin.get("/compute/v2.1/os-migrations", params={"marker": "nobody"})
    assert (refused.status_code, refused.json()["badRequest"]["message"]) == (400, "Marker nobody could not be found.")
    await cloud.reconciled()
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"


async def test_a_simulated_guest_takes_the_time_that_is_set() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2, fake_move_seconds=40)
        server = await cloud.a_server()
        seen = []
        await cloud.act(server["id"], AUTO, cloud.admin)
        for _ in range(2):
            shown = await on_its_way(cloud, server)
            assert shown["memory_processed_bytes"] + shown["memory_remaining_bytes"] == 512 << 20
            seen.append(shown["memory_processed_bytes"] / shown["memory_total_bytes"])
            await anyio.sleep(20)
        assert 0 < seen[0] < 0.2 < seen[1] < 0.8, seen
        await cloud.settled()
        assert (await cloud.server(server["id"]))["status"] == "ACTIVE"


async def test_a_paused_guest_stays_paused(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    await act(cloud, server, {"pause": None})
    await act(cloud, server, AUTO, admin=True)
    assert (await cloud.server(server["id"]))["status"] == "PAUSED"
    await act(cloud, server, {"unpause": None})
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"


async def test_its_way_can_be_watched_and_hurried(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    slow(cloud)
    await cloud.act(server["id"], AUTO, cloud.admin)
    move = await on_its_way(cloud, server)
    assert move["status"] == "running"
    total = 512 << 20
    assert (move["memory_total_bytes"], move["memory_processed_bytes"]) == (total, total // 2)
    path = f"/compute/v2.1/servers/{server['id']}/migrations/{move['id']}"
    assert (await cloud.admin.get(path)).json()["migration"] == move
    [listed] = await moves(cloud)
    assert listed["links"][0]["href"].endswith(f"/servers/{server['id']}/migrations/{move['id']}")
    assert await memory_claimed(cloud) == {"INSTANCE": 512, "MIGRATION": 512}
    hurried = await cloud.admin.post(f"{path}/action", json={"force_complete": None})
    assert (hurried.status_code, hurried.content) == (202, b"")
    await cloud.settled()
    assert [m["status"] for m in await moves(cloud)] == ["completed"]
    assert (await cloud.admin.get(path)).status_code == 404
    late = await cloud.admin.post(f"{path}/action", json={"force_complete": None})
    assert late.status_code == 409


async def test_it_can_be_stopped(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    slow(cloud)
    await cloud.act(server["id"], AUTO, cloud.admin)
    move = await on_its_way(cloud, server)
    path = f"/compute/v2.1/servers/{server['id']}/migrations/{move['id']}"
    assert (await cloud.admin.delete(path)).status_code == 202
    await cloud.settled()
    assert [m["status"] for m in await moves(cloud)] == ["cancelled"]
    assert ((await cloud.server(server["id"]))["status"], await host_of(cloud, server["id"])) == ("ACTIVE", source)
    assert await memory_claimed(cloud) == {"INSTANCE": 512}
    gone = await cloud.admin.delete(path)
    assert gone.status_code == 409


async def test_before_it_has_begun_it_can_be_stopped_since_2_65(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    slow(cloud, "ensure_awaited")
    await cloud.act(server["id"], AUTO, cloud.admin)
    for _ in range(20):
        await anyio.sleep(0.1)
    [move] = await moves(cloud)
    assert move["status"] == "preparing"
    path = f"/compute/v2.1/servers/{server['id']}/migrations/{move['id']}"
    assert (await at(await cloud.as_admin(), "2.64").delete(path)).status_code == 400
    assert (await cloud.admin.delete(path)).status_code == 202
    await cloud.settled()
    assert [m["status"] for m in await moves(cloud)] == ["cancelled"]
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"


async def test_a_server_on_its_way_can_be_deleted(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    slow(cloud)
    await cloud.act(server["id"], AUTO, cloud.admin)
    await on_its_way(cloud, server)
    await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
    await cloud.settled()
    assert await memory_claimed(cloud) == {}
    for host in ("host-1", "host-2"):
        assert await cloud.hypervisor(host).machines() == []


async def test_a_failure_leaves_it_where_it_was(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.set([Fault(verb="ensure_sent", error=ErrorFacts("failed", "the wire broke"))])
    await act(cloud, server, AUTO, admin=True)
    assert ((await cloud.server(server["id"]))["status"], await host_of(cloud, server["id"])) == ("ACTIVE", source)
    assert [m["status"] for m in await moves(cloud)] == ["failed"]
    assert (await events(cloud, server["id"]))[1][-1] == ("compute_live_migration", "Error")


@pytest.mark.parametrize(
    ("version", "body", "status", "words"),
    [
        ("2.95", {"host": "moon", "block_migration": "auto"}, 400, "Compute host moon could not be found."),
        ("2.95", {"block_migration": "auto"}, 400, "host"),
        ("2.95", {"host": None, "block_migration": "perhaps"}, 400, "block_migration"),
        ("2.95", {"host": "host-1", "block_migration": "auto", "force": True}, 400, "force"),
        ("2.30", {"host": None, "block_migration": "auto", "force": True}, 400, "Can't force to a non-provided"),
        ("2.24", {"host": None, "block_migration": True}, 400, "disk_over_commit"),
        ("2.1", {"host": "source", "block_migration": True, "disk_over_commit": False}, 400, "to current host"),
    ],
)
async def test_what_is_refused(cloud: TestedCloud, version: str, body: dict[str, Any], status: int, words: str) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    body = {name: source if value == "source" else value for name, value in body.items()}
    answer = await cloud.act(server["id"], {"os-migrateLive": body}, at(await cloud.as_admin(), version))
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert (await cloud.act(server["id"], AUTO)).status_code == 403
    assert await moves(cloud) == []


async def test_local_disks_have_to_go_along(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    wanted = {"os-migrateLive": {"host": None, "block_migration": False}}
    await act(cloud, server, wanted, admin=True)
    assert [m["status"] for m in await moves(cloud)] == ["error"]
    path = f"/compute/v2.1/servers/{server['id']}/os-instance-actions"
    action = (await cloud.admin.get(path)).json()["instanceActions"][0]
    shown = (await cloud.admin.get(f"{path}/{action['request_id']}")).json()["instanceAction"]
    assert "is not on shared storage" in shown["events"][0]["details"]
