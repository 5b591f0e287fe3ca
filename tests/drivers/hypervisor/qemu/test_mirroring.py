"""What the contract cannot see of disks that move: a crash amid the switch is gone on with, and what fails leaves nothing open."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from minicloud.base.errors import Failed
from minicloud.base.imageformat import qcow2
from minicloud.drivers.hypervisor import Disk, Machine, PowerState
from minicloud.drivers.hypervisor.qemu import mirroring
from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor
from tests.support.bootsector import boot_disk

pytestmark = [pytest.mark.anyio, pytest.mark.qemu]
SIZE = 1 << 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ignore(machine_id: str, power: PowerState) -> None:
    """Nobody listens."""


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """A machine that runs and has a second disk; the process that started it has ended."""
    (tmp_path / "boot.raw").write_bytes(boot_disk())
    (tmp_path / "data.raw").write_bytes(b"written".ljust(SIZE, b"."))
    disks = [Disk(id=name, path=str(tmp_path / f"{name}.raw"), format="raw") for name in ("boot", "data")]
    made = Machine(id=str(uuid4()), name="m", vcpus=1, memory_mb=64, disks=disks)
    hypervisor = await opened(tmp_path)
    await hypervisor.ensure_running(made)
    await hypervisor.close()
    yield made
    hypervisor = await opened(tmp_path)
    await hypervisor.ensure_gone(made.id)
    await hypervisor.close()


async def opened(folder: Path) -> QemuHypervisor:
    hypervisor = QemuHypervisor(folder, accel="tcg")
    await hypervisor.open(ignore)
    return hypervisor


def blank(folder: Path, size: int = SIZE) -> str:
    path = folder / f"{uuid4().hex}.qcow2"
    path.write_bytes(qcow2.blank(size))
    return str(path)


async def held(hypervisor: QemuHypervisor, machine: Machine) -> list[str]:
    """The files of the second disk that QEMU has open, and its jobs."""
    async with hypervisor._known(machine.id).by_itself() as (_, qmp):
        assert qmp is not None
        nodes = await qmp.execute("query-named-block-nodes", {"flat": True})
        jobs = await qmp.execute("query-jobs")
    own = {node["file"] for node in nodes if node["node-name"].startswith(("d-data", "n-data"))}
    return [*sorted(own), *(job["id"] for job in jobs)]


async def mirrored(hypervisor: QemuHypervisor, machine: Machine, path: str) -> Any:
    """The job has come so far that both files are the same, and nobody has switched the guest."""
    vm = hypervisor._known(machine.id)
    async with vm.by_itself() as (record, qmp):
        assert qmp is not None
        moved = Disk(id="data", path=path, format="qcow2")
        await mirroring._begin(vm, qmp, moved)
        await mirroring._both_same(qmp, "data")
        return vm, record, moved


async def test_a_mirror_that_an_earlier_life_began_is_gone_on_with_or_given_up(
    machine: Machine, tmp_path: Path
) -> None:
    here, there, elsewhere = machine.disks[1].path, blank(tmp_path), blank(tmp_path)
    for begun, wanted in ((there, here), (there, elsewhere), (there, there)):
        hypervisor = await opened(tmp_path)
        await mirrored(hypervisor, machine, begun)
        await hypervisor.close()
        hypervisor = await opened(tmp_path)
        format = "raw" if wanted.endswith("raw") else "qcow2"
        assert await hypervisor.ensure_disk_moved(machine.id, "data", path=wanted, format=format)
        assert await held(hypervisor, machine) == [wanted]
        await hypervisor.close()


async def test_a_switch_that_was_noted_and_not_done_is_done(machine: Machine, tmp_path: Path) -> None:
    there, further = blank(tmp_path), blank(tmp_path)
    hypervisor = await opened(tmp_path)
    vm, record, moved = await mirrored(hypervisor, machine, there)
    vm.keep(record.with_disk(moved).switched("data", leaving=record.disk("data")))
    await hypervisor.close()
    hypervisor = await opened(tmp_path)
    assert await hypervisor.ensure_disk_moved(machine.id, "data", path=there, format="qcow2")
    assert await held(hypervisor, machine) == [there]
    assert hypervisor._known(machine.id).known().leaving == {}
    # The same, and then it is wanted elsewhere: the switch comes to its end first.
    vm, record, moved = await mirrored(hypervisor, machine, further)
    vm.keep(record.with_disk(moved).switched("data", leaving=record.disk("data")))
    assert await hypervisor.ensure_disk_moved(machine.id, "data", path=machine.disks[1].path, format="raw")
    assert await held(hypervisor, machine) == [machine.disks[1].path]
    await hypervisor.close()


async def test_a_switch_that_was_noted_and_failed_is_taken_back(machine: Machine, tmp_path: Path) -> None:
    there = blank(tmp_path)
    hypervisor = await opened(tmp_path)
    vm, record, moved = await mirrored(hypervisor, machine, there)
    vm.keep(record.with_disk(moved).switched("data", leaving=record.disk("data")))
    async with vm.by_itself() as (_, qmp):
        assert qmp is not None
        await qmp.execute("block-job-cancel", {"device": "move-d-data", "force": True})
    # The disk is where it was, and a new move leads it to the other file after all.
    assert await hypervisor.ensure_disk_moved(machine.id, "data", path=there, format="qcow2")
    assert await held(hypervisor, machine) == [there]
    await hypervisor.close()


async def test_what_cannot_be_moved_stays_and_nothing_of_the_try_is_open(machine: Machine, tmp_path: Path) -> None:
    hypervisor = await opened(tmp_path)
    for path in (str(tmp_path / "none.qcow2"), blank(tmp_path, SIZE // 2)):
        with pytest.raises(Failed):
            await hypervisor.ensure_disk_moved(machine.id, "data", path=path, format="qcow2")
        assert await held(hypervisor, machine) == [machine.disks[1].path]
    await hypervisor.close()
