"""Actions on servers: start, stop, reboot, console; what is refused and how; and what is told of each afterwards."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx
import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.core import records
from minicloud.core.compute.servers import Server
from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack)


def message(answer: httpx.Response) -> str:
    [fault] = answer.json().values()
    assert fault["code"] == answer.status_code
    return str(fault["message"])


async def state(cloud: TestedCloud, server: dict[str, Any]) -> tuple[str, str, int, str | None]:
    """Status, vm_state, power and task."""
    s = await cloud.server(server["id"])
    return s["status"], s["OS-EXT-STS:vm_state"], s["OS-EXT-STS:power_state"], s["OS-EXT-STS:task_state"]


async def status_of(cloud: TestedCloud, server: dict[str, Any]) -> int:
    """How a look at the server is answered."""
    return (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}")).status_code


async def becomes(look: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    """Look again and again until it is as wanted."""
    while await look() != wanted:  # noqa: ASYNC110 - as a client of the API waits
        await anyio.sleep(0.1)


async def boots(cloud: TestedCloud, server: dict[str, Any]) -> int:
    """How often the machine has booted."""
    return cloud.hypervisor()._machines[server["id"]].boots


async def done(cloud: TestedCloud, server: dict[str, Any], action: dict[str, Any]) -> None:
    answer = await cloud.act(server["id"], action)
    assert (answer.status_code, answer.content) == (202, b""), answer.text
    await cloud.settled()


async def test_stop_and_start(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.add(Fault(verb="ensure_shutdown", delay_s=5))
    answer = await cloud.act(server["id"], {"os-stop": None})
    assert answer.status_code == 202
    assert await state(cloud, server) == ("ACTIVE", "active", 1, "powering-off")
    await cloud.settled()
    assert await state(cloud, server) == ("SHUTOFF", "stopped", 4, None)
    refused = await cloud.act(server["id"], {"os-stop": None})
    assert (refused.status_code, message(refused)) == (
        409,
        f"Cannot 'stop' instance {server['id']} while it is in vm_state stopped",
    )
    await done(cloud, server, {"os-start": None})
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)
    assert await boots(cloud, server) == 2
    refused = await cloud.act(server["id"], {"os-start": None})
    assert message(refused) == f"Cannot 'start' instance {server['id']} while it is in vm_state active"


async def test_an_action_while_another_is_under_way_is_refused(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.add(Fault(verb="ensure_shutdown", delay_s=5))
    await cloud.act(server["id"], {"os-stop": None})
    for action in ({"os-stop": None}, {"reboot": {"type": "SOFT"}}):
        refused = await cloud.act(server["id"], action)
        word = next(iter(action)).removeprefix("os-")
        assert (refused.status_code, message(refused)) == (
            409,
            f"Cannot '{word}' instance {server['id']} while it is in task_state powering-off",
        )
    await cloud.settled()


async def test_of_many_who_ask_at_once_one_is_first(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    answers: list[int] = []

    async def stop() -> None:
        answers.append((await cloud.act(server["id"], {"os-stop": None})).status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(stop)
    assert sorted(answers) == [202] + [409] * 19
    await cloud.settled()


@pytest.mark.parametrize(("kind", "task"), [("SOFT", "rebooting"), ("Hard", "rebooting_hard")])
async def test_reboot(cloud: TestedCloud, kind: str, task: str) -> None:
    server = await cloud.a_server()
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.add(Fault(verb="reboot_soft" if kind == "SOFT" else "ensure_running", delay_s=5))
    await cloud.act(server["id"], {"reboot": {"type": kind}})
    await anyio.sleep(1)
    status, _, _, claimed = await state(cloud, server)
    assert (status, claimed) == ("REBOOT" if kind == "SOFT" else "HARD_REBOOT", task)
    await cloud.settled()
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)
    assert await boots(cloud, server) == 2
    again = (await cloud.server(server["id"]))["addresses"]
    assert again == server["addresses"]


async def test_a_hard_reboot_brings_back_what_is_off(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    await done(cloud, server, {"os-stop": None})
    refused = await cloud.act(server["id"], {"reboot": {"type": "SOFT"}})
    assert message(refused) == f"Cannot 'reboot' instance {server['id']} while it is in vm_state stopped"
    await done(cloud, server, {"reboot": {"type": "HARD"}})
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)


async def test_a_soft_reboot_that_the_guest_ignores_becomes_a_hard_one(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.deaf.add(server["id"])
    began = anyio.current_time()
    await done(cloud, server, {"reboot": {"type": "SOFT"}})
    assert anyio.current_time() - began >= cloud.cloud.settings.shutdown_timeout
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)
    assert await boots(cloud, server) == 2
    assert cloud.notes.facts("soft_reboot_ignored") != []


async def test_who_is_in_a_hurry_does_not_wait_for_a_guest_that_ignores_its_button(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.deaf.add(server["id"])
    began = anyio.current_time()
    assert (await cloud.act(server["id"], {"reboot": {"type": "SOFT"}})).status_code == 202
    await anyio.sleep(3)
    assert (await cloud.act(server["id"], {"reboot": {"type": "HARD"}})).status_code == 202
    await becomes(lambda: state(cloud, server), ("ACTIVE", "active", 1, None))
    assert anyio.current_time() - began < 10
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)
    await anyio.sleep(cloud.cloud.settings.shutdown_timeout)
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)
    assert (await cloud.act(server["id"], {"os-stop": None})).status_code == 202
    await anyio.sleep(3)
    assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")).status_code == 204
    began = anyio.current_time()
    await becomes(lambda: status_of(cloud, server), 404)
    assert anyio.current_time() - began < 5
    await cloud.settled()
    await anyio.sleep(cloud.cloud.settings.shutdown_timeout)
    assert await cloud.hypervisor().machines() == []
    assert await cloud.stuck() == []


async def test_two_hard_reboots_are_done_one_after_the_other(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.add(Fault(verb="ensure_running", delay_s=5))
    for _ in range(2):
        assert (await cloud.act(server["id"], {"reboot": {"type": "HARD"}})).status_code == 202
    await cloud.settled()
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)
    assert await boots(cloud, server) == 3
    found = (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}/os-instance-actions")).json()[
        "instanceActions"
    ]
    assert [(a["action"], a["message"]) for a in found] == [("reboot", None), ("reboot", None), ("create", None)]


@pytest.mark.parametrize(
    ("action", "verb", "status"),
    [
        ({"os-stop": None}, "ensure_shutdown", "ACTIVE"),
        ({"reboot": {"type": "HARD"}}, "ensure_running", "ERROR"),
        ({"reboot": {"type": "SOFT"}}, "reboot_soft", "ERROR"),
    ],
)
async def test_an_action_that_fails_says_why_and_leaves_the_server_usable(
    cloud: TestedCloud, action: dict[str, Any], verb: str, status: str
) -> None:
    server = await cloud.a_server()
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.add(Fault(verb=verb, error=ErrorFacts("failed", "QEMU does not answer")))
    await done(cloud, server, action)
    found = await cloud.server(server["id"])
    assert (found["status"], found["OS-EXT-STS:task_state"]) == (status, None)
    assert ("fault" in found) is (status == "ERROR")
    if status == "ERROR":
        assert found["fault"]["message"] == "QEMU does not answer"
    actions = (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}/os-instance-actions")).json()[
        "instanceActions"
    ]
    assert actions[0]["message"] == "Error"
    # The way out of every failure.
    await done(cloud, server, {"reboot": {"type": "HARD"}})
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)
    assert await cloud.stuck() == []


async def test_a_start_that_fails_leaves_the_server_off(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    await done(cloud, server, {"os-stop": None})
    assert cloud.cloud.fake is not None
    cloud.cloud.fake.faults.add(Fault(verb="ensure_running", after=True, error=ErrorFacts("failed", "too late")))
    await done(cloud, server, {"os-start": None})
    assert await state(cloud, server) == ("SHUTOFF", "stopped", 4, None)
    assert [m.power_state for m in await cloud.hypervisor().machines()] == ["shutdown"]


async def test_on_a_host_that_is_down_nothing_can_be_done_but_to_delete(cloud: TestedCloud) -> None:
    server = await cloud.a_server()
    await cloud.host_silent("host-1")
    await done(cloud, server, {"os-stop": None})
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)
    found = (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}/os-instance-actions")).json()[
        "instanceActions"
    ]
    assert (found[0]["action"], found[0]["message"]) == ("stop", "Error")
    assert (await cloud.server(server["id"], cloud.admin))["host_status"] == "UNKNOWN"
    console = await cloud.act(server["id"], {"os-getConsoleOutput": {}})
    assert (console.status_code, message(console)) == (
        409,
        f"Instance {server['id']} is not ready: its host host-1 is down",
    )
    assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")).status_code == 204
    await cloud.settled()
    assert (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"reboot": {"type": "GENTLE"}}, "GENTLE"),
        ({"reboot": {}}, "'type' is a required property"),
        ({"reboot": None}, "reboot"),
        ({"reboot": {"type": "HARD", "x": 1}}, "('x' was unexpected)"),
        ({"os-jump": None}, "There is no such action: os-jump"),
        ({"os-getConsoleOutput": {"length": "many"}}, "length"),
        ({"os-getConsoleOutput": {"length": -2}}, "length"),
    ],
)
async def test_actions_that_make_no_sense(cloud: TestedCloud, body: dict[str, Any], words: str) -> None:
    server = await cloud.a_server()
    answer = await cloud.act(server["id"], body)
    assert answer.status_code == 400, answer.text
    assert words in message(answer)
    assert await state(cloud, server) == ("ACTIVE", "active", 1, None)


async def test_the_console_is_what_the_guest_said(cloud: TestedCloud) -> None:
    server = await cloud.a_server(name="talker")
    whole = (await cloud.act(server["id"], {"os-getConsoleOutput": {}})).json()["output"]
    lines = whole.split("\n")
    assert len(lines) > 3
    assert "\r" not in whole
    for length, wanted in ((2, lines[-2:]), ("2", lines[-2:]), (0, []), (-1, lines), (None, lines), (10_000, lines)):
        answer = await cloud.act(server["id"], {"os-getConsoleOutput": {"length": length}})
        assert answer.status_code == 200
        assert answer.json() == {"output": "\n".join(wanted)}, length
    await cloud.write(lambda tx: records.change(tx, records.get(tx, Server, server["id"]), host=None) and None)
    refused = await cloud.act(server["id"], {"os-getConsoleOutput": {}})
    assert (refused.status_code, message(refused)) == (409, f"Instance {server['id']} is not ready")
