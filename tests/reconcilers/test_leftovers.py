"""Leftovers: each kind is planted, found, removed and named; what lives or is being worked on is not touched."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import msgspec
import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.core import records
from minicloud.core.compute import leftovers
from minicloud.core.compute.servers import Server
from minicloud.core.context import on_behalf
from minicloud.core.image.images import Image
from minicloud.core.network import ports
from minicloud.core.network.rows import Port
from minicloud.core.placement import allocations
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.drivers.faults import Fault
from minicloud.drivers.hypervisor import Machine
from minicloud.engines.database import Transaction
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
STRANGER = "5eed0000-0000-4000-8000-000000000001"


def fabric(cloud: TestedCloud, host: str = "host-1") -> FakeFabric:
    found = cloud.cloud.agents[host].fabric
    assert isinstance(found, FakeFabric)
    return found


async def a_deleted_server(cloud: TestedCloud) -> str:
    """A server that was there and is deleted; its id."""
    server = await cloud.a_server(name="gone")
    assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")).status_code == 204
    await cloud.settled()
    return str(server["id"])


async def the_same(cloud: TestedCloud, living: dict[str, Any]) -> None:
    """The server that lives has lost nothing."""
    assert await cloud.server(living["id"]) == living
    assert living["id"] in [machine.id for machine in await cloud.hypervisor().machines()]
    assert living["id"] in await cloud.cloud.agents["host-1"].storage.machines()
    rows = await cloud.read(lambda tx: ports.of_server(tx, living["id"]))
    assert [row.id for row in rows if row.id in fabric(cloud).state().ports] == [row.id for row in rows] != []
    consumer, has = await cloud.read(lambda tx: allocations.of_consumer(tx, living["id"]))
    assert consumer is not None
    assert len(has) == 3


async def one_round(cloud: TestedCloud, *words: str) -> None:
    """The next round mends exactly this, and the one after nothing."""
    mended = (await cloud.reconciled())["leftovers"]
    assert len(mended) == len(words), mended
    for word in words:
        assert len([text for text in mended if word in text]) == 1, mended
    assert (await cloud.reconciled())["leftovers"] == []


async def test_a_quiet_cloud_has_none() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=3)
        for number in range(4):
            await cloud.a_server(name=f"web{number}")
        await a_deleted_server(cloud)
        await one_round(cloud)


async def test_machines_and_disks_of_nobody_are_removed() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        living, deleted = await cloud.a_server(), await a_deleted_server(cloud)
        agent = cloud.cloud.agents["host-1"]
        await cloud.hypervisor().ensure_running(Machine(id=deleted, name="zombie", vcpus=1, memory_mb=64))
        await agent.storage.ensure_file(STRANGER, "disk.config", b"x")
        await one_round(cloud, f"{deleted} had remains on host-1", f"{STRANGER} had remains on host-1")
        assert await agent.storage.machines() == [living["id"]]
        await the_same(cloud, living)


async def test_a_server_that_lives_elsewhere_leaves_nothing_where_it_was() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        server = await cloud.a_server()
        host = (await cloud.server(server["id"], cloud.admin))["OS-EXT-SRV-ATTR:host"]
        other = "host-2" if host == "host-1" else "host-1"
        await cloud.hypervisor(other).ensure_running(Machine(id=server["id"], name="copy", vcpus=1, memory_mb=64))
        await one_round(cloud, f"{server['id']} had remains on {other}")
        assert [m.id for m in await cloud.hypervisor(host).machines()] == [server["id"]]
        assert await cloud.hypervisor(other).machines() == []


async def test_ports_that_stand_where_no_record_wants_them_are_taken_down() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        living = await cloud.a_server()
        state = fabric(cloud).state()
        [wired] = state.ports.values()
        await fabric(cloud).ensure_port(msgspec.structs.replace(wired, id=STRANGER, mac="fa:16:3e:00:00:01"))
        await one_round(cloud, f"port {STRANGER} had remains on host-1")
        assert list(fabric(cloud).state().ports) == [wired.id]
        await the_same(cloud, living)


async def test_ports_that_are_bound_to_another_host_are_loose_here() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        for number in range(2):
            await cloud.a_server(name=f"web{number}")
        rows = await cloud.read(lambda tx: [row for row in records.select(tx, Port) if row.host])
        [elsewhere] = [row.id for row in rows if row.host == "host-2"]
        present = [*(row.id for row in rows), STRANGER]
        found = await cloud.read(lambda tx: leftovers.loose_ports(tx, "host-1", present, set()))
        assert found == sorted([elsewhere, STRANGER])


async def test_claims_and_ports_of_deleted_servers_are_given_back() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        living, deleted = await cloud.a_server(), await a_deleted_server(cloud)

        def plant(tx: Transaction) -> str:
            server = records.get(tx, Server, deleted)
            [(provider,)] = tx.all("SELECT id FROM placement_providers")
            allocations.claim(tx, deleted, server.project_id, server.user_id, {provider: {"VCPU": 7}})
            network = records.select(tx, Port, "device_id = ?", [living["id"]])[0].network_id
            context = on_behalf(server.user_id, server.project_id)
            return ports.create_for_server(tx, context, network, deleted, security_groups=["default"]).id

        port_id = await cloud.write(plant)
        await one_round(cloud, f"claim of {deleted} was never given back", f"ports of {deleted} were never released")
        assert await cloud.read(lambda tx: records.find(tx, Port, port_id)) is None
        used: dict[str, int] = await cloud.read(
            lambda tx: dict(tx.all("SELECT resource_class, used FROM placement_inventories"))
        )
        assert used == {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}
        await the_same(cloud, living)


async def test_claims_that_are_no_servers_are_their_owners_business() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)

        def plant(tx: Transaction) -> None:
            [(provider,)] = tx.all("SELECT id FROM placement_providers")
            allocations.claim(tx, STRANGER, "project", "user", {provider: {"VCPU": 1}}, consumer_type="MIGRATION")

        await cloud.write(plant)
        await one_round(cloud)
        assert (await cloud.read(lambda tx: allocations.of_consumer(tx, STRANGER)))[0] is not None


async def test_bytes_of_deleted_images_are_removed_and_no_others() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"bytes"

    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        made = await cloud.demo.post("/image/v2/images", json={"disk_format": "raw", "container_format": "bare"})
        image_id = made.json()["id"]
        assert (await cloud.demo.delete(f"/image/v2/images/{image_id}")).status_code == 204
        blobs = cloud.cloud.world.blobs
        await blobs.put(image_id, pieces())
        await blobs.put("something-else", pieces())
        await one_round(cloud, f"blob {image_id} belonged to no image")
        living = await cloud.read(lambda tx: [i.id for i in records.select(tx, Image) if not i.deleted])
        assert sorted(await blobs.keys()) == sorted([*living, "something-else"])


async def test_what_is_being_built_is_not_left_over() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.faults.add(Fault(verb="ensure_running", delay_s=30))
        asked = await cloud.ask_server()
        await anyio.sleep(1)
        assert (await cloud.server(asked.json()["server"]["id"]))["OS-EXT-STS:task_state"] == "spawning"
        await one_round(cloud)
        await cloud.settled()
        assert (await cloud.server(asked.json()["server"]["id"]))["status"] == "ACTIVE"


async def test_what_a_host_kept_while_it_was_down_is_removed_when_it_returns() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        await cloud.host_silent("host-1")
        assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")).status_code == 204
        await cloud.settled()
        assert (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}")).status_code == 404
        assert [m.id for m in await cloud.hypervisor().machines()] == [server["id"]]
        assert (await cloud.reconciled())["leftovers"] == []
        cloud.cloud.world.servicegroup.resume("nova-compute@host-1")
        [port_id] = fabric(cloud).state().ports
        await one_round(cloud, f"{server['id']} had remains on host-1", f"port {port_id} had remains on host-1")
        assert await cloud.hypervisor().machines() == []
        assert fabric(cloud).state().ports == {}


async def test_a_host_that_cannot_be_cleaned_keeps_nobody_else_from_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        for host in ("host-1", "host-2"):
            machine = Machine(id=STRANGER, name="zombie", vcpus=1, memory_mb=64)
            await cloud.hypervisor(host).ensure_running(machine)
        assert cloud.cloud.fake is not None
        broken = ErrorFacts("failed", "the kernel holds it")
        cloud.cloud.fake.faults.add(Fault(verb="ensure_gone", host="host-1", count=None, error=broken))
        mended = (await cloud.reconciled())["leftovers"]
        assert mended == [f"server {STRANGER} had remains on host-2"]
        assert cloud.notes.facts("leftovers_stay") == [{"host": "host-1", "error": "the kernel holds it"}]
        cloud.cloud.fake.faults.set([])
        await one_round(cloud, "had remains on host-1")
