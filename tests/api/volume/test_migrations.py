"""Migrations and retypes to another backend over HTTP: under guests, in Cinder's statuses, refused in its words."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx
import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud
from tests.support.volume import VOLUME, a_snapshot, a_volume, act, message, read, volume_admin, volume_client

pytestmark = pytest.mark.anyio
USUAL, SLOW = "control@fake#fake", "control@slow#slow"
HOST = "os-vol-host-attr:host"
STATUS = "os-vol-mig-status-attr:migstat"
REFUSED = (
    "Invalid volume: Volume {id} status must be available or in-use, must not be migrating, have snapshots, be replicated, be part "
    "of a group and destination host/cluster must be different than the current one"
)


async def two_backends(stack: AsyncExitStack) -> tuple[TestedCloud, httpx.AsyncClient, httpx.AsyncClient]:
    cloud = await a_cloud(stack, volume_backends="slow")
    return cloud, await volume_admin(cloud), await volume_client(cloud)


async def migrate(admin: httpx.AsyncClient, volume_id: str, host: str = SLOW, **more: Any) -> httpx.Response:
    return await act(admin, volume_id, "os-migrate_volume", {"host": host, **more})


async def used(cloud: TestedCloud, project: str = "demo") -> dict[str, Any]:
    """What counts of the project's quota of volumes."""
    client = await volume_client(cloud)
    project_id = (await read_any(client))["os-vol-tenant-attr:tenant_id"]
    answer = await client.get(f"{VOLUME}/os-quota-sets/{project_id}", params={"usage": "true"})
    return {name: one["in_use"] for name, one in answer.json()["quota_set"].items() if isinstance(one, dict)}


async def read_any(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{VOLUME}/volumes/detail")).json()["volumes"][0]
    return found


async def with_volume(cloud: TestedCloud, demo: httpx.AsyncClient) -> tuple[str, str]:
    """A server that has a volume; the ids of both."""
    server, volume = await cloud.a_server(), await a_volume(cloud, demo)
    body = {"volumeAttachment": {"volumeId": volume["id"]}}
    asked = await cloud.demo.post(f"/compute/v2.1/servers/{server['id']}/os-volume_attachments", json=body)
    assert asked.status_code in (200, 202), asked.text
    await cloud.settled()
    return server["id"], volume["id"]


def disk_of(cloud: TestedCloud, server_id: str, volume_id: str) -> str:
    """The file in which the simulated machine has the volume."""
    machine = cloud.hypervisor().known(server_id).machine
    return next(disk.path for disk in machine.disks if disk.serial == volume_id)


async def test_a_volume_goes_to_another_backend_and_back() -> None:
    async with AsyncExitStack() as stack:
        cloud, admin, demo = await two_backends(stack)
        volume = await a_volume(cloud, demo, metadata={"a": "b"})
        before = await used(cloud)
        for host, locked in ((SLOW, True), ("control@fake", False)):
            asked = await migrate(admin, volume["id"], host, lock_volume=locked, force_host_copy=True)
            assert asked.status_code == 202, asked.text
            seen = await read(admin, "volume", volume["id"])
            assert seen["status"] == ("maintenance" if locked else "available")
            assert seen[STATUS] in ("starting", "migrating")
            assert seen["migration_status"] == seen[STATUS]
            assert "migration_status" not in await read(demo, "volume", volume["id"])
            await cloud.settled()
            moved = await read(admin, "volume", volume["id"])
            assert (moved["status"], moved[STATUS], moved["metadata"]) == ("available", "success", {"a": "b"})
            assert moved[HOST].startswith(host)
        assert await used(cloud) == before
        assert "volume_moved" in cloud.notes.words()
        assert not any((await cloud.reconciled()).values())


async def test_a_volume_moves_under_its_guest() -> None:
    async with AsyncExitStack() as stack:
        cloud, admin, demo = await two_backends(stack)
        server, volume = await with_volume(cloud, demo)
        assert (await migrate(admin, volume)).status_code == 202
        # What would start the machine anew, and what would take the volume from it, has to wait.
        for action in ({"reboot": {"type": "HARD"}}, {"migrate": None}, {"shelve": None}):
            answer = await cloud.act(server, action, cloud.admin)
            assert answer.status_code == 409, answer.text
            assert "is being migrated" in message(answer)
        detached = await cloud.demo.delete(f"/compute/v2.1/servers/{server}/os-volume_attachments/{volume}")
        assert detached.status_code == 400
        assert (await act(demo, volume, "os-extend", {"new_size": 2})).status_code == 400
        await cloud.settled()
        moved = await read(admin, "volume", volume)
        assert (moved["status"], moved[HOST], moved[STATUS]) == ("in-use", SLOW, "success")
        assert disk_of(cloud, server, volume).startswith("/simulated/volumes-slow/")
        attachment = (await admin.get(f"{VOLUME}/attachments/{moved['attachments'][0]['attachment_id']}")).json()
        assert attachment["attachment"]["connection_info"]["data"]["device_path"] == disk_of(cloud, server, volume)
        actions = (await cloud.admin.get(f"/compute/v2.1/servers/{server}/os-instance-actions")).json()
        assert (actions["instanceActions"][0]["action"], actions["instanceActions"][0]["message"]) == (
            "swap_volume",
            None,
        )
        assert (await cloud.act(server, {"reboot": {"type": "HARD"}})).status_code == 202
        await cloud.settled()
        assert (
            await cloud.demo.delete(f"/compute/v2.1/servers/{server}/os-volume_attachments/{volume}")
        ).status_code == 202
        await cloud.settled()
        assert (await read(demo, "volume", volume))["status"] == "available"
        assert await cloud.stuck() == []


async def test_a_server_that_is_deleted_waits_for_its_volume() -> None:
    async with AsyncExitStack() as stack:
        cloud, admin, demo = await two_backends(stack)
        server, volume = await with_volume(cloud, demo)
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.faults.add(Fault(verb="ensure_disk_moved", delay_s=5))
        assert (await migrate(admin, volume)).status_code == 202
        await anyio.sleep(1)
        assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server}")).status_code == 204
        await cloud.settled()
        moved = await read(admin, "volume", volume)
        assert (moved["status"], moved[HOST], moved[STATUS]) == ("available", SLOW, "success")
        assert "migrations_awaited" in cloud.notes.words()
        assert (await cloud.reconciled())["storage_backends"] == []


