"""Power states: records follow what hosts see, but never what they saw before the record moved."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from minicloud.agent import calls
from minicloud.base.errors import Unavailable
from minicloud.core import records
from minicloud.core.compute.servers import Server
from minicloud.drivers.hypervisor import PowerState
from minicloud.engines.database import Transaction
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio


async def state(cloud: TestedCloud, server_id: str) -> tuple[str, str | None, int]:
    """What its owner sees: status, task, power."""
    found = await cloud.server(server_id)
    return found["status"], found["OS-EXT-STS:task_state"], found["OS-EXT-STS:power_state"]


@pytest.mark.parametrize("how", ["power_off", "crash"])
async def test_a_guest_that_goes_off_by_itself_makes_its_server_shutoff_at_once(how: str) -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        assert cloud.cloud.fake is not None
        await getattr(cloud.cloud.fake, how)(server["id"])
        await anyio.sleep(1)
        assert await state(cloud, server["id"]) == ("SHUTOFF", None, 4 if how == "power_off" else 6)
        assert (await cloud.reconciled())["power_states"] == []
        assert cloud.notes.facts("power_settled")[0]["vm_state"] == "stopped"


async def test_a_power_cut_of_the_host_is_found_by_the_next_round_and_by_no_other() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        servers = [await cloud.a_server(name=f"web{n}") for n in range(3)]
        hosts = {s["id"]: await host_of(cloud, s["id"]) for s in servers}
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.power_loss("host-1")
        mended = (await cloud.reconciled())["power_states"]
        assert len(mended) == len([host for host in hosts.values() if host == "host-1"]) > 0
        for server_id, host in hosts.items():
            wanted = ("SHUTOFF", None, 4) if host == "host-1" else ("ACTIVE", None, 1)
            assert await state(cloud, server_id) == wanted
        assert (await cloud.reconciled())["power_states"] == []


async def host_of(cloud: TestedCloud, server_id: str) -> str:
    found: str = (await cloud.server(server_id, cloud.admin))["OS-EXT-SRV-ATTR:host"]
    return found


async def test_a_guest_that_stopped_moving_shows_as_paused_and_stays_active() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        assert cloud.cloud.fake is not None
        await cloud.cloud.fake.pause(server["id"])
        await anyio.sleep(1)
        assert await state(cloud, server["id"]) == ("ACTIVE", None, 3)
        assert (await cloud.reconciled())["power_states"] == []


async def test_a_guest_that_runs_although_its_server_is_stopped_is_stopped_as_nova_does_it() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        await cloud.act(server["id"], {"os-stop": None})
        await cloud.settled()
        hypervisor = cloud.hypervisor()
        known = hypervisor._machines[server["id"]]
        hypervisor.keep(type(known)(known.machine, PowerState.RUNNING, known.boots, known.events))
        [told] = (await cloud.reconciled())["power_states"]
        assert "stopped again" in told
        await cloud.settled()
        assert await state(cloud, server["id"]) == ("SHUTOFF", None, 4)
        assert [machine.power_state for machine in await hypervisor.machines()] == ["shutdown"]
        assert (await cloud.reconciled())["power_states"] == []
        actions = (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}/os-instance-actions")).json()
        assert [a["action"] for a in actions["instanceActions"]] == ["stop", "stop", "create"]
        one = await cloud.demo.get(
            f"/compute/v2.1/servers/{server['id']}/os-instance-actions/{actions['instanceActions'][0]['request_id']}"
        )
        assert one.json()["instanceAction"]["events"][0]["result"] == "Success"


async def test_servers_with_a_task_are_left_alone() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()

        def busy(tx: Transaction) -> None:
            records.change(tx, records.get(tx, Server, server["id"]), task_state="rebooting_hard")

        await cloud.write(busy)
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.power_loss("host-1")
        assert (await cloud.reconciled())["power_states"] == []
        assert await state(cloud, server["id"]) == ("HARD_REBOOT", "rebooting_hard", 1)


async def test_what_a_host_saw_before_a_server_moved_does_not_count() -> None:
    """A server is built, one started, and one rebooted after the host wrote its report and before anybody reads it."""
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        stopped = await cloud.a_server(name="stopped")
        await cloud.act(stopped["id"], {"os-stop": None})
        await cloud.settled()
        off = await cloud.a_server(name="off")
        assert cloud.cloud.fake is not None
        cloud.cloud.fake.power_loss("host-1")
        agent = cloud.cloud.agents["host-1"]
        write_report, meanwhile = agent.report, []

        async def late() -> calls.HostReport:
            report = await write_report()
            await cloud.act(stopped["id"], {"os-start": None})
            await cloud.act(off["id"], {"reboot": {"type": "HARD"}})
            meanwhile.append((await cloud.a_server(name="new"))["id"])
            return report

        agent.report = late  # type: ignore[method-assign]
        assert (await cloud.reconciled())["power_states"] == []
        agent.report = write_report  # type: ignore[method-assign]
        for server_id in (stopped["id"], off["id"], *meanwhile):
            assert await state(cloud, server_id) == ("ACTIVE", None, 1)
        assert {str(m.power_state) for m in await cloud.hypervisor().machines()} == {"running"}


async def test_a_host_that_does_not_answer_is_passed_over() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack, hosts=2)
        servers = [await cloud.a_server(name=f"web{n}") for n in range(2)]
        assert {await host_of(cloud, s["id"]) for s in servers} == {"host-1", "host-2"}

        async def ill() -> Any:
            raise Unavailable("its disk is full")

        assert cloud.cloud.fake is not None
        cloud.cloud.fake.power_loss("host-1")
        cloud.cloud.fake.power_loss("host-2")
        cloud.cloud.agents["host-1"].report = ill  # type: ignore[method-assign]
        assert len((await cloud.reconciled())["power_states"]) == 1
        assert sorted([(await state(cloud, s["id"]))[0] for s in servers]) == ["ACTIVE", "SHUTOFF"]
        assert cloud.notes.facts("no_report")[0] == {"host": "host-1", "error": "its disk is full"}
