"""What was done to a server: each request with its events, as each version shows them to whom."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack)


def at(version: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {version}"}


def path(server_id: str, request_id: str = "") -> str:
    return f"/compute/v2.1/servers/{server_id}/os-instance-actions{request_id and '/'}{request_id}"


async def test_each_request_is_found_by_its_id_newest_first(cloud: TestedCloud) -> None:
    asked = await cloud.ask_server()
    server_id = asked.json()["server"]["id"]
    await cloud.settled()
    requests = [asked.headers["x-compute-request-id"]]
    for action in ({"os-stop": None}, {"os-start": None}, {"reboot": {"type": "HARD"}}):
        requests.append((await cloud.act(server_id, action)).headers["x-compute-request-id"])
        await cloud.settled()
    listed = (await cloud.demo.get(path(server_id))).json()["instanceActions"]
    assert [(a["action"], a["request_id"]) for a in listed] == list(
        zip(("reboot", "start", "stop", "create"), reversed(requests), strict=True)
    )
    server = await cloud.server(server_id)
    assert listed[0] == {
        "action": "reboot",
        "instance_uuid": server_id,
        "request_id": requests[3],
        "user_id": server["user_id"],
        "project_id": server["tenant_id"],
        "start_time": "2026-11-21T10:00:00.000000",
        "message": None,
        "updated_at": "2026-11-21T10:00:00.000000",
    }
    assert "updated_at" not in (await cloud.demo.get(path(server_id), headers=at("2.57"))).json()["instanceActions"][0]
    assert (await cloud.demo.get(path(server_id, "req-x"))).status_code == 404


async def test_events_tell_how_the_work_went(cloud: TestedCloud) -> None:
    asked = await cloud.ask_server()
    server_id, request_id = asked.json()["server"]["id"], asked.headers["x-compute-request-id"]
    await cloud.settled()

    async def shown(client: Any, version: str) -> dict[str, Any]:
        found: dict[str, Any] = (await client.get(path(server_id, request_id), headers=at(version))).json()[
            "instanceAction"
        ]
        return found

    for client, version, keys in (
        (cloud.demo, "2.50", None),
        (cloud.admin, "2.50", {"event", "start_time", "finish_time", "result", "traceback"}),
        (cloud.demo, "2.51", {"event", "start_time", "finish_time", "result"}),
        (cloud.admin, "2.51", {"event", "start_time", "finish_time", "result", "traceback"}),
        (cloud.demo, "2.62", {"event", "start_time", "finish_time", "result", "hostId"}),
        (cloud.admin, "2.62", {"event", "start_time", "finish_time", "result", "traceback", "hostId", "host"}),
        (cloud.demo, "2.84", {"event", "start_time", "finish_time", "result", "hostId"}),
        (
            cloud.admin,
            "2.84",
            {"event", "start_time", "finish_time", "result", "traceback", "hostId", "host", "details"},
        ),
    ):
        events = (await shown(client, version)).get("events")
        assert (None if events is None else set(events[0])) == keys, version
    [event] = (await shown(cloud.admin, "2.84"))["events"]
    assert (event["result"], event["host"], event["details"], event["traceback"]) == ("Success", "host-1", None, None)
    assert event["finish_time"] is not None


async def test_a_failure_is_told_where_it_happened(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.add(Fault(verb="ensure_shutdown", error=ErrorFacts("failed", "QEMU does not answer")))
    asked = await cloud.act(server["id"], {"os-stop": None})
    before = (await cloud.demo.get(path(server["id"], asked.headers["x-compute-request-id"]))).json()["instanceAction"]
    assert [(e["event"], e["result"]) for e in before["events"]] == [("compute_stop_instance", None)]
    await cloud.settled()
    after = (await cloud.admin.get(path(server["id"], asked.headers["x-compute-request-id"]))).json()["instanceAction"]
    assert after["message"] == "Error"
    assert [(e["result"], e["details"]) for e in after["events"]] == [("Error", "QEMU does not answer")]


async def test_what_was_done_to_a_server_that_is_gone_is_shown_since_2_21(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")
    await cloud.settled()
    found = (await cloud.demo.get(path(server["id"]), headers=at("2.21"))).json()["instanceActions"]
    assert [a["action"] for a in found] == ["delete", "create"]
    assert (await cloud.demo.get(path(server["id"]), headers=at("2.20"))).status_code == 404
    other = await cloud.a_project("other")
    assert (await other.get(path(server["id"]))).status_code == 404
