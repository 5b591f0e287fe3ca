"""The hypervisor promise, on every keeper: states brought about, repeated, found again, and told when they change by themselves."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import anyio
import msgspec
import pytest
import trio.testing

from minicloud.base.errors import CloudError, Conflict, NotFound, NotOffered, TimedOut
from minicloud.base.imageformat import qcow2
from minicloud.drivers.fabric import FakePlug
from minicloud.drivers.hypervisor import (
    Cell,
    Disk,
    Hardware,
    Hypervisor,
    Machine,
    MachineFacts,
    Nic,
    PowerState,
    Throttle,
)
from minicloud.drivers.hypervisor.fake import FakeHypervisor, FakeWorld
from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor
from minicloud.drivers.statelog import StateLog
from tests.support.bootsector import boot_disk

pytestmark = pytest.mark.anyio


class Changes:
    """Hears what changes by itself."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, PowerState]] = []

    async def __call__(self, machine_id: str, power: PowerState) -> None:
        self.heard.append((machine_id, power))

    async def hears(self, machine_id: str, power: PowerState) -> None:
        with anyio.fail_after(60):
            while (machine_id, power) not in self.heard:  # noqa: ASYNC110
                await anyio.sleep(0.02)


class House(Protocol):
    """One host of a keeper, which can be left and entered again, and whose guests can be made to misbehave."""

    changes: Changes

    def a_machine(self, *, obeys_power_button: bool = True, lets_go: bool = True) -> Machine: ...

    def a_disk(self, **more: Any) -> Disk: ...

    def a_blank_copy(self, size: int = 2 << 20) -> str: ...

    def is_copy_of(self, copy: str, original: str) -> bool: ...

    def entered(self) -> Any: ...

    async def guest_powers_off(self, machine_id: str) -> None: ...

    async def dies(self, machine_id: str) -> None: ...


def the_machine(disk: str | None) -> Machine:
    number = uuid4()
    return Machine(
        id=str(number),
        name=f"instance-{number.hex[:8]}",
        vcpus=1,
        memory_mb=64,
        disks=[Disk(id="disk", path=disk, format="raw", boot_index=0, serial="a-serial")] if disk else [],
        nics=[Nic(id=str(uuid4()), mac="fa:16:3e:00:00:01", plug=FakePlug(name="p1"))],
    )


def a_nic(**more: Any) -> Nic:
    return Nic(id=str(uuid4()), mac="fa:16:3e:00:00:02", plug=FakePlug(name="p2"), **more)


class FakeHouse:
    def __init__(self, folder: Path) -> None:
        self.changes = Changes()
        self._file = folder / "world.jsonl"
        self._deaf: set[str] = set()
        self._clinging: set[str] = set()
        self.world = FakeWorld()

    def a_machine(self, *, obeys_power_button: bool = True, lets_go: bool = True) -> Machine:
        machine = the_machine("/simulated/disk")
        if not lets_go:
            self._clinging.add(machine.id)
            self.world.clinging.add(machine.id)
        if not obeys_power_button:
            self._deaf.add(machine.id)
            self.world.deaf.add(machine.id)
        return machine

    def a_disk(self, **more: Any) -> Disk:
        return Disk(id=str(uuid4()), path="/simulated/more", format="raw", **more)

    def a_blank_copy(self, size: int = 2 << 20) -> str:
        return "/simulated/copy"

    def is_copy_of(self, copy: str, original: str) -> bool:
        return True

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[Hypervisor]:
        log = StateLog(self._file)
        self.world = FakeWorld(log)
        self.world.deaf |= self._deaf
        self.world.clinging |= self._clinging
        hypervisor = FakeHypervisor(self.world, "host1")
        await hypervisor.open(self.changes)
        try:
            yield hypervisor
        finally:
            await hypervisor.close()
            log.close()

    async def guest_powers_off(self, machine_id: str) -> None:
        await self.world.power_off(machine_id)

    async def dies(self, machine_id: str) -> None:
        await self.world.crash(machine_id)


