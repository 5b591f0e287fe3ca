"""Hosts that a file describes: their zones, aggregates, traits and inventories; pinned servers, pages and devices on them."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from minicloud.core import records
from minicloud.core.scheduler.occupancy import ServerFit
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
LAB = """
aggregates:
  - {name: fast, metadata: {ssd: "true"}}
hosts:
  - name: big
    zone: east
    aggregates: [fast]
    cpu_allocation_ratio: 2.0
    traits: [CUSTOM_GOLD]
    numa:
      - {cpus: "0-1", pinned: "2-5", threads: 2, memory_mb: 8192, pages: {2048: 1024}}
      - {cpus: "6-7", pinned: "8-11", threads: 2, memory_mb: 8192}
    devices:
      - {address: "0000:81:00.0", vendor_id: "8086", product_id: "1520", cell: 1}
  - {name: arm, cpu_arch: aarch64, vcpus: 4, memory_mb: 4096, disk_gb: 100}
"""
ALIAS = '[{"name": "card", "vendor_id": "8086", "product_id": "1520"}]'


async def a_lab(stack: AsyncExitStack, tmp_path: Path) -> TestedCloud:
    file = tmp_path / "lab.yaml"
    file.write_text(LAB)
    return await a_cloud(stack, hosts_file=str(file), pci_alias=ALIAS)


async def a_flavor(cloud: TestedCloud, name: str, vcpus: int = 2, ram: int = 2048, **specs: str) -> str:
    body = {"name": name, "vcpus": vcpus, "ram": ram, "disk": 1, "id": name}
    made = await cloud.admin.post(f"{V}/flavors", json={"flavor": body})
    assert made.status_code == 200, made.text
    specs = {key.replace("__", ":"): value for key, value in specs.items()}
    answer = await cloud.admin.post(f"{V}/flavors/{name}/os-extra_specs", json={"extra_specs": specs})
    assert answer.status_code == 200, answer.text
    return name


async def build(cloud: TestedCloud, flavor: str) -> dict[str, Any]:
    asked = await cloud.ask_server(cloud.admin, flavorRef=flavor, networks="none")
    assert asked.status_code == 202, asked.text
    await cloud.settled()
    return await cloud.server(asked.json()["server"]["id"], cloud.admin)


async def test_hosts_are_as_the_file_describes_them(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_lab(stack, tmp_path)
        assert list(cloud.cloud.agents) == ["big", "arm"]
        rows = await cloud.read(
            lambda tx: tx.all(
                "SELECT p.name, i.resource_class, i.total, i.allocation_ratio FROM placement_inventories i "
                "JOIN placement_providers p ON p.id = i.provider_id ORDER BY 1, 2"
            )
        )
        assert rows == [
            ("arm", "DISK_GB", 100, 1.0),
            ("arm", "MEMORY_MB", 4096, 1.0),
            ("arm", "VCPU", 4, 16.0),
            ("big", "DISK_GB", 4096, 1.0),
            ("big", "MEMORY_MB", 16384, 1.0),
            ("big", "PCPU", 8, 1.0),
            ("big", "VCPU", 4, 2.0),
        ]
        traits = await cloud.read(
            lambda tx: tx.all(
                "SELECT p.name, t.trait FROM placement_provider_traits t JOIN placement_providers p ON p.id = t.provider_id"
            )
        )
        assert {("big", "CUSTOM_GOLD"), ("big", "HW_CPU_HYPERTHREADING"), ("arm", "HW_ARCH_AARCH64")} <= set(traits)
        aggregates = (await cloud.admin.get(f"{V}/os-aggregates")).json()["aggregates"]
        assert [(one["name"], one["hosts"], one["availability_zone"]) for one in aggregates] == [
            ("fast", ["big"], None),
            ("zone east", ["big"], "east"),
        ]
        services = (await cloud.admin.get(f"{V}/os-services?binary=nova-compute")).json()["services"]
        assert {one["host"]: one["zone"] for one in services} == {"big": "east", "arm": "nova"}


async def test_pinned_cpus_pages_and_devices_are_given_away_once(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_lab(stack, tmp_path)
        pinned = await a_flavor(cloud, "pinned", hw__cpu_policy="dedicated")
        paged = await a_flavor(cloud, "paged", vcpus=1, hw__mem_page_size="large")
        carded = await a_flavor(cloud, "carded", hw__cpu_policy="dedicated", pci_passthrough__alias="card:1")
        card = await build(cloud, carded)
        assert (card["status"], card["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "big")
        none_left = await build(cloud, carded)
        assert "wants 1 of card, has 0 of 1 free" in none_left["fault"]["message"]
        made = [await build(cloud, pinned) for _ in range(3)]
        assert [one["status"] for one in made] == ["ACTIVE"] * 3
        fits = await cloud.read(lambda tx: records.select(tx, ServerFit))
        taken = [cpu for fit in fits for cell in fit.cells for cpu in cell.taken]
        assert sorted(taken) == [2, 3, 4, 5, 8, 9, 10, 11]
        assert {fit.server_id: fit.cells[0].host_cell for fit in fits}[card["id"]] == 1
        full = await build(cloud, pinned)
        assert "no host can give 2 PCPU (the best could give 0)" in full["fault"]["message"]
        large = await build(cloud, paged)
        assert large["status"] == "ACTIVE", large.get("fault")
        too_many = await build(cloud, paged)
        assert "wants 1024 pages of 2048 KiB, has 0 of 1024 left" in too_many["fault"]["message"]
        await cloud.admin.delete(f"{V}/servers/{card['id']}")
        await cloud.settled()
        again = await build(cloud, carded)
        assert again["status"] == "ACTIVE", again.get("fault")
        assert await cloud.stuck() == []


async def test_topologies_that_make_no_sense_are_refused_at_the_door(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_lab(stack, tmp_path)
        for name, specs, why in (
            ("odd", {"hw__numa_nodes": "3"}, "cannot be evenly distributed"),
            ("bare", {"hw__cpu_thread_policy": "require"}, "Cannot set cpu thread pinning policy"),
        ):
            flavor = await a_flavor(cloud, name, **specs)
            refused = await cloud.ask_server(cloud.admin, flavorRef=flavor, networks="none")
            assert (refused.status_code, why in refused.text) == (400, True), refused.text
