"""Lost hosts: told when they fall silent and when they return, once; their servers stay theirs, and nobody is placed there."""

from contextlib import AsyncExitStack

import anyio
import pytest

from tests.support.clouds import a_cloud

pytestmark = pytest.mark.anyio


async def test_a_host_that_falls_silent_is_told_of_once_and_gets_no_servers_until_it_returns() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2, reconcile_interval=1e6)
        servers = [await cloud.a_server(name=f"web{n}") for n in range(2)]
        assert (await cloud.reconciled())["lost_hosts"] == []
        await cloud.host_silent("host-1")
        assert (await cloud.reconciled())["lost_hosts"] == ["host host-1 is down, with 1 servers on it"]
        assert (await cloud.reconciled())["lost_hosts"] == []
        assert cloud.notes.facts("host_lost") == [{"host": "host-1", "servers": 1}]
        hosts = []
        for n in range(3):
            new = await cloud.a_server(cloud.admin, name=f"later{n}")
            hosts.append(new["OS-EXT-SRV-ATTR:host"])
        assert hosts == ["host-2"] * 3
        verdicts = [fact for fact in cloud.notes.facts("filter") if fact["host"] == "host-1" and not fact["passed"]]
        assert len(verdicts) == 3
        # Theirs stay as they were: only an operator moves them.
        for server in servers:
            assert (await cloud.server(server["id"]))["status"] == "ACTIVE"
        cloud.cloud.world.servicegroup.resume("nova-compute@host-1")
        assert (await cloud.reconciled())["lost_hosts"] == ["host host-1 is back"]
        assert (await cloud.reconciled())["lost_hosts"] == []
        back = await cloud.a_server(cloud.admin, name="back")
        assert back["OS-EXT-SRV-ATTR:host"] == "host-1"


async def test_a_host_that_was_down_already_when_the_cloud_began_is_told_of_too() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, reconcile_interval=1e6)
        await cloud.host_silent("host-1")
        await anyio.sleep(1)
        assert (await cloud.reconciled())["lost_hosts"] == ["host host-1 is down, with 0 servers on it"]