class QemuHouse:
    def __init__(self, folder: Path) -> None:
        self.changes = Changes()
        self._folder = folder
        self._open: QemuHypervisor | None = None

    def a_machine(self, *, obeys_power_button: bool = True, lets_go: bool = True) -> Machine:
        disk = self._folder / f"disk-{uuid4().hex}.raw"
        disk.write_bytes(boot_disk(obeys_power_button=obeys_power_button, lets_go=lets_go))
        return the_machine(str(disk))

    def a_disk(self, **more: Any) -> Disk:
        number = uuid4()
        path = self._folder / f"more-{number.hex}.raw"
        path.write_bytes(number.bytes.ljust(1 << 20, b"."))
        return Disk(id=str(number), path=str(path), format="raw", **more)

    def a_blank_copy(self, size: int = 2 << 20) -> str:
        path = self._folder / f"copy-{uuid4().hex}.qcow2"
        path.write_bytes(qcow2.blank(size))
        return str(path)

    def is_copy_of(self, copy: str, original: str) -> bool:
        compared = subprocess.run(["qemu-img", "compare", "-f", "qcow2", "-F", "raw", copy, original], check=False)
        return compared.returncode == 0

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[Hypervisor]:
        self._open = QemuHypervisor(self._folder, accel="tcg")
        await self._open.open(self.changes)
        try:
            yield self._open
        finally:
            await self._open.close()

    async def guest_powers_off(self, machine_id: str) -> None:
        assert self._open is not None
        await console_has(self._open, machine_id, boots=1)
        reader = await self._open.serial(machine_id)
        async with reader:
            await reader.send(b"o")

    async def dies(self, machine_id: str) -> None:
        assert self._open is not None
        facts = await self._open.machine(machine_id)
        assert facts is not None
        assert facts.pid is not None
        os.kill(facts.pid, signal.SIGKILL)


KEEPERS: dict[str, Callable[[Path], House]] = {"fake": FakeHouse, "qemu": QemuHouse}


@pytest.fixture(params=["fake", pytest.param("qemu", marks=pytest.mark.qemu)])
def keeper(request: pytest.FixtureRequest) -> str:
    if request.param == "qemu" and shutil.which("qemu-system-x86_64") is None:
        pytest.skip("qemu-system-x86_64 is not installed")
    return str(request.param)


@pytest.fixture
def anyio_backend(keeper: str) -> Any:
    if keeper == "fake":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio"


@pytest.fixture
async def house(keeper: str, tmp_path: Path) -> AsyncIterator[House]:
    house = KEEPERS[keeper](tmp_path)
    yield house
    async with house.entered() as hypervisor:
        for facts in await hypervisor.machines():
            await hypervisor.ensure_gone(facts.id)
        assert await hypervisor.machines() == []


async def power(hypervisor: Hypervisor, machine_id: str) -> PowerState | None:
    facts = await hypervisor.machine(machine_id)
    return facts.power_state if facts is not None else None


