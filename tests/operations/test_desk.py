"""The desk of a running cloud: status, ways into guests, consoles, demos; errors reach whoever asked."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import msgspec
import pytest

from minicloud.base.errors import Conflict, Invalid, NotFound, Unavailable
from minicloud.operations import desk
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


async def ask(cloud: TestedCloud, word: str, **given: Any) -> Any:
    """As over the control socket: what comes back has survived encoding."""
    return msgspec.to_builtins(await desk.answers(cloud.cloud)[word](given), enc_hook=str, str_keys=True)


async def test_status_tells_which_hosts_are_up() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        await cloud.a_server()
        await cloud.host_silent("host-2")
        told = await ask(cloud, "status")
        assert {host["host"]: host["up"] for host in told["hosts"]} == {"host-1": True, "host-2": False}
        assert told["servers"] == {"ACTIVE": 1}
        assert told["driver"] == "fake"
        assert told["memory_mb"] > 1


async def test_status_tells_what_the_reconcilers_did() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await cloud.reconciled()
        told = (await ask(cloud, "status"))["reconcilers"]
        assert "power_states" in told
        assert all(run["error"] is None for run in told.values())


async def test_a_simulated_guest_cannot_be_reached_and_the_reason_is_told() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await cloud.a_server(name="web")
        with pytest.raises(Unavailable, match="--driver qemu"):
            await ask(cloud, "reach", server="web", port=22)
        with pytest.raises(NotFound, match="No server has the name or id ghost"):
            await ask(cloud, "reach", server="ghost", port=22)


async def test_only_a_running_server_with_a_port_can_be_reached() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server(name="web")
        await cloud.act(server["id"], {"os-stop": None})
        await cloud.settled()
        with pytest.raises(Conflict, match="web is SHUTOFF: only a server that runs"):
            await ask(cloud, "reach", server="web", port=22)
        await cloud.a_server(name="lonely", networks="none")
        with pytest.raises(Conflict, match="lonely has no port"):
            await ask(cloud, "reach", server="lonely", port=22)


async def test_a_console_is_shown_by_its_last_bytes() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await cloud.a_server(name="web")
        whole = await ask(cloud, "console", server="web", tail_bytes=100_000)
        assert "web" in whole
        assert await ask(cloud, "console", server="web", tail_bytes=10) == whole[-10:]


async def test_a_demo_waits_until_it_is_told() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        made = await ask(cloud, "demo", do="start")
        await anyio.sleep(100)
        [waiting] = await ask(cloud, "sagas")
        assert (waiting["id"], waiting["state"]) == (made["saga"], "running")
        await ask(cloud, "demo", do="tell", demo=made["demo"])
        await cloud.settled()
        assert await ask(cloud, "sagas") == []
        with pytest.raises(Conflict, match="has finished already"):
            await ask(cloud, "demo", do="tell", demo=made["demo"])


async def test_a_demo_that_is_told_to_fail_leaves_nothing() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        made = await ask(cloud, "demo", do="start")
        await ask(cloud, "demo", do="fail", demo=made["demo"])
        await cloud.settled()
        states = {saga["kind"]: saga["state"] for saga in await ask(cloud, "sagas", ended=True)}
        assert states["PlayDemo"] == "rolled_back"
        with pytest.raises(NotFound):
            await ask(cloud, "demo", do="tell", demo=made["demo"])
        with pytest.raises(Invalid, match="started, told or failed, not 'dance'"):
            await ask(cloud, "demo", do="dance")


async def test_every_read_is_answered_too() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server(name="web")
        assert (await ask(cloud, "subject", text="web"))["id"] == server["id"]
        assert await ask(cloud, "names", ids=[server["id"]]) == {server["id"]: "web"}
