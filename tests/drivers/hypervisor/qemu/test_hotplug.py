"""What the contract cannot see: limits really reach QEMU, and a crash in the middle of attaching or detaching is mended by asking again."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from minicloud.base.errors import Conflict, Failed
from minicloud.drivers.fabric import FakePlug, TapPlug, UserPlug
from minicloud.drivers.hypervisor import Disk, Machine, Nic, PowerState, Throttle
from minicloud.drivers.hypervisor.qemu.devices import block_node
from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor
from minicloud.drivers.hypervisor.qemu.layout import disk_device_name
from tests.support.bootsector import boot_disk

pytestmark = [pytest.mark.anyio, pytest.mark.qemu]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ignore(machine_id: str, power: PowerState) -> None:
    """Nobody listens."""


def a_disk(folder: Path, **more: object) -> Disk:
    number = uuid4()
    path = folder / f"{number.hex}.raw"
    path.write_bytes(bytes(1 << 20))
    return msgspec.convert({"id": str(number), "path": str(path), "format": "raw", **more}, Disk)


@pytest.fixture
async def hypervisor(tmp_path: Path) -> AsyncIterator[QemuHypervisor]:
    opened = QemuHypervisor(tmp_path, accel="tcg")
    await opened.open(ignore)
    yield opened
    for facts in await opened.machines():
        await opened.ensure_gone(facts.id)
    await opened.close()


async def a_machine(hypervisor: QemuHypervisor, folder: Path, **more: object) -> Machine:
    path = folder / "boot.raw"
    path.write_bytes(boot_disk())
    disk = Disk(id="disk", path=str(path), format="raw", boot_index=0, throttle=Throttle(read_iops=1000))
    machine = Machine(id=str(uuid4()), name="m", vcpus=1, memory_mb=64, disks=[disk])
    await hypervisor.ensure_running(machine)
    return machine


async def limits(hypervisor: QemuHypervisor, machine: Machine) -> dict[str, tuple[int, int]]:
    """Operations and bytes in a second of each disk that has limits, as QEMU holds them."""
    async with hypervisor._known(machine.id).by_itself() as (_, qmp):
        assert qmp is not None
        found = await qmp.execute("query-block")
    return {
        one["qdev"].split("/")[3]: (one["inserted"]["iops"] or one["inserted"]["iops_rd"], one["inserted"]["bps_wr"])
        for one in found
        if one.get("inserted", {}).get("iops")
        or one.get("inserted", {}).get("iops_rd")
        or one.get("inserted", {}).get("bps_wr")
    }


async def test_limits_reach_qemu_at_the_start_when_attached_and_when_changed(
    hypervisor: QemuHypervisor, tmp_path: Path
) -> None:
    machine = await a_machine(hypervisor, tmp_path)
    root = disk_device_name("disk")
    assert await limits(hypervisor, machine) == {root: (1000, 0)}
    disk = a_disk(tmp_path, throttle=Throttle(total_iops=50, write_bytes=1 << 20))
    await hypervisor.ensure_disk_attached(machine.id, disk)
    assert (await limits(hypervisor, machine))[disk_device_name(disk.id)] == (50, 1 << 20)
    await hypervisor.ensure_disk_throttle(machine.id, disk.id, Throttle(total_iops=60))
    assert (await limits(hypervisor, machine))[disk_device_name(disk.id)] == (60, 0)
    await hypervisor.ensure_disk_throttle(machine.id, disk.id, None)
    assert await limits(hypervisor, machine) == {root: (1000, 0)}


async def test_attaching_again_takes_up_what_a_crash_left_half_done(hypervisor: QemuHypervisor, tmp_path: Path) -> None:
    machine = await a_machine(hypervisor, tmp_path)
    vm, disk = hypervisor._known(machine.id), a_disk(tmp_path)
    async with vm.by_itself() as (record, qmp):
        assert qmp is not None
        # As far as an earlier process came: the record, and the node, but no device yet.
        machine_now = msgspec.structs.replace(record.machine, disks=[*record.machine.disks, disk])
        layout = record.layout.with_device(disk_device_name(disk.id))
        vm.keep(msgspec.structs.replace(record, machine=machine_now, layout=layout))
        await qmp.execute("blockdev-add", block_node(disk))
    await hypervisor.ensure_disk_attached(machine.id, disk)
    assert await hypervisor.ensure_disk_size(machine.id, disk.id, size_bytes=2 << 20)
    assert len(Path(disk.path).read_bytes()) == 2 << 20  # noqa: ASYNC240


async def test_what_cannot_be_attached_leaves_nothing(hypervisor: QemuHypervisor, tmp_path: Path) -> None:
    machine = await a_machine(hypervisor, tmp_path)
    before = hypervisor._known(machine.id).known()
    missing = Disk(id="missing", path=str(tmp_path / "missing"), format="raw")
    with pytest.raises(Failed, match="missing"):
        await hypervisor.ensure_disk_attached(machine.id, missing)
    tap = Nic(id=str(uuid4()), mac="fa:16:3e:00:00:07", plug=TapPlug(namespace="/nowhere", name="tap-x"))
    with pytest.raises(Failed, match="cannot be opened"):
        await hypervisor.ensure_nic_attached(machine.id, tap)
    for bus, why in (("ide", "no disk comes to an IDE bus"), ("scsi", "without a SCSI controller")):
        with pytest.raises(Conflict, match=why):
            await hypervisor.ensure_disk_attached(machine.id, a_disk(tmp_path, bus=bus))
    metadata = UserPlug(options="restrict=on,guestfwd=tcp:10.0.2.100:80-cmd:socat STDIO UNIX:md")
    with pytest.raises(Conflict, match="a hard reboot attaches this one"):
        await hypervisor.ensure_nic_attached(machine.id, Nic(id=str(uuid4()), mac="fa:16:3e:00:00:08", plug=metadata))
    assert hypervisor._known(machine.id).known() == before
    user = Nic(id=str(uuid4()), mac="fa:16:3e:00:00:09", plug=UserPlug(options="net=10.9.0.0/24,restrict=on"))
    await hypervisor.ensure_nic_attached(machine.id, user)


async def test_ports_run_out_and_say_so(hypervisor: QemuHypervisor, tmp_path: Path) -> None:
    machine = await a_machine(hypervisor, tmp_path)
    for _ in range(8):
        await hypervisor.ensure_disk_attached(machine.id, a_disk(tmp_path))
    with pytest.raises(Conflict, match="a hard reboot makes room"):
        await hypervisor.ensure_nic_attached(
            machine.id, Nic(id=str(uuid4()), mac="fa:16:3e:00:00:10", plug=FakePlug(name="x"))
        )