async def test_a_machine_runs_and_running_it_again_changes_nothing(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        first = await hypervisor.ensure_running(machine)
        assert (first.id, first.name, first.power_state) == (machine.id, machine.name, PowerState.RUNNING)
        assert await hypervisor.ensure_running(machine) == first
        assert await hypervisor.machines() == [first]
        assert await hypervisor.machine(machine.id) == first


async def test_an_unknown_machine_is_none_and_has_no_console(house: House) -> None:
    async with house.entered() as hypervisor:
        assert await hypervisor.machine(str(uuid4())) is None
        assert await hypervisor.machines() == []
        verbs: list[Callable[[], Awaitable[object]]] = [
            lambda: hypervisor.console_output(str(uuid4()), tail_bytes=10),
            lambda: hypervisor.ensure_shutdown(str(uuid4()), grace_s=0),
            lambda: hypervisor.ensure_paused(str(uuid4())),
            lambda: hypervisor.ensure_unpaused(str(uuid4())),
            lambda: hypervisor.ensure_suspended(str(uuid4())),
            lambda: hypervisor.reboot_soft(str(uuid4()), grace_s=1),
            lambda: hypervisor.ensure_disk_attached(str(uuid4()), house.a_disk()),
            lambda: hypervisor.ensure_disk_detached(str(uuid4()), "d", timeout_s=1),
            lambda: hypervisor.ensure_disk_size(str(uuid4()), "d", size_bytes=1),
            lambda: hypervisor.ensure_disk_throttle(str(uuid4()), "d", None),
            lambda: hypervisor.ensure_nic_attached(str(uuid4()), a_nic()),
            lambda: hypervisor.ensure_nic_detached(str(uuid4()), "n", timeout_s=1),
            lambda: hypervisor.usage(str(uuid4())),
            lambda: hypervisor.addresses(str(uuid4())),
            lambda: hypervisor.inject_nmi(str(uuid4())),
            lambda: hypervisor.ensure_password(str(uuid4()), "root", "secret"),
        ]
        for verb in verbs:
            with pytest.raises(NotFound, match="has no machine"):
                await verb()


async def test_a_forced_shutdown_keeps_the_machine_defined_and_may_be_repeated(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        for _ in range(2):
            await hypervisor.ensure_shutdown(machine.id, grace_s=0)
            assert await power(hypervisor, machine.id) is PowerState.SHUTDOWN
        assert (await hypervisor.machines())[0].pid is None
        again = await hypervisor.ensure_running(machine)
        assert again.power_state is PowerState.RUNNING
    assert house.changes.heard == [], "what was asked for is not news"


async def test_a_polite_shutdown_reaches_the_guest(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        await hypervisor.ensure_shutdown(machine.id, grace_s=60)
        assert await power(hypervisor, machine.id) is PowerState.SHUTDOWN
        assert b"ower down" in await hypervisor.console_output(machine.id, tail_bytes=4096)
    assert house.changes.heard == []


async def test_a_guest_that_does_not_listen_is_stopped_when_its_grace_ends(house: House) -> None:
    machine = house.a_machine(obeys_power_button=False)
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        with anyio.fail_after(30):
            await hypervisor.ensure_shutdown(machine.id, grace_s=0.3)
        assert await power(hypervisor, machine.id) is PowerState.SHUTDOWN


async def test_a_paused_machine_stands_still_and_running_resumes_it(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        before = await hypervisor.ensure_running(machine)
        for _ in range(2):
            await hypervisor.ensure_paused(machine.id)
            assert await power(hypervisor, machine.id) is PowerState.PAUSED
        resumed = await hypervisor.ensure_running(machine)
        assert resumed == before, "the same process goes on"
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        with pytest.raises(Conflict, match="only a running machine can be paused"):
            await hypervisor.ensure_paused(machine.id)
    assert house.changes.heard == []


async def test_a_machine_that_stood_still_goes_on(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await hypervisor.ensure_paused(machine.id)
        for _ in range(2):
            await hypervisor.ensure_unpaused(machine.id)
            assert await power(hypervisor, machine.id) is PowerState.RUNNING
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        with pytest.raises(Conflict, match="only a paused machine can go on"):
            await hypervisor.ensure_unpaused(machine.id)
    assert house.changes.heard == []


async def test_a_suspended_machine_is_taken_up_where_it_was_also_by_another_process(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        for _ in range(2):
            await hypervisor.ensure_suspended(machine.id)
            assert await power(hypervisor, machine.id) is PowerState.SUSPENDED
    async with house.entered() as hypervisor:
        assert await power(hypervisor, machine.id) is PowerState.SUSPENDED
        said = await hypervisor.console_output(machine.id, tail_bytes=1 << 16)
        await hypervisor.ensure_running(machine)
        assert await power(hypervisor, machine.id) is PowerState.RUNNING
        assert await hypervisor.console_output(machine.id, tail_bytes=1 << 16) == said, "it did not boot again"
        await hypervisor.ensure_suspended(machine.id)
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        assert await power(hypervisor, machine.id) is PowerState.SHUTDOWN
        with pytest.raises(Conflict, match="only a running machine can be suspended"):
            await hypervisor.ensure_suspended(machine.id)
        await hypervisor.ensure_gone(machine.id)
    assert house.changes.heard == []


async def test_a_soft_reboot_starts_the_guest_again(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        assert await hypervisor.reboot_soft(machine.id, grace_s=60) is True
        assert await power(hypervisor, machine.id) is PowerState.RUNNING
        await console_has(hypervisor, machine.id, boots=2)
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        assert await hypervisor.reboot_soft(machine.id, grace_s=1) is False, "a machine that is off cannot react"
        assert await power(hypervisor, machine.id) is PowerState.SHUTDOWN
    assert house.changes.heard == []


async def test_a_soft_reboot_says_when_the_guest_did_not_react(house: House) -> None:
    machine = house.a_machine(obeys_power_button=False)
    async with house.entered() as hypervisor:
        before = await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        assert await hypervisor.reboot_soft(machine.id, grace_s=0.3) is False
        assert await hypervisor.machine(machine.id) == before


async def test_gone_means_gone_and_a_machine_that_never_was_is_gone(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        for _ in range(2):
            await hypervisor.ensure_gone(machine.id)
            assert await hypervisor.machine(machine.id) is None
        await hypervisor.ensure_gone(str(uuid4()))
    async with house.entered() as hypervisor:
        assert await hypervisor.machines() == []
    assert house.changes.heard == []


async def test_machines_outlive_the_process_that_made_them(house: House) -> None:
    running, paused, off = house.a_machine(), house.a_machine(), house.a_machine()
    before: list[MachineFacts] = []
    async with house.entered() as hypervisor:
        for machine in (running, paused, off):
            await hypervisor.ensure_running(machine)
        await hypervisor.ensure_paused(paused.id)
        await hypervisor.ensure_shutdown(off.id, grace_s=0)
        before = await hypervisor.machines()
    async with house.entered() as hypervisor:
        key = lambda facts: facts.id  # noqa: E731
        assert sorted(await hypervisor.machines(), key=key) == sorted(before, key=key)
        resumed = await hypervisor.ensure_running(paused)
        assert resumed.power_state is PowerState.RUNNING
        await console_has(hypervisor, running.id, boots=1)
        await hypervisor.ensure_shutdown(running.id, grace_s=60)
        assert await power(hypervisor, running.id) is PowerState.SHUTDOWN
    assert house.changes.heard == []


async def test_a_guest_that_powers_off_is_reported(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await house.guest_powers_off(machine.id)
        await house.changes.hears(machine.id, PowerState.SHUTDOWN)
        assert await power(hypervisor, machine.id) is PowerState.SHUTDOWN
        again = await hypervisor.ensure_running(machine)
        assert again.power_state is PowerState.RUNNING
    assert house.changes.heard == [(machine.id, PowerState.SHUTDOWN)]


async def test_a_process_that_dies_is_reported_also_after_it_was_found_again(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
    async with house.entered() as hypervisor:
        await house.dies(machine.id)
        await house.changes.hears(machine.id, PowerState.CRASHED)
        assert await power(hypervisor, machine.id) is PowerState.CRASHED
        again = await hypervisor.ensure_running(machine)
        assert again.power_state is PowerState.RUNNING
    assert house.changes.heard == [(machine.id, PowerState.CRASHED)]


async def test_the_console_keeps_its_last_bytes(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        whole = await hypervisor.console_output(machine.id, tail_bytes=100_000)
        assert await hypervisor.console_output(machine.id, tail_bytes=5) == whole[-5:]
        assert await hypervisor.console_output(machine.id, tail_bytes=0) == b""
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        assert (await hypervisor.console_output(machine.id, tail_bytes=100_000)).startswith(whole)


async def test_the_host_tells_what_it_can_give(house: House) -> None:
    async with house.entered() as hypervisor:
        facts = await hypervisor.facts()
        assert facts.vcpus >= 1
        assert facts.memory_mb >= 64
        assert facts.disk_gb >= 1
        assert facts.hypervisor_type in ("fake", "QEMU")
        assert facts.hypervisor_version >= 1000
        assert facts.accelerator


async def test_many_machines_at_once(house: House, keeper: str) -> None:
    machines = [house.a_machine() for _ in range(50 if keeper == "fake" else 4)]
    async with house.entered() as hypervisor:
        async with anyio.create_task_group() as tasks:
            for machine in machines:
                tasks.start_soon(hypervisor.ensure_running, machine)
        assert {facts.id for facts in await hypervisor.machines()} == {machine.id for machine in machines}
        async with anyio.create_task_group() as tasks:
            for machine in machines:
                tasks.start_soon(hypervisor.ensure_gone, machine.id)
        assert await hypervisor.machines() == []


async def test_a_changed_specification_takes_effect_at_the_next_start(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        renamed = msgspec.structs.replace(machine, name="instance-renamed")
        assert (await hypervisor.ensure_running(renamed)).name == "instance-renamed"


@pytest.mark.parametrize("bus", ["virtio", "nvme", "scsi"])
async def test_a_disk_comes_and_goes_while_the_machine_runs(house: House, bus: str) -> None:
    machine, disk = house.a_machine(), house.a_disk(bus=bus, serial=str(uuid4()))
    if bus == "scsi":
        machine = msgspec.structs.replace(machine, disks=[*machine.disks, house.a_disk(bus="scsi")])
    async with house.entered() as hypervisor:
        before = await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        for _ in range(2):
            await hypervisor.ensure_disk_attached(machine.id, disk)
    async with house.entered() as hypervisor:
        await hypervisor.ensure_disk_attached(machine.id, disk)
        for _ in range(2):
            await hypervisor.ensure_disk_detached(machine.id, disk.id, timeout_s=60)
        assert await hypervisor.machine(machine.id) == before, "it is the same process"
        await hypervisor.ensure_disk_attached(machine.id, disk)
    assert house.changes.heard == []


async def test_a_disk_that_was_there_at_the_start_goes_too_and_a_card(house: House) -> None:
    machine, disk, nic = house.a_machine(), house.a_disk(), a_nic()
    machine = msgspec.structs.replace(machine, disks=[*machine.disks, disk], nics=[*machine.nics, nic])
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        await hypervisor.ensure_disk_detached(machine.id, disk.id, timeout_s=60)
        await hypervisor.ensure_nic_detached(machine.id, nic.id, timeout_s=60)


@pytest.mark.parametrize("model", ["virtio", "e1000", "rtl8139"])
async def test_a_card_comes_and_goes_while_the_machine_runs(house: House, model: str) -> None:
    machine, nic = house.a_machine(), a_nic(model=model)
    async with house.entered() as hypervisor:
        before = await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        for _ in range(2):
            await hypervisor.ensure_nic_attached(machine.id, nic)
        facts = await hypervisor.machine(machine.id)
        assert facts is not None
        assert facts.nics == [*before.nics, nic.id]
        for _ in range(2):
            await hypervisor.ensure_nic_detached(machine.id, nic.id, timeout_s=60)
        assert await hypervisor.machine(machine.id) == before


async def test_a_guest_that_clings_to_its_devices_keeps_them(house: House) -> None:
    machine, disk, nic = house.a_machine(lets_go=False), house.a_disk(), a_nic()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        await hypervisor.ensure_disk_attached(machine.id, disk)
        await hypervisor.ensure_nic_attached(machine.id, nic)
        with pytest.raises(TimedOut, match="did not let go"):
            await hypervisor.ensure_disk_detached(machine.id, disk.id, timeout_s=0.3)
        with pytest.raises(TimedOut, match="did not let go"):
            await hypervisor.ensure_nic_detached(machine.id, nic.id, timeout_s=0.3)
        assert await hypervisor.ensure_disk_size(machine.id, disk.id, size_bytes=2 << 20), "it is still there"


async def test_a_paused_machine_takes_devices_and_gives_none_back(house: House) -> None:
    machine, disk, nic = house.a_machine(), house.a_disk(), a_nic()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        await hypervisor.ensure_paused(machine.id)
        await hypervisor.ensure_disk_attached(machine.id, disk)
        await hypervisor.ensure_nic_attached(machine.id, nic)
        with pytest.raises(Conflict, match="paused"):
            await hypervisor.ensure_disk_detached(machine.id, disk.id, timeout_s=60)
        with pytest.raises(Conflict, match="paused"):
            await hypervisor.ensure_nic_detached(machine.id, nic.id, timeout_s=60)
        await hypervisor.ensure_unpaused(machine.id)
        await hypervisor.ensure_disk_detached(machine.id, disk.id, timeout_s=60)
        await hypervisor.ensure_nic_detached(machine.id, nic.id, timeout_s=60)


async def test_a_machine_that_is_off_has_other_devices_from_its_next_start_on(house: House) -> None:
    machine, disk, nic = house.a_machine(), house.a_disk(), a_nic()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        for _ in range(2):
            await hypervisor.ensure_disk_attached(machine.id, disk)
            await hypervisor.ensure_nic_attached(machine.id, nic)
        assert await hypervisor.ensure_disk_size(machine.id, disk.id, size_bytes=2 << 20) is False
        await hypervisor.ensure_disk_throttle(machine.id, disk.id, Throttle(total_iops=10))
        for _ in range(2):
            await hypervisor.ensure_disk_detached(machine.id, disk.id, timeout_s=0)
            await hypervisor.ensure_nic_detached(machine.id, nic.id, timeout_s=0)
        with pytest.raises(NotFound, match="has no disk"):
            await hypervisor.ensure_disk_throttle(machine.id, disk.id, None)


async def test_nothing_comes_to_an_ide_bus_or_leaves_it_while_the_machine_runs(house: House) -> None:
    machine = house.a_machine()
    first, second = house.a_disk(bus="ide"), house.a_disk(bus="ide")
    machine = msgspec.structs.replace(machine, disks=[*machine.disks, first])
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        with pytest.raises(Conflict, match="no disk comes to an IDE bus while the machine runs"):
            await hypervisor.ensure_disk_attached(machine.id, second)
        with pytest.raises(Conflict, match="no disk leaves an IDE bus while the machine runs"):
            await hypervisor.ensure_disk_detached(machine.id, first.id, timeout_s=5)
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        await hypervisor.ensure_disk_attached(machine.id, second)
        await hypervisor.ensure_disk_detached(machine.id, first.id, timeout_s=5)
        await hypervisor.ensure_disk_detached(machine.id, second.id, timeout_s=5)


async def test_what_was_attached_survives_a_soft_reboot_and_a_suspension(house: House) -> None:
    machine, disk, nic = house.a_machine(), house.a_disk(), a_nic()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        await hypervisor.ensure_disk_attached(machine.id, disk)
        await hypervisor.ensure_nic_attached(machine.id, nic)
        await hypervisor.ensure_suspended(machine.id)
        with pytest.raises(Conflict, match="is suspended"):
            await hypervisor.ensure_disk_detached(machine.id, disk.id, timeout_s=0)
        await hypervisor.ensure_running(machine)
        assert await hypervisor.ensure_disk_size(machine.id, disk.id, size_bytes=2 << 20)
        assert await hypervisor.reboot_soft(machine.id, grace_s=60)
        assert await hypervisor.ensure_disk_size(machine.id, disk.id, size_bytes=3 << 20)
        await console_has(hypervisor, machine.id, boots=2)
        await hypervisor.ensure_nic_detached(machine.id, nic.id, timeout_s=60)


@pytest.mark.parametrize("bus", ["virtio", "nvme", "scsi"])
async def test_limits_of_a_disk_change_while_it_works(house: House, bus: str) -> None:
    machine, disk = house.a_machine(), house.a_disk(bus=bus, throttle=Throttle(read_iops=100, write_bytes=1 << 20))
    machine = msgspec.structs.replace(machine, disks=[*machine.disks, disk])
    other = house.a_disk(bus=bus, throttle=Throttle(total_iops=100, total_iops_max=200, total_iops_max_length=2))
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await hypervisor.ensure_disk_attached(machine.id, other)
        await hypervisor.ensure_disk_throttle(machine.id, disk.id, Throttle(total_bytes=1 << 20))
        await hypervisor.ensure_disk_throttle(machine.id, disk.id, None)
        with pytest.raises(NotFound, match="has no disk"):
            await hypervisor.ensure_disk_throttle(machine.id, "none", None)


async def test_a_disk_is_copied_while_the_machine_runs_and_while_it_is_paused(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        for _ in range(2):
            await hypervisor.ensure_disks_copied(machine.id, {"disk": house.a_blank_copy()})
            await hypervisor.ensure_disk_not_copied(machine.id, "disk")
        await hypervisor.ensure_paused(machine.id)
        copied = house.a_blank_copy()
        await hypervisor.ensure_disks_copied(machine.id, {"disk": copied})
        assert house.is_copy_of(copied, machine.disks[0].path)
        with pytest.raises(NotFound, match="has no disk"):
            await hypervisor.ensure_disks_copied(machine.id, {"none": copied})
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        with pytest.raises(Conflict, match="lies still"):
            await hypervisor.ensure_disks_copied(machine.id, {"disk": copied})
        await hypervisor.ensure_disk_not_copied(machine.id, "disk")
        await hypervisor.ensure_disk_not_copied(str(uuid4()), "disk")


async def test_several_disks_are_copied_together_or_none_is(house: House) -> None:
    machine = house.a_machine()
    more = house.a_disk()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        await hypervisor.ensure_disk_attached(machine.id, more)
        with pytest.raises(NotFound, match="has no disk"):
            await hypervisor.ensure_disks_copied(
                machine.id, {more.id: house.a_blank_copy(1 << 20), "none": house.a_blank_copy()}
            )
        paths = {"disk": house.a_blank_copy(), more.id: house.a_blank_copy(1 << 20)}
        await hypervisor.ensure_disks_copied(machine.id, paths)
        assert house.is_copy_of(paths["disk"], machine.disks[0].path)
        assert house.is_copy_of(paths[more.id], more.path)
        await hypervisor.ensure_gone(machine.id)


async def test_a_disk_moves_to_another_file_while_its_guest_runs(house: House) -> None:
    machine, disk = house.a_machine(), house.a_disk()
    machine = msgspec.structs.replace(machine, disks=[*machine.disks, disk])
    there, further = house.a_blank_copy(1 << 20), house.a_blank_copy(1 << 20)
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        for _ in range(2):
            assert await hypervisor.ensure_disk_moved(machine.id, disk.id, path=there, format="qcow2")
        copied = house.a_blank_copy(1 << 20)
        await hypervisor.ensure_disks_copied(machine.id, {disk.id: copied})
        assert house.is_copy_of(copied, disk.path)
        with pytest.raises(Conflict, match="was copied while it changed"):
            await hypervisor.ensure_disk_moved(machine.id, disk.id, path=further, format="qcow2", copied=True)
        with pytest.raises(NotFound, match="has no disk"):
            await hypervisor.ensure_disk_moved(machine.id, "none", path=there, format="qcow2")
    async with house.entered() as hypervisor:
        # What else is done to a disk finds it where it is now, and it may move on and come back.
        assert await hypervisor.ensure_disk_moved(machine.id, disk.id, path=further, format="qcow2")
        assert house.is_copy_of(there, disk.path)
        assert await hypervisor.ensure_disk_moved(machine.id, disk.id, path=disk.path, format="raw")
        assert await hypervisor.ensure_disk_size(machine.id, disk.id, size_bytes=2 << 20)
        await hypervisor.ensure_disk_detached(machine.id, disk.id, timeout_s=60)
        await hypervisor.ensure_disk_attached(machine.id, disk)
    assert house.changes.heard == []


async def test_a_disk_of_a_machine_that_is_off_lies_where_it_was_copied_to(house: House) -> None:
    machine, disk, there = house.a_machine(), house.a_disk(), house.a_blank_copy(1 << 20)
    machine = msgspec.structs.replace(machine, disks=[*machine.disks, disk])
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        await hypervisor.ensure_suspended(machine.id)
        assert not await hypervisor.ensure_disk_moved(machine.id, disk.id, path=there, format="qcow2")
        for _ in range(2):
            assert await hypervisor.ensure_disk_moved(machine.id, disk.id, path=there, format="qcow2", copied=True)
        assert await hypervisor.ensure_disk_moved(machine.id, disk.id, path=there, format="qcow2")
        await hypervisor.ensure_running(machine)
        # It has been taken up with the file that it was told of.
        assert await hypervisor.ensure_disk_moved(machine.id, disk.id, path=there, format="qcow2")
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        assert not await hypervisor.ensure_disk_moved(machine.id, disk.id, path=disk.path, format="raw")
        with pytest.raises(NotFound):
            await hypervisor.ensure_disk_moved(str(uuid4()), disk.id, path=there, format="qcow2")


async def test_what_a_machine_has_used_is_measured_while_it_runs(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        used = await hypervisor.usage(machine.id)
        assert len(used.cpu_ns) == 1
        assert used.cpu_ns[0] > 0
        assert (used.memory_mb, used.resident_mb > 0) == (64, True)
        assert [(disk.id, disk.read_bytes > 0, disk.read_requests > 0, disk.errors) for disk in used.disks] == [
            ("disk", True, True, 0)
        ]
        assert [(nic.id, nic.mac) for nic in used.nics] == [(nic.id, nic.mac) for nic in machine.nics]
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        with pytest.raises(Conflict, match="nothing of it can be measured"):
            await hypervisor.usage(machine.id)


async def test_a_machine_that_runs_tells_where_its_devices_are(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        found = await hypervisor.addresses(machine.id)
        assert set(found) == {one.id for one in (*machine.disks, *machine.nics)}
        assert {place.bus for place in found.values()} == {"pci"}
        assert all(re.fullmatch(r"0000:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", place.address) for place in found.values())
        assert len({place.address for place in found.values()}) == len(found)
        # And so it was known before it was made.
        assert hypervisor.places(machine.hardware, machine.disks, [nic.id for nic in machine.nics]) == found
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        with pytest.raises(Conflict, match="no addresses"):
            await hypervisor.addresses(machine.id)


async def test_an_interrupt_reaches_a_machine_that_runs(house: House) -> None:
    machine = house.a_machine()
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        await hypervisor.inject_nmi(machine.id)
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        with pytest.raises(Conflict, match="no interrupt reaches it"):
            await hypervisor.inject_nmi(machine.id)


async def test_passwords_need_an_agent_that_answers(house: House, keeper: str) -> None:
    machine = house.a_machine()
    with_agent = msgspec.structs.replace(house.a_machine(), hardware=Hardware(guest_agent=True))
    async with house.entered() as hypervisor:
        for one in (machine, with_agent):
            await hypervisor.ensure_running(one)
        if keeper == "fake":
            await hypervisor.ensure_password(machine.id, "root", "secret")
        else:
            with pytest.raises(Conflict, match="QEMU guest agent is not enabled"):
                await hypervisor.ensure_password(machine.id, "root", "secret")
            with pytest.raises(NotOffered, match="does not answer"):
                await hypervisor.ensure_password(with_agent.id, "root", "secret")
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        with pytest.raises(Conflict, match="nobody in it can be told"):
            await hypervisor.ensure_password(machine.id, "root", "secret")


HARDWARE = {
    "processors": Hardware(sockets=1, cores=2, threads=2),
    "cells": Hardware(cells=[Cell(cpus=[0, 2], memory_mb=40), Cell(cpus=[1, 3], memory_mb=24)]),
    "generator": Hardware(rng_bytes=1024, rng_period_ms=500),
    "no generator": Hardware(rng=False),
    **{f"watchdog {action}": Hardware(watchdog=action) for action in ("none", "pause", "poweroff", "reset")},
    **{f"video {model}": Hardware(video=model) for model in ("cirrus", "qxl", "vga", "vmvga", "virtio", "bochs")},
    "usb": Hardware(input_bus="usb", tablet=True),
    "virtio input": Hardware(input_bus="virtio"),
    "older": Hardware(machine_type="pc", watchdog="reset", tablet=True),
}


@pytest.mark.parametrize("kind", HARDWARE)
async def test_machines_of_many_kinds_boot(house: House, kind: str) -> None:
    machine = msgspec.structs.replace(house.a_machine(), vcpus=4, hardware=HARDWARE[kind])
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)


@pytest.mark.parametrize("model", ["virtio-scsi", "lsilogic", "lsisas1068", "lsisas1078", "vmpvscsi"])
async def test_disks_hang_on_every_scsi_controller(house: House, model: Any) -> None:
    machine = msgspec.structs.replace(house.a_machine(), hardware=Hardware(scsi=model))
    machine = msgspec.structs.replace(machine, disks=[*machine.disks, house.a_disk(bus="scsi")])
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)


@pytest.mark.parametrize("model", ["e1000e", "rtl8139", "ne2k_pci", "pcnet", "vmxnet3"])
async def test_cards_of_many_kinds(house: House, model: str) -> None:
    machine = msgspec.structs.replace(house.a_machine(), nics=[a_nic(model=model)])
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)


async def test_the_older_machine_takes_devices_and_gives_them_back(house: House) -> None:
    machine = msgspec.structs.replace(house.a_machine(), hardware=Hardware(machine_type="pc"))
    async with house.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await console_has(hypervisor, machine.id, boots=1)
        disk, nic = house.a_disk(), a_nic()
        await hypervisor.ensure_disk_attached(machine.id, disk)
        await hypervisor.ensure_nic_attached(machine.id, nic)
        assert await hypervisor.ensure_disk_size(machine.id, disk.id, size_bytes=2 << 20)


async def console_has(hypervisor: Hypervisor, machine_id: str, *, boots: int) -> None:
    """Both kinds of guest write a line with ``ready`` or ``login:`` once per boot."""
    with anyio.fail_after(60):
        while True:
            text = await hypervisor.console_output(machine_id, tail_bytes=1 << 20)
            if text.count(b"ready") + text.count(b"login:") >= boots:
                return
            await anyio.sleep(0.02)


def test_errors_of_the_promise_are_clouds_errors() -> None:
    assert issubclass(NotFound, CloudError)