async def test_a_volume_of_a_server_that_is_off_moves_too() -> None:
    async with AsyncExitStack() as stack:
        cloud, admin, demo = await two_backends(stack)
        server, volume = await with_volume(cloud, demo)
        assert (await cloud.act(server, {"os-stop": None})).status_code == 202
        await cloud.settled()
        assert (await migrate(admin, volume)).status_code == 202
        assert (await cloud.act(server, {"os-start": None})).status_code == 409
        await cloud.settled()
        assert (await read(admin, "volume", volume))[HOST] == SLOW
        assert (await cloud.act(server, {"os-start": None})).status_code == 202
        await cloud.settled()
        assert disk_of(cloud, server, volume).startswith("/simulated/volumes-slow/")


async def test_what_fails_leaves_the_volume_where_it_was() -> None:
    async with AsyncExitStack() as stack:
        cloud, admin, demo = await two_backends(stack)
        assert cloud.cloud.fake is not None
        volume = await a_volume(cloud, demo)
        full = ErrorFacts(meaning="failed", message="the disk is full")
        cloud.cloud.fake.faults.add(Fault(verb="ensure_imported", error=full))
        assert (await migrate(admin, volume["id"], lock_volume=True)).status_code == 202
        await cloud.settled()
        kept = await read(admin, "volume", volume["id"])
        assert (kept["status"], kept[HOST], kept[STATUS]) == ("available", USUAL, "error")
        server, volume_id = await with_volume(cloud, demo)
        host = (await read(admin, "volume", volume_id))[HOST]
        cloud.cloud.fake.faults.add(Fault(verb="ensure_disk_moved", error=full))
        other = USUAL if host == SLOW else SLOW
        assert (await migrate(admin, volume_id, other)).status_code == 202
        await cloud.settled()
        kept = await read(admin, "volume", volume_id)
        assert (kept["status"], kept[HOST], kept[STATUS]) == ("in-use", host, "error")
        actions = (await cloud.admin.get(f"/compute/v2.1/servers/{server}/os-instance-actions")).json()
        assert (actions["instanceActions"][0]["action"], actions["instanceActions"][0]["message"]) == (
            "swap_volume",
            "Error",
        )
        assert (await migrate(admin, volume_id, other)).status_code == 202
        await cloud.settled()
        assert (await read(admin, "volume", volume_id))[HOST] == other


