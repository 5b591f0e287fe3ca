"""Resizing and cold migration over HTTP: what changes, what two places a server has meanwhile, what is refused and how."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.compute import at

pytestmark = pytest.mark.anyio


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack, hosts=3)


async def host_of(cloud: TestedCloud, server_id: str) -> str:
    return str((await cloud.server(server_id, cloud.admin))["OS-EXT-SRV-ATTR:host"])


async def memory_claimed(cloud: TestedCloud) -> dict[str, int]:
    """MiB by consumer type."""
    rows = await cloud.read(
        lambda tx: tx.all(
            "SELECT c.consumer_type, sum(a.used) FROM placement_allocations a JOIN placement_consumers c "
            "ON c.id = a.consumer_id WHERE a.resource_class = 'MEMORY_MB' GROUP BY c.consumer_type"
        )
    )
    return dict(rows)


async def events(cloud: TestedCloud, server_id: str) -> tuple[str, list[tuple[str, str]]]:
    """The newest action, and its events in order with their results."""
    path = f"/compute/v2.1/servers/{server_id}/os-instance-actions"
    action = (await cloud.admin.get(path)).json()["instanceActions"][0]
    shown = (await cloud.admin.get(f"{path}/{action['request_id']}")).json()["instanceAction"]
    return action["action"], [(event["event"], event["result"]) for event in reversed(shown["events"])]


async def moves(cloud: TestedCloud, **filters: str) -> list[dict[str, Any]]:
    answer = await cloud.admin.get("/compute/v2.1/os-migrations", params=filters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["migrations"]
    return found


async def act(cloud: TestedCloud, server: dict[str, Any], action: dict[str, Any], *, admin: bool = False) -> None:
    answer = await cloud.act(server["id"], action, cloud.admin if admin else None)
    assert answer.status_code in (202, 204), answer.text
    await cloud.settled()


async def test_a_resize_waits_for_its_verdict_with_two_places(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    answer = await cloud.act(server["id"], {"resize": {"flavorRef": "2"}})
    assert (answer.status_code, answer.content) == (202, b"")
    shown = await cloud.server(server["id"])
    assert (shown["status"], shown["OS-EXT-STS:task_state"]) == ("RESIZE", "resize_prep")
    await cloud.settled()
    after = await cloud.server(server["id"])
    assert (after["status"], after["OS-EXT-STS:vm_state"]) == ("VERIFY_RESIZE", "resized")
    assert (after["flavor"]["ram"], after["addresses"]) == (2048, server["addresses"])
    assert await memory_claimed(cloud) == {"INSTANCE": 2048, "MIGRATION": 512}
    [move] = await moves(cloud)
    dest = await host_of(cloud, server["id"])
    assert (move["status"], move["migration_type"]) == ("finished", "resize")
    assert (move["source_compute"], move["dest_compute"], move["instance_uuid"]) == (source, dest, server["id"])
    assert (move["old_instance_type_id"], move["new_instance_type_id"]) == (1, 2)
    assert await events(cloud, server["id"]) == (
        "resize",
        [
            ("conductor_migrate_server", "Success"),
            ("compute_prep_resize", "Success"),
            ("compute_resize_instance", "Success"),
            ("compute_finish_resize", "Success"),
        ],
    )
    # The old guest and its disks are no leftovers before the verdict.
    await cloud.reconciled()
    assert (await cloud.hypervisor(source).machine(server["id"])) is not None
    confirmed = await cloud.act(server["id"], {"confirmResize": None})
    assert (confirmed.status_code, confirmed.content) == (204, b"")
    await cloud.settled()
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
    assert await memory_claimed(cloud) == {"INSTANCE": 2048}
    assert [m["status"] for m in await moves(cloud)] == ["confirmed"]
    if source != dest:
        assert await cloud.hypervisor(source).machine(server["id"]) is None


async def test_a_revert_brings_back_what_was(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    await act(cloud, server, {"resize": {"flavorRef": "2"}})
    reverting = await cloud.act(server["id"], {"revertResize": None})
    assert reverting.status_code == 202
    assert (await cloud.server(server["id"]))["status"] == "REVERT_RESIZE"
    await cloud.settled()
    after = await cloud.server(server["id"])
    assert (after["status"], after["flavor"], after["addresses"]) == ("ACTIVE", server["flavor"], server["addresses"])
    assert await host_of(cloud, server["id"]) == source
    assert await memory_claimed(cloud) == {"INSTANCE": 512}
    assert [m["status"] for m in await moves(cloud)] == ["reverted"]
    assert (await events(cloud, server["id"]))[1] == [
        ("compute_revert_resize", "Success"),
        ("compute_finish_revert_resize", "Success"),
    ]


async def test_a_stopped_server_stays_off(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    await act(cloud, server, {"os-stop": None})
    await act(cloud, server, {"migrate": None}, admin=True)
    assert (await cloud.server(server["id"]))["status"] == "VERIFY_RESIZE"
    await act(cloud, server, {"confirmResize": None})
    assert (await cloud.server(server["id"]))["status"] == "SHUTOFF"
    await act(cloud, server, {"os-start": None})
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
    await act(cloud, server, {"os-stop": None})
    await act(cloud, server, {"migrate": None}, admin=True)
    await act(cloud, server, {"confirmResize": None})
    await act(cloud, server, {"reboot": {"type": "HARD"}})
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"


async def test_a_migration_goes_where_it_is_sent(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    target = next(host for host in ("host-1", "host-2", "host-3") if host != source)
    refused = await cloud.act(server["id"], {"migrate": {"host": source}}, cloud.admin)
    assert (refused.status_code, refused.json()["badRequest"]["message"]) == (
        400,
        "Cannot migrate to the host where the server exists.",
    )
    nowhere = await cloud.act(server["id"], {"migrate": {"host": "moon"}}, cloud.admin)
    assert (nowhere.status_code, nowhere.json()["badRequest"]["message"]) == (
        400,
        "Compute host moon could not be found.",
    )
    assert (await cloud.act(server["id"], {"migrate": {"host": target}})).status_code == 403
    await act(cloud, server, {"migrate": {"host": target}}, admin=True)
    assert await host_of(cloud, server["id"]) == target
    [move] = await moves(cloud, migration_type="migration", host=target)
    assert (move["status"], move["old_instance_type_id"] == move["new_instance_type_id"]) == ("finished", True)
    assert (await events(cloud, server["id"]))[0] == "migrate"
    old = at(await cloud.as_admin(), "2.55")
    assert (await cloud.act(server["id"], {"migrate": {"host": "moon"}}, old)).status_code == 409


@pytest.mark.parametrize(
    ("flavor", "status", "words"),
    [
        ("1", 400, "When resizing, instances must change flavor!"),
        ("nonsense", 400, "Flavor nonsense could not be found."),
        ("", 400, ""),
        ("zero", 400, "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed."),
        ("huge", 403, "Quota exceeded for cores"),
    ],
)
async def test_what_a_server_cannot_become(cloud: TestedCloud, flavor: str, status: int, words: str) -> None:
    for name, vcpus, disk in (("zero", 1, 0), ("huge", 64, 10)):
        wanted = {"name": name, "id": name, "vcpus": vcpus, "ram": 512, "disk": disk}
        await cloud.admin.post("/compute/v2.1/flavors", json={"flavor": wanted})
    server = await cloud.a_server()
    answer = await cloud.act(server["id"], {"resize": {"flavorRef": flavor}})
    assert answer.status_code == status
    assert words in answer.text
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
    assert await moves(cloud) == []


async def test_a_disk_does_not_shrink(cloud: TestedCloud) -> None:
    server = await cloud.a_server(flavorRef="2")
    await act(cloud, server, {"resize": {"flavorRef": "1"}})
    after = await cloud.server(server["id"])
    assert (after["status"], after["flavor"]) == ("ACTIVE", server["flavor"])
    assert [m["status"] for m in await moves(cloud)] == ["error"]
    path = f"/compute/v2.1/servers/{server['id']}/os-instance-actions"
    action = (await cloud.admin.get(path)).json()["instanceActions"][0]
    shown = (await cloud.admin.get(f"{path}/{action['request_id']}")).json()["instanceAction"]
    assert shown["events"][0]["event"] == "compute_prep_resize"
    assert shown["events"][0]["details"] == "Resize error: Unable to resize disk down."


async def test_what_was_never_resized_has_no_verdict(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    for action in ("confirmResize", "revertResize"):
        answer = await cloud.act(server["id"], {action: None})
        words = f"Cannot '{action}' instance {server['id']} while it is in vm_state active"
        assert (answer.status_code, answer.json()["conflictingRequest"]["message"]) == (409, words)


async def only(cloud: TestedCloud, host: str) -> None:
    """No other host takes servers."""
    services = (await cloud.admin.get("/compute/v2.1/os-services?binary=nova-compute")).json()["services"]
    for service in services:
        if service["host"] != host:
            path = f"/compute/v2.1/os-services/{service['id']}"
            await cloud.admin.put(path, json={"status": "disabled"})


async def test_no_host_is_a_failed_event_and_nothing_else(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    await only(cloud, source)
    await act(cloud, server, {"migrate": None}, admin=True)
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
    assert await events(cloud, server["id"]) == ("migrate", [("conductor_migrate_server", "Error")])
    assert [m["status"] for m in await moves(cloud)] == ["error"]
    assert await memory_claimed(cloud) == {"INSTANCE": 512}


@pytest.mark.parametrize("same_host", [False, True])
async def test_a_failure_on_the_new_host_leaves_an_error_there(cloud: TestedCloud, same_host: bool) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    if same_host:
        await only(cloud, source)
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.set([Fault(verb="ensure_running", error=ErrorFacts("failed", "no such luck"))])
    await act(cloud, server, {"resize": {"flavorRef": "2"}})
    after = await cloud.server(server["id"])
    assert (after["status"], after["fault"]["message"]) == ("ERROR", "no such luck")
    here = await host_of(cloud, server["id"])
    assert (after["flavor"]["original_name"], here == source) == ("m1.small", same_host)
    assert (after["OS-EXT-STS:power_state"], after["OS-EXT-STS:task_state"]) == (4, None)
    assert (await events(cloud, server["id"]))[1][-1] == ("compute_finish_resize", "Error")
    assert [m["status"] for m in await moves(cloud)] == ["error"]
    assert await memory_claimed(cloud) == {"INSTANCE": 2048}
    refused = await cloud.act(server["id"], {"revertResize": None})
    assert refused.status_code == 409, refused.text
    await act(cloud, server, {"reboot": {"type": "HARD"}})
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
    [machine] = [row.machine for row in (cloud.hypervisor(here)._machines[server["id"]],)]
    assert machine.memory_mb == 2048
    await cloud.reconciled()
    machines = [await cloud.hypervisor(f"host-{n}").machines() for n in (1, 2, 3)]
    assert sum(len(found) for found in machines) == 1
    assert await cloud.stuck() == []


async def test_a_failure_on_the_way_leaves_an_error_on_the_old_host(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    source = await host_of(cloud, server["id"])
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.set([Fault(verb="ensure_unpacked", error=ErrorFacts("failed", "no room"))])
    await act(cloud, server, {"migrate": None}, admin=True)
    after = await cloud.server(server["id"])
    assert (after["status"], after["fault"]["message"]) == ("ERROR", "no room")
    assert (after["flavor"], await host_of(cloud, server["id"])) == (server["flavor"], source)
    assert (await events(cloud, server["id"]))[1][-1] == ("compute_resize_instance", "Error")
    assert [m["status"] for m in await moves(cloud)] == ["error"]
    assert await memory_claimed(cloud) == {"INSTANCE": 512}
    assert (await cloud.act(server["id"], {"os-resetState": {"state": "active"}}, cloud.admin)).status_code == 202
    assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
    await act(cloud, server, {"migrate": None}, admin=True)
    assert (await cloud.server(server["id"]))["status"] == "VERIFY_RESIZE"
    await cloud.reconciled()
    assert await cloud.stuck() == []


async def test_a_resized_server_can_be_deleted(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    await act(cloud, server, {"resize": {"flavorRef": "2"}})
    assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")).status_code == 204
    await cloud.settled()
    assert await memory_claimed(cloud) == {}
    assert [m["status"] for m in await moves(cloud)] == ["confirmed"]
    for host in ("host-1", "host-2", "host-3"):
        assert await cloud.hypervisor(host).machines() == []
