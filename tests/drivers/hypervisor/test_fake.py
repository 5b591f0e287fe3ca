"""Simulated machines: scripted trouble, guests that misbehave on command, and thousands of hosts in one world."""

import time
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from minicloud.base.errors import ErrorFacts, Failed, NotFound, Unavailable
from minicloud.drivers.fabric import FakePlug
from minicloud.drivers.faults import Fault
from minicloud.drivers.hypervisor import Disk, Machine, Nic, PowerState
from minicloud.drivers.hypervisor.fake import FakeHypervisor, FakeWorld, HostSize
from minicloud.drivers.statelog import StateLog

pytestmark = pytest.mark.anyio


def a_machine(name: str = "web") -> Machine:
    return Machine(
        id=str(uuid4()),
        name=name,
        vcpus=2,
        memory_mb=512,
        disks=[Disk(id="disk", path="/simulated/disk", boot_index=0)],
        nics=[Nic(id=str(uuid4()), mac="fa:16:3e:aa:bb:cc", plug=FakePlug(name="p"))],
        properties={"hostname": "web-1"},
    )


async def nobody(machine_id: str, power: PowerState) -> None:
    raise AssertionError(f"nobody should hear of {machine_id} {power}")


async def a_host(world: FakeWorld, name: str = "h1") -> FakeHypervisor:
    host = FakeHypervisor(world, name)
    await host.open(nobody)
    return host


async def test_a_scripted_error_comes_before_the_work_or_after_it() -> None:
    world = FakeWorld()
    host, machine = await a_host(world), a_machine()
    world.faults.add(Fault(verb="ensure_running", error=ErrorFacts("unavailable", "no memory")))
    world.faults.add(Fault(verb="ensure_running", after=True, error=ErrorFacts("failed", "answer lost")))
    with pytest.raises(Unavailable, match="no memory"):
        await host.ensure_running(machine)
    assert await host.machines() == []
    with pytest.raises(Failed, match="answer lost"):
        await host.ensure_running(machine)
    assert [facts.power_state for facts in await host.machines()] == [PowerState.RUNNING]


@pytest.mark.parametrize("verb", ["ensure_shutdown", "ensure_gone", "ensure_paused", "reboot_soft", "console_output"])
async def test_every_verb_can_be_made_to_fail(verb: str) -> None:
    world = FakeWorld()
    host, machine = await a_host(world), a_machine()
    await host.ensure_running(machine)
    world.faults.add(Fault(verb=verb, host="h1", target=machine.id, error=ErrorFacts("failed", "scripted")))
    more = {"ensure_shutdown": {"grace_s": 0}, "reboot_soft": {"grace_s": 1}, "console_output": {"tail_bytes": 9}}
    call = getattr(host, verb)
    with pytest.raises(Failed, match="scripted"):
        await call(machine.id, **more.get(verb, {}))
    assert [facts.power_state for facts in await host.machines()] == [PowerState.RUNNING]
    await call(machine.id, **more.get(verb, {}))


async def test_a_deaf_guest_costs_its_whole_grace() -> None:
    world = FakeWorld()
    host, machine = await a_host(world), a_machine()
    await host.ensure_running(machine)
    world.deaf.add(machine.id)
    began = anyio.current_time()
    assert await host.reboot_soft(machine.id, grace_s=120) is False
    await host.ensure_shutdown(machine.id, grace_s=60)
    assert anyio.current_time() - began == 180


async def test_the_console_tells_a_plausible_story() -> None:
    host, machine = await a_host(FakeWorld()), a_machine()
    await host.ensure_running(machine)
    await host.ensure_shutdown(machine.id, grace_s=10)
    await host.ensure_running(machine)
    text = (await host.console_output(machine.id, tail_bytes=1 << 20)).decode()
    assert text.count("web-1 login:") == 2
    assert text.count("reboot: Power down") == 1
    assert "fa:16:3e:aa:bb:cc" in text
    assert machine.id in text


async def test_a_crash_finds_the_machine_wherever_it_runs() -> None:
    world, heard = FakeWorld(), []

    async def hear(machine_id: str, power: PowerState) -> None:
        heard.append((machine_id, power))

    await a_host(world, "h1")
    second, machine = FakeHypervisor(world, "h2"), a_machine()
    await second.open(hear)
    await second.ensure_running(machine)
    await world.crash(machine.id)
    assert heard == [(machine.id, PowerState.CRASHED)]
    with pytest.raises(NotFound):
        await world.crash(machine.id)
    await second.ensure_running(machine)
    await world.pause(machine.id)
    assert heard[1:] == [(machine.id, PowerState.PAUSED)]
    assert (await second.ensure_running(machine)).power_state is PowerState.RUNNING


async def test_a_host_that_loses_power_tells_nobody(tmp_path: Path) -> None:
    world = FakeWorld(StateLog(tmp_path / "world"))
    open_host, closed_host = await a_host(world, "h1"), await a_host(world, "h2")
    first, second, off = a_machine(), a_machine(), a_machine()
    await open_host.ensure_running(first)
    await open_host.ensure_running(off)
    await open_host.ensure_shutdown(off.id, grace_s=0)
    await closed_host.ensure_running(second)
    await closed_host.close()
    world.power_loss("h1")
    world.power_loss("h2")
    assert {facts.power_state for facts in await open_host.machines()} == {PowerState.SHUTDOWN}
    again = await a_host(FakeWorld(StateLog(tmp_path / "world")), "h2")
    assert [facts.power_state for facts in await again.machines()] == [PowerState.SHUTDOWN]
    world.log.close()


async def test_one_world_holds_many_hosts_and_storms(tmp_path: Path) -> None:
    world = FakeWorld(StateLog(tmp_path / "world"))
    hosts = [await a_host(world, f"h{n}") for n in range(1000)]
    machines = [a_machine(f"m{n}") for n in range(2000)]
    began = time.perf_counter()
    for n, machine in enumerate(machines):
        await hosts[n % 1000].ensure_running(machine)
    each = (time.perf_counter() - began) / len(machines)
    assert each < 0.001, f"{each * 1e6:.0f} microseconds for one machine (about 15 on a quiet computer)"
    world.log.close()
    again = FakeWorld(StateLog(tmp_path / "world"))
    there = [facts.id for n in range(1000) for facts in await (await a_host(again, f"h{n}")).machines()]
    assert sorted(there) == sorted(machine.id for machine in machines)
    again.log.close()


async def test_a_host_tells_its_size() -> None:
    host = FakeHypervisor(FakeWorld(), "h1", HostSize(vcpus=3, memory_mb=1000, disk_gb=7))
    facts = await host.facts()
    assert (facts.vcpus, facts.memory_mb, facts.disk_gb, facts.hypervisor_type) == (3, 1000, 7, "fake")
