"""Hypervisors: what each host offers and holds, before and after statistics left the API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
HYPERVISORS = "/compute/v2.1/os-hypervisors"
NOBODY = "00000000-0000-4000-8000-000000000000"
HOSTS = {"host-1", "host-2"}
BRIEF = {"id", "hypervisor_hostname", "state", "status"}
LASTING = BRIEF | {"hypervisor_type", "hypervisor_version", "host_ip", "service"}
STATISTICS = {
    "vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used", "free_ram_mb", "free_disk_gb",
    "current_workload", "running_vms", "disk_available_least", "cpu_info",
}  # fmt: skip


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(
            stack, hosts=2, fake_vcpus=8, fake_memory_mb=16384, fake_disk_gb=100, reconcile_interval=1e6
        )


def at(version: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {version}"}


async def detail(cloud: TestedCloud, version: str) -> list[dict[str, Any]]:
    answer = await cloud.admin.get(f"{HYPERVISORS}/detail", headers=at(version))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["hypervisors"]
    return sorted(found, key=lambda h: str(h["hypervisor_hostname"]))


async def test_brief_and_in_full(cloud: TestedCloud) -> None:
    brief = (await cloud.admin.get(HYPERVISORS)).json()["hypervisors"]
    brief.sort(key=lambda h: h["hypervisor_hostname"])
    assert [(set(h), h["hypervisor_hostname"], h["state"], h["status"]) for h in brief] == [
        (BRIEF, "host-1", "up", "enabled"),
        (BRIEF, "host-2", "up", "enabled"),
    ]
    assert set((await detail(cloud, "2.87"))[0]) == LASTING | STATISTICS
    assert set((await detail(cloud, "2.88"))[0]) == LASTING | {"uptime"}
    assert (await cloud.demo.get(HYPERVISORS)).status_code == 403


async def test_what_servers_take_is_counted(cloud: TestedCloud) -> None:
    server = await cloud.a_server(cloud.admin, flavorRef="2")
    found = {h["hypervisor_hostname"]: h for h in await detail(cloud, "2.87")}
    here = found.pop(server["OS-EXT-SRV-ATTR:host"])
    [there] = found.values()
    assert {key: here[key] for key in STATISTICS - {"cpu_info", "disk_available_least"}} == {
        "vcpus": 8,
        "memory_mb": 16384,
        "local_gb": 100,
        "vcpus_used": 1,
        "memory_mb_used": 2048,
        "local_gb_used": 20,
        "free_ram_mb": 14336,
        "free_disk_gb": 80,
        "current_workload": 0,
        "running_vms": 1,
    }
    assert (there["running_vms"], there["memory_mb_used"], there["free_disk_gb"]) == (0, 0, 100)
    sums = (await cloud.admin.get(f"{HYPERVISORS}/statistics", headers=at("2.87"))).json()["hypervisor_statistics"]
    assert (sums["count"], sums["vcpus"], sums["vcpus_used"], sums["running_vms"]) == (2, 16, 1, 1)
    assert (await cloud.admin.get(f"{HYPERVISORS}/statistics", headers=at("2.88"))).status_code == 404


async def test_one_by_number_and_by_uuid(cloud: TestedCloud) -> None:
    [old, _] = await detail(cloud, "2.52")
    [new, _] = await detail(cloud, "2.53")
    assert isinstance(old["id"], int)
    assert isinstance(old["service"]["id"], int)
    assert len(new["id"]) == len(new["service"]["id"]) == 36
    for version, hypervisor_id in (("2.52", old["id"]), ("2.53", new["id"])):
        answer = await cloud.admin.get(f"{HYPERVISORS}/{hypervisor_id}", headers=at(version))
        assert answer.json()["hypervisor"]["hypervisor_hostname"] == "host-1"
    assert (await cloud.admin.get(f"{HYPERVISORS}/{new['id']}", headers=at("2.52"))).status_code == 404
    missing = await cloud.admin.get(f"{HYPERVISORS}/{NOBODY}")
    assert (missing.status_code, missing.json()["itemNotFound"]["code"]) == (404, 404)
    assert (await cloud.admin.get(f"{HYPERVISORS}/nobody")).status_code == 400
    assert isinstance((await detail(cloud, "2.27"))[0]["cpu_info"], str)
    assert isinstance((await detail(cloud, "2.28"))[0]["cpu_info"], dict)


async def test_found_by_a_part_of_the_name(cloud: TestedCloud) -> None:
    found = await cloud.admin.get(HYPERVISORS, params={"hypervisor_hostname_pattern": "st-2"}, headers=at("2.53"))
    assert [h["hypervisor_hostname"] for h in found.json()["hypervisors"]] == ["host-2"]
    none = await cloud.admin.get(HYPERVISORS, params={"hypervisor_hostname_pattern": "xyz"}, headers=at("2.53"))
    assert none.status_code == 404


async def test_a_silent_or_disabled_host_shows(cloud: TestedCloud) -> None:
    await cloud.host_silent("host-1")
    [service] = (await cloud.admin.get("/compute/v2.1/os-services", params={"host": "host-2"})).json()["services"]
    await cloud.admin.put(f"/compute/v2.1/os-services/{service['id']}", json={"status": "disabled"})
    found = await detail(cloud, "2.100")
    assert [(h["state"], h["status"]) for h in found] == [("down", "enabled"), ("up", "disabled")]


async def test_pages_since_233(cloud: TestedCloud) -> None:
    first = (await cloud.admin.get(HYPERVISORS, params={"limit": "1"}, headers=at("2.33"))).json()
    [one] = first["hypervisors"]
    [link] = first["hypervisors_links"]
    assert (link["rel"], link["href"].rpartition("?")[2]) == ("next", f"limit=1&marker={one['id']}")
    rest = await cloud.admin.get(HYPERVISORS, params={"marker": str(one["id"])}, headers=at("2.33"))
    assert [{h["hypervisor_hostname"], one["hypervisor_hostname"]} for h in rest.json()["hypervisors"]] == [HOSTS]
    assert "hypervisors_links" not in rest.json()
    assert (await cloud.admin.get(HYPERVISORS, params={"marker": "9"}, headers=at("2.33"))).status_code == 400
    both = {"hypervisor_hostname_pattern": "host", "limit": "1"}
    assert (await cloud.admin.get(HYPERVISORS, params=both, headers=at("2.53"))).status_code == 400
    assert (await cloud.admin.get(HYPERVISORS, params={"odd": "1"}, headers=at("2.52"))).status_code == 200
    assert (await cloud.admin.get(HYPERVISORS, params={"odd": "1"}, headers=at("2.53"))).status_code == 400


async def test_servers_of_hypervisors(cloud: TestedCloud) -> None:
    server = await cloud.a_server(cloud.admin)
    here = server["OS-EXT-SRV-ATTR:host"]
    told = [{"name": server["OS-EXT-SRV-ATTR:instance_name"], "uuid": server["id"]}]
    for version, empty in (("2.53", None), ("2.75", [])):
        found = await cloud.admin.get(HYPERVISORS, params={"with_servers": "true"}, headers=at(version))
        by_name = {h["hypervisor_hostname"]: h.get("servers") for h in found.json()["hypervisors"]}
        assert by_name.pop(here) == told
        assert list(by_name.values()) == [empty]
    old = (await cloud.admin.get(f"{HYPERVISORS}/{here}/servers", headers=at("2.52"))).json()["hypervisors"]
    assert [h["servers"] for h in old] == [told]
    found = (await cloud.admin.get(f"{HYPERVISORS}/host/search", headers=at("2.52"))).json()["hypervisors"]
    assert len(found) == 2
    assert (await cloud.admin.get(f"{HYPERVISORS}/xyz/search", headers=at("2.52"))).status_code == 404
    assert (await cloud.admin.get(f"{HYPERVISORS}/host/search", headers=at("2.53"))).status_code == 404


async def test_how_long_hosts_have_been_up(cloud: TestedCloud) -> None:
    [first, second] = await detail(cloud, "2.87")
    told = (await cloud.admin.get(f"{HYPERVISORS}/{first['id']}/uptime", headers=at("2.87"))).json()["hypervisor"]
    assert set(told) == BRIEF | {"uptime"}
    assert "load average" in told["uptime"]
    assert (await cloud.admin.get(f"{HYPERVISORS}/{first['id']}/uptime", headers=at("2.88"))).status_code == 404
    await cloud.host_silent("host-2")
    assert (await cloud.admin.get(f"{HYPERVISORS}/{second['id']}/uptime", headers=at("2.87"))).status_code == 400
    assert [bool(h["uptime"]) for h in await detail(cloud, "2.88")] == [True, False]
