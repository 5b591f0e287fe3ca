"""Servers one by one: what each microversion shows to whom, what can be changed, and how they go."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx
import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.drivers.faults import Fault
from tests.support.clouds import URL, TestedCloud, a_cloud

pytestmark = pytest.mark.anyio

# Facts of nova 34's api_samples, by the version that brought them.
SHOWN = {
    "2.1": """id name status tenant_id user_id metadata hostId image flavor created updated addresses accessIPv4 accessIPv6
        links OS-DCF:diskConfig OS-EXT-AZ:availability_zone config_drive key_name OS-SRV-USG:launched_at
        OS-SRV-USG:terminated_at OS-EXT-STS:task_state OS-EXT-STS:vm_state OS-EXT-STS:power_state
        os-extended-volumes:volumes_attached security_groups progress""",
    "2.9": "locked",
    "2.19": "description",
    "2.26": "tags",
    "2.63": "trusted_image_certificates",
    "2.71": "server_groups",
    "2.73": "locked_reason",
    "2.90": "OS-EXT-SRV-ATTR:hostname",
    "2.96": "pinned_availability_zone",
    "2.100": "scheduler_hints",
}
TO_ADMINISTRATORS = {
    "2.1": "OS-EXT-SRV-ATTR:host OS-EXT-SRV-ATTR:hypervisor_hostname OS-EXT-SRV-ATTR:instance_name",
    "2.3": """OS-EXT-SRV-ATTR:hostname OS-EXT-SRV-ATTR:reservation_id OS-EXT-SRV-ATTR:launch_index
        OS-EXT-SRV-ATTR:kernel_id OS-EXT-SRV-ATTR:ramdisk_id OS-EXT-SRV-ATTR:root_device_name OS-EXT-SRV-ATTR:user_data""",
    "2.16": "host_status",
}
AFTER_A_CHANGE = """id name status tenant_id user_id metadata hostId image flavor created updated addresses accessIPv4
    accessIPv6 links OS-DCF:diskConfig progress"""
VERSIONS = (
    "2.1",
    "2.3",
    "2.9",
    "2.16",
    "2.19",
    "2.26",
    "2.47",
    "2.63",
    "2.71",
    "2.73",
    "2.75",
    "2.90",
    "2.96",
    "2.100",
)


def keys(version: str, *tables: dict[str, str]) -> set[str]:
    """The keys that exist at a version."""
    at = tuple(map(int, version.split(".")))
    return {
        key
        for table in tables
        for since, names in table.items()
        if tuple(map(int, since.split("."))) <= at
        for key in names.split()
    }


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack)


def at(version: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {version}"}


def path(server: dict[str, Any] | str) -> str:
    return f"/compute/v2.1/servers/{server if isinstance(server, str) else server['id']}"


def message(answer: httpx.Response) -> str:
    [fault] = answer.json().values()
    assert fault["code"] == answer.status_code
    return str(fault["message"])


async def test_each_version_shows_exactly_what_novas_does(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    for version in VERSIONS:
        for client, tables in ((cloud.demo, (SHOWN,)), (cloud.admin, (SHOWN, TO_ADMINISTRATORS))):
            shown = (await client.get(path(server), headers=at(version))).json()["server"]
            assert set(shown) == keys(version, *tables), version
            listed = await client.get(
                "/compute/v2.1/servers/detail",
                params={"all_tenants": "1"} if client is cloud.admin else {},
                headers=at(version),
            )
            # The group of a server is shown where one server is asked for.
            assert set(listed.json()["servers"][0]) == keys(version, *tables) - {"server_groups"}, version


async def test_what_is_inside_changes_with_versions_too(cloud: TestedCloud) -> None:
    server = await cloud.a_server(name="web", metadata={"a": "b"})
    old = (await cloud.demo.get(path(server), headers=at("2.1"))).json()["server"]
    assert old["flavor"] == {"id": "1", "links": [{"rel": "bookmark", "href": f"{URL}/compute/flavors/1"}]}
    assert set(old["image"]) == {"id", "links"}
    assert old["links"] == [
        {"rel": "self", "href": f"{URL}/compute/v2.1/servers/{server['id']}"},
        {"rel": "bookmark", "href": f"{URL}/compute/servers/{server['id']}"},
    ]
    flavor = {
        "vcpus": 1,
        "ram": 512,
        "disk": 1,
        "ephemeral": 0,
        "swap": 0,
        "original_name": "m1.tiny",
        "extra_specs": {},
    }
    assert (await cloud.demo.get(path(server), headers=at("2.47"))).json()["server"]["flavor"] == flavor
    new = (await cloud.demo.get(path(server), headers=at("2.98"))).json()["server"]
    assert set(new["image"]) == {"id", "links", "properties"}
    assert old["status"] == "ACTIVE"
    assert (old["OS-EXT-STS:vm_state"], old["OS-EXT-STS:task_state"], old["OS-EXT-STS:power_state"]) == (
        "active",
        None,
        1,
    )
    assert (old["created"], old["OS-SRV-USG:launched_at"]) == ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000000")
    [[address]] = old["addresses"].values()
    assert set(address) == {"version", "addr", "OS-EXT-IPS:type", "OS-EXT-IPS-MAC:mac_addr"}
    assert old["hostId"] not in ("", "host-1")
    assert (old["metadata"], old["progress"], old["config_drive"]) == ({"a": "b"}, 0, "")


async def test_a_server_that_is_not_there_or_not_ones_own(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    other = await cloud.a_project("other")
    for client, server_id in (
        (cloud.demo, "5eed0000-0000-4000-8000-000000000001"),
        (other, server["id"]),
        (cloud.demo, "x"),
    ):
        for answer in (
            await client.get(path(server_id)),
            await client.put(path(server_id), json={"server": {"name": "mine"}}),
            await client.delete(path(server_id)),
            await client.post(f"{path(server_id)}/action", json={"os-stop": None}),
            await client.get(f"{path(server_id)}/os-instance-actions"),
        ):
            assert answer.status_code == 404
            assert message(answer) == f"Instance {server_id} could not be found."
    assert (await cloud.server(server["id"], cloud.admin))["status"] == "ACTIVE"
    assert (await cloud.server(server["id"]))["name"] == "web"


async def test_what_a_server_is_called_can_be_changed(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    changes = {
        "name": "new name",
        "description": "what it is for",
        "accessIPv4": "192.0.2.1",
        "accessIPv6": "2001:db8::1",
        "OS-DCF:diskConfig": "AUTO",
        "hostname": "new-host",
    }
    answer = await cloud.demo.put(path(server), json={"server": changes})
    assert answer.status_code == 200, answer.text
    wanted = {**changes, "name": "new name", "OS-EXT-SRV-ATTR:hostname": "new-host"}
    del wanted["hostname"]
    for found in (answer.json()["server"], await cloud.server(server["id"])):
        assert {key: found[key] for key in wanted} == wanted
    answer = await cloud.demo.put(path(server), json={"server": {"description": None}})
    assert answer.json()["server"]["description"] is None


async def test_the_answer_to_a_change_shows_less_before_2_75(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    for version, client, wanted in (
        ("2.1", cloud.demo, set(AFTER_A_CHANGE.split())),
        ("2.74", cloud.demo, set(AFTER_A_CHANGE.split()) | (keys("2.74", SHOWN) - keys("2.1", SHOWN))),
        ("2.75", cloud.demo, keys("2.75", SHOWN)),
        ("2.100", cloud.demo, keys("2.100", SHOWN)),
    ):
        answer = await client.put(path(server), json={"server": {"name": "x"}}, headers=at(version))
        assert set(answer.json()["server"]) == wanted, version


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "n" * 256},
        {"name": 5},
        {"name": None},
        {"accessIPv4": "no address"},
        {"accessIPv4": ""},
        {"accessIPv6": "192.0.2.1"},
        {"hostname": "bad host"},
        {"hostname": "line\n"},
        {"hostname": ""},
        {"status": "ACTIVE"},
        {"OS-DCF:diskConfig": "SOMETIMES"},
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(cloud: TestedCloud, changes: dict[str, Any]) -> None:
    server = await cloud.a_server()
    answer = await cloud.demo.put(path(server), json={"server": changes})
    assert answer.status_code == 400
    assert message(answer)
    assert await cloud.server(server["id"]) == server


async def test_a_deleted_server_is_gone_with_all_that_it_had(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    cloud.notes.notes.clear()
    answer = await cloud.demo.delete(path(server))
    assert (answer.status_code, answer.content) == (204, b"")
    busy = (await cloud.demo.get(path(server))).json()["server"]
    assert busy["OS-EXT-STS:task_state"] == "deleting"
    assert (await cloud.demo.delete(path(server))).status_code == 204, "a second delete needs nothing more"
    await cloud.settled()
    assert (await cloud.demo.get(path(server))).status_code == 404
    assert (await cloud.demo.delete(path(server))).status_code == 404
    assert await cloud.hypervisor().machines() == []
    ports = (await cloud.demo.get("/network/v2.0/ports")).json()["ports"]
    assert [port for port in ports if port["device_owner"].startswith("compute:")] == []
    limits = (await cloud.demo.get("/compute/v2.1/limits")).json()["limits"]["absolute"]
    assert (limits["totalInstancesUsed"], limits["totalRAMUsed"]) == (0, 0)
    assert [fact["event"] for fact in cloud.notes.facts("saga_step")].count("failed") == 0
    assert {"saga": "DeleteServer", "state": "finished", "error": None} in cloud.notes.facts("saga")
    assert cloud.notes.facts("server_deleted") == [{"server": server["id"]}]


async def test_a_server_that_is_being_built_can_be_deleted(cloud: TestedCloud) -> None:
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.add(Fault(verb="ensure_running", delay_s=20))
    asked = await cloud.ask_server()
    server_id = asked.json()["server"]["id"]
    await anyio.sleep(1)
    building = await cloud.server(server_id)
    assert (building["status"], building["OS-EXT-STS:task_state"], building["progress"]) == ("BUILD", "spawning", 0)
    assert (await cloud.demo.delete(path(server_id))).status_code == 204
    await cloud.settled()
    assert (await cloud.demo.get(path(server_id))).status_code == 404
    assert await cloud.hypervisor().machines() == []
    assert {"saga": "CreateServer", "state": "rolled_back", "error": None} in cloud.notes.facts("saga")
    assert await cloud.stuck() == []


async def test_a_server_that_could_not_be_built_says_why_and_can_be_deleted() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        assert cloud.cloud.fake is not None
        broken = ErrorFacts("failed", "no memory left for QEMU")
        cloud.cloud.fake.faults.add(Fault(verb="ensure_running", count=None, error=broken))
        asked = await cloud.ask_server()
        server_id = asked.json()["server"]["id"]
        await cloud.settled()
        failed = await cloud.server(server_id)
        assert (failed["status"], failed["OS-EXT-STS:vm_state"], failed["hostId"]) == ("ERROR", "error", "")
        assert failed["OS-EXT-STS:task_state"] is None
        assert failed["addresses"] == {}
        assert set(failed["fault"]) == {"code", "created", "message"}
        assert failed["fault"]["code"] == 500
        seen_by_admin = (await cloud.server(server_id, cloud.admin))["fault"]
        assert "details" in seen_by_admin
        # Each host was tried once; the last word is of the last one.
        tried = [fact["host"] for fact in cloud.notes.facts("selected")]
        assert sorted(tried) == ["host-1", "host-2"]
        assert "no memory left for QEMU" in failed["fault"]["message"]
        actions = (await cloud.demo.get(f"{path(server_id)}/os-instance-actions")).json()["instanceActions"]
        assert [(a["action"], a["message"]) for a in actions] == [("create", "Error")]
        assert (await cloud.demo.delete(path(server_id))).status_code == 204
        await cloud.settled()
        assert (await cloud.demo.get(path(server_id))).status_code == 404
        assert await cloud.stuck() == []
        assert (await cloud.reconciled())["leftovers"] == []


async def test_a_server_lives_on_the_host_on_which_it_could_be_built() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=3)
        assert cloud.cloud.fake is not None
        broken = ErrorFacts("failed", "no memory left for QEMU")
        cloud.cloud.fake.faults.set(
            [Fault(verb="ensure_running", host=host, count=None, error=broken) for host in ("host-1", "host-2")]
        )
        server = await cloud.a_server(cloud.admin)
        assert (server["status"], server["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "host-3")
        assert "fault" not in server
        assert [state["state"] for state in cloud.notes.facts("saga")] == ["retrying", "running"] * 2 + ["finished"]
        assert [m for host in ("host-1", "host-2") for m in await cloud.hypervisor(host).machines()] == []
        assert (await cloud.reconciled())["leftovers"] == []


async def test_a_host_that_falls_silent_while_it_builds_loses_the_server_to_another_one() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.faults.add(Fault(verb="ensure_running", host="host-1", delay_s=1e5))
        asked = await cloud.ask_server(cloud.admin)
        await anyio.sleep(1)
        cloud.cloud.world.servicegroup.silence("nova-compute@host-1")
        await cloud.settled()
        server = await cloud.server(asked.json()["server"]["id"], cloud.admin)
        assert (server["status"], server["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "host-2")
        assert await cloud.stuck() == []


async def test_a_server_is_held_to_its_own_zone_or_to_none() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, reconcile_interval=1e6)
        server = await cloud.a_server(availability_zone="nova")
        path = f"/compute/v2.1/servers/{server['id']}"
        for zone, status in (("nova", 200), ("other", 409), (None, 200), (None, 200), ("other", 409), ("nova", 200)):
            answer = await cloud.demo.put(path, json={"server": {"pinned_availability_zone": zone}})
            assert answer.status_code == status, (zone, answer.text)
            if status == 200:
                assert answer.json()["server"]["pinned_availability_zone"] == zone
        old = {"OpenStack-API-Version": "compute 2.103"}
        body = {"server": {"pinned_availability_zone": None}}
        assert (await cloud.demo.put(path, json=body, headers=old)).status_code == 400


async def test_access_addresses_are_kept_in_their_shortest_form() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, reconcile_interval=1e6)
        server = await cloud.a_server(accessIPv6="0000:0000:0000:0000:0000:babe:220.12.22.2")
        assert server["accessIPv6"] == "::babe:dc0c:1602"
        path = f"/compute/v2.1/servers/{server['id']}"
        answer = await cloud.demo.put(path, json={"server": {"accessIPv6": "2001:0db8::0001"}})
        assert answer.json()["server"]["accessIPv6"] == "2001:db8::1"