async def test_whoever_takes_a_volume_that_is_not_locked_ends_its_migration() -> None:
    async with AsyncExitStack() as stack:
        cloud, admin, demo = await two_backends(stack)
        volume = await a_volume(cloud, demo)
        assert (await migrate(admin, volume["id"])).status_code == 202
        assert (await act(demo, volume["id"], "os-extend", {"new_size": 2})).status_code == 202
        again = await migrate(admin, volume["id"])
        assert again.status_code == 400
        await cloud.settled()
        kept = await read(admin, "volume", volume["id"])
        assert (kept["status"], kept["size"], kept[HOST], kept[STATUS]) == ("available", 2, USUAL, "error")
        assert not any((await cloud.reconciled()).values())


async def test_what_is_refused_and_in_which_words() -> None:
    async with AsyncExitStack() as stack:
        cloud, admin, demo = await two_backends(stack)
        volume = await a_volume(cloud, demo)
        assert (await migrate(demo, volume["id"])).status_code == 403
        for host in ("control@none", "nowhere"):
            answer = await migrate(admin, volume["id"], host)
            assert (answer.status_code, message(answer)) == (400, f"Invalid host: No available service named '{host}'")
        answer = await migrate(admin, volume["id"], USUAL)
        assert (answer.status_code, message(answer)) == (400, REFUSED.format(id=volume["id"]))
        answer = await act(admin, volume["id"], "os-migrate_volume", {"cluster": "some"})
        assert (answer.status_code, message(answer)) == (400, "Invalid host: No available service named 'some'")
        for body in ({}, {"host": SLOW, "cluster": "some"}):
            answer = await act(admin, volume["id"], "os-migrate_volume", body)
            assert "One and only one of cluster and host must be set." in message(answer)
        await a_snapshot(cloud, demo, volume["id"])
        answer = await migrate(admin, volume["id"])
        assert (answer.status_code, message(answer)) == (400, REFUSED.format(id=volume["id"]))
        await admin.put(f"{VOLUME}/os-services/disable", json={"binary": "cinder-volume", "host": "control@slow"})
        other = await a_volume(cloud, demo)
        assert "No available service" in message(await migrate(admin, other["id"]))
        done = await act(admin, other["id"], "os-migrate_volume_completion", {"new_volume": volume["id"]})
        assert (done.status_code, done.json()) == (200, {"save_volume_id": volume["id"]})
        await act(admin, other["id"], "os-reset_status", {"migration_status": "migrating"})
        done = await act(admin, other["id"], "os-migrate_volume_completion", {"new_volume": volume["id"]})
        assert message(done) == "Invalid volume: Destination volume not mid-migration."


async def test_a_backend_that_does_not_pass_the_filters_gets_no_volume() -> None:
    async with AsyncExitStack() as stack:
        cloud, admin, demo = await two_backends(stack)
        kind = {"name": "usual", "extra_specs": {"volume_backend_name": "fake"}}
        assert (await admin.post(f"{VOLUME}/types", json={"volume_type": kind})).status_code == 200
        volume = await a_volume(cloud, demo, volume_type="usual")
        assert (await migrate(admin, volume["id"], lock_volume=True)).status_code == 202
        await cloud.settled()
        kept = await read(admin, "volume", volume["id"])
        assert (kept["status"], kept[HOST], kept[STATUS]) == ("available", USUAL, "error")


@pytest.mark.parametrize("in_use", [False, True])
async def test_a_retype_on_demand_moves_the_volume_to_a_backend_of_its_type(in_use: bool) -> None:
    async with AsyncExitStack() as stack:
        cloud, admin, demo = await two_backends(stack)
        for name in ("slow", "none"):
            kind = {"name": name, "extra_specs": {"volume_backend_name": name}}
            assert (await admin.post(f"{VOLUME}/types", json={"volume_type": kind})).status_code == 200
        volume = (await with_volume(cloud, demo))[1] if in_use else (await a_volume(cloud, demo))["id"]
        known = "in-use" if in_use else "available"

        async def retype(name: str, policy: str) -> dict[str, Any]:
            body = {"new_type": name, "migration_policy": policy}
            assert (await act(demo, volume, "os-retype", body)).status_code == 202
            await cloud.settled()
            return await read(admin, "volume", volume)

        for name, policy in (("slow", "never"), ("none", "on-demand")):
            kept = await retype(name, policy)
            assert (kept["status"], kept[HOST], kept["volume_type"]) == (known, USUAL, "__DEFAULT__")
            assert kept[STATUS] is None
        told = (await demo.get(f"{VOLUME}/messages")).json()["messages"]
        assert [one["user_message"] for one in told] == [
            "schedule allocate volume:Could not find any available weighted backend."
        ] * 2
        moved = await retype("slow", "on-demand")
        assert (moved["status"], moved[HOST], moved["volume_type"]) == (known, SLOW, "slow")
        assert moved[STATUS] == "success"
