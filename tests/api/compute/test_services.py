"""Services of compute: who is up, who is disabled or forced down, by number and by UUID, and what the scheduler makes of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
SERVICES = "/compute/v2.1/os-services"


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack, hosts=2, reconcile_interval=1e6)


def at(version: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {version}"}


async def services(cloud: TestedCloud, version: str = "2.100", **params: str) -> list[dict[str, Any]]:
    answer = await cloud.admin.get(SERVICES, params=params, headers=at(version))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["services"]
    return found


async def test_every_service_is_listed_with_its_state(cloud: TestedCloud) -> None:
    found = await services(cloud)
    assert sorted((s["binary"], s["host"], s["zone"], s["state"], s["status"]) for s in found) == [
        ("nova-compute", "host-1", "nova", "up", "enabled"),
        ("nova-compute", "host-2", "nova", "up", "enabled"),
        ("nova-conductor", "control", "internal", "up", "enabled"),
        ("nova-scheduler", "control", "internal", "up", "enabled"),
    ]
    keys = {"binary", "host", "id", "zone", "status", "state", "updated_at", "disabled_reason"}
    assert set(found[0]) == keys | {"forced_down"}
    assert set((await services(cloud, "2.10"))[0]) == keys
    assert all(len(s["id"]) == 36 for s in found)
    assert all(isinstance(s["id"], int) for s in await services(cloud, "2.52"))
    assert [s["host"] for s in await services(cloud, host="host-2")] == ["host-2"]
    assert {s["host"] for s in await services(cloud, binary="nova-compute")} == {"host-1", "host-2"}
    assert (await cloud.demo.get(SERVICES)).status_code == 403


async def test_a_silent_host_is_down_and_up_again_when_it_returns(cloud: TestedCloud) -> None:
    await cloud.host_silent("host-1")
    states = {s["host"]: s["state"] for s in await services(cloud, binary="nova-compute")}
    assert states == {"host-1": "down", "host-2": "up"}
    cloud.cloud.world.servicegroup.resume("nova-compute@host-1")
    assert {s["state"] for s in await services(cloud)} == {"up"}


async def test_a_disabled_host_gets_no_servers_and_says_why(cloud: TestedCloud) -> None:
    [service] = await services(cloud, host="host-1", binary="nova-compute")
    path = f"{SERVICES}/{service['id']}"
    body = {"status": "disabled", "disabled_reason": "new fans"}
    answer = await cloud.admin.put(path, json=body)
    assert answer.status_code == 200, answer.text
    changed = answer.json()["service"]
    assert (changed["status"], changed["disabled_reason"], changed["state"]) == ("disabled", "new fans", "up")
    for n in range(3):
        assert (await cloud.a_server(cloud.admin, name=f"w{n}"))["OS-EXT-SRV-ATTR:host"] == "host-2"
    assert cloud.notes.facts("prefilter")[-1]["disabled"] == [{"host": "host-1", "why": "new fans"}]
    enabled = (await cloud.admin.put(path, json={"status": "enabled"})).json()["service"]
    assert (enabled["status"], enabled["disabled_reason"]) == ("enabled", None)
    assert (await cloud.a_server(cloud.admin, name="w"))["OS-EXT-SRV-ATTR:host"] == "host-1"


async def test_a_host_can_be_declared_dead(cloud: TestedCloud) -> None:
    [service] = await services(cloud, host="host-1", binary="nova-compute")
    answer = await cloud.admin.put(f"{SERVICES}/{service['id']}", json={"forced_down": True})
    assert (answer.json()["service"]["state"], answer.json()["service"]["forced_down"]) == ("down", True)
    assert (await cloud.a_server(cloud.admin))["OS-EXT-SRV-ATTR:host"] == "host-2"
    back = await cloud.admin.put(f"{SERVICES}/{service['id']}", json={"forced_down": False})
    assert back.json()["service"]["state"] == "up"


async def test_changes_that_make_no_sense(cloud: TestedCloud) -> None:
    [service] = await services(cloud, host="host-1", binary="nova-compute")
    [conductor] = await services(cloud, binary="nova-conductor")
    for service_id, body, status in (
        (service["id"], {}, 400),
        (service["id"], {"disabled_reason": "x"}, 400),
        (service["id"], {"status": "enabled", "disabled_reason": "x"}, 400),
        (service["id"], {"status": "broken"}, 400),
        (service["id"], {"status": "disabled", "disabled_reason": ""}, 400),
        (service["id"], {"forced_down": "perhaps"}, 400),
        (service["id"], {"unknown": 1}, 400),
        (conductor["id"], {"status": "disabled"}, 400),
        ("5eed0000-0000-4000-8000-000000000001", {"status": "disabled"}, 404),
    ):
        answer = await cloud.admin.put(f"{SERVICES}/{service_id}", json=body)
        assert answer.status_code == status, (body, answer.text)
    assert (await cloud.demo.put(f"{SERVICES}/{service['id']}", json={"status": "disabled"})).status_code == 403
    assert {s["status"] for s in await services(cloud)} == {"enabled"}


async def test_before_2_53_services_are_named_by_host_and_binary(cloud: TestedCloud) -> None:
    name = {"host": "host-1", "binary": "nova-compute"}

    async def put(verb: str, body: dict[str, Any], version: str = "2.52") -> tuple[int, Any]:
        answer = await cloud.admin.put(f"{SERVICES}/{verb}", json=body, headers=at(version))
        return answer.status_code, answer.json()

    assert await put("disable", name) == (200, {"service": {**name, "status": "disabled"}})
    assert await put("enable", name) == (200, {"service": {**name, "status": "enabled"}})
    why = {**name, "disabled_reason": "fans"}
    assert await put("disable-log-reason", why) == (200, {"service": {**why, "status": "disabled"}})
    assert (await put("disable-log-reason", name))[0] == 400
    assert await put("force-down", {**name, "forced_down": True}) == (
        200,
        {"service": {**name, "forced_down": True, "disabled_reason": "fans"}},
    )
    assert (await put("force-down", {**name, "forced_down": True}, "2.10"))[0] == 404
    assert (await put("enable", {**name, "host": "nowhere"}))[0] == 404
    assert (await put("enable", name, "2.53"))[0] in (400, 404)


async def test_the_document_of_a_server_tells_an_administrator_how_its_host_is(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    [service] = await services(cloud, host="host-1", binary="nova-compute")
    told = []
    for change in ({"status": "disabled"}, {"forced_down": True}, {"status": "enabled", "forced_down": False}):
        told.append((await cloud.server(server["id"], cloud.admin)).get("host_status"))
        assert (await cloud.admin.put(f"{SERVICES}/{service['id']}", json=change)).status_code == 200
    told.append((await cloud.server(server["id"], cloud.admin)).get("host_status"))
    await cloud.host_silent("host-1")
    told.append((await cloud.server(server["id"], cloud.admin)).get("host_status"))
    assert told == ["UP", "MAINTENANCE", "DOWN", "UP", "UNKNOWN"]
    assert "host_status" not in await cloud.server(server["id"])
    cloud.cloud.api.means.policy.reload({"os_compute_api:servers:show:host_status:unknown-only": "role:member"})
    assert (await cloud.server(server["id"]))["host_status"] == "UNKNOWN"
    cloud.cloud.world.servicegroup.resume("nova-compute@host-1")
    assert "host_status" not in await cloud.server(server["id"])
