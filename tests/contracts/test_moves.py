"""The part of the hypervisor promise about moves, on every keeper: a guest goes on elsewhere without another boot, or stays."""

import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import msgspec
import pytest
import trio.testing

from minicloud.base.errors import Conflict, Failed, NotFound
from minicloud.drivers.hypervisor import Disk, Hypervisor, Machine, PowerState
from minicloud.drivers.hypervisor.fake import FakeHypervisor, FakeWorld
from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor
from minicloud.drivers.statelog import StateLog
from minicloud.drivers.storage.files import FilesStorage
from tests.support.bootsector import boot_disk

pytestmark = pytest.mark.anyio
ROOM = 16 << 20


class Host:
    """A host, and the machine as it stands or shall stand there."""

    def __init__(self, hypervisor: Hypervisor, machine: Machine) -> None:
        self.hypervisor = hypervisor
        self.machine = machine

    async def power(self) -> PowerState | None:
        found = await self.hypervisor.machine(self.machine.id)
        return None if found is None else found.power_state

    async def answers(self) -> None:
        """Its guest echoes what it is told; simulated ones have no ears."""
        if isinstance(self.hypervisor, QemuHypervisor):
            async with await self.hypervisor.serial(self.machine.id) as console:
                with anyio.fail_after(30):
                    await console.send(b"x")
                    assert await console.receive(1) == b"x"


@pytest.fixture(params=["fake", pytest.param("qemu", marks=pytest.mark.qemu)])
def keeper(request: pytest.FixtureRequest) -> str:
    if request.param == "qemu" and shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")
    return str(request.param)


@pytest.fixture
def anyio_backend(keeper: str) -> Any:
    if keeper == "fake":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio"


@pytest.fixture
async def hosts(keeper: str, tmp_path: Path) -> AsyncIterator[tuple[Host, Host]]:
    """A host whose guest runs, and another one with an empty disk for it."""
    machine_id, world = str(uuid4()), FakeWorld(StateLog())
    content = boot_disk()

    async def fetch() -> AsyncIterator[bytes]:
        yield content

    async with AsyncExitStack() as stack:
        found = []
        for name in ("here", "there"):
            disks = []
            if keeper == "qemu":
                hypervisor: Any = QemuHypervisor(tmp_path / name, accel="tcg")
                storage = FilesStorage(tmp_path / name)
                checksum = hashlib.sha512(content).hexdigest()
                base = await storage.ensure_base(checksum, "raw", fetch) if name == "here" else None
                file = await storage.ensure_disk(machine_id, "disk", base=base, size_bytes=ROOM)
                disks = [Disk(id="root", path=file.path, boot_index=0)]
            else:
                hypervisor = FakeHypervisor(world, name)
            machine = Machine(id=machine_id, name="web", vcpus=1, memory_mb=64, disks=disks)
            await hypervisor.open(_deaf)
            stack.push_async_callback(hypervisor.close)
            stack.push_async_callback(hypervisor.ensure_gone, machine_id)
            found.append(Host(hypervisor, machine))
        here, there = found
        await here.hypervisor.ensure_running(here.machine)
        await _booted(here)
        yield here, there


async def _deaf(machine_id: str, power: PowerState) -> None:
    """Nobody has to hear of it."""


async def _booted(host: Host) -> None:
    with anyio.fail_after(60):
        while not await host.hypervisor.console_output(host.machine.id, tail_bytes=100):  # noqa: ASYNC110
            await anyio.sleep(0.05)


async def _arrived(host: Host) -> None:
    """The last of a guest's memory takes the other QEMU a moment to take up."""
    with anyio.fail_after(60):
        while not await host.hypervisor.arrived(host.machine.id):  # noqa: ASYNC110
            await anyio.sleep(0.05)


async def test_a_guest_goes_on_elsewhere(hosts: tuple[Host, Host]) -> None:
    here, there = hosts
    machine_id = here.machine.id
    address = await there.hypervisor.ensure_awaited(there.machine)
    assert await there.hypervisor.arrived(machine_id) is False, "nothing is on its way yet"
    assert await here.hypervisor.move_progress(machine_id) is None
    await here.hypervisor.ensure_sent(machine_id, address)
    for _ in range(2):
        await here.hypervisor.ensure_switched(machine_id, address)
    await _arrived(there)
    assert (await here.power(), await there.power()) == (PowerState.SHUTDOWN, PowerState.RUNNING)
    await there.answers()
    if isinstance(there.hypervisor, QemuHypervisor):
        await _booted(there)
        assert await there.hypervisor.console_output(machine_id, tail_bytes=100) == b"x", "it has not booted again"
    with pytest.raises(Conflict):
        await there.hypervisor.ensure_not_awaited(machine_id)
    await here.hypervisor.ensure_gone(machine_id)
    # What was moved is a machine like any other.
    await there.hypervisor.ensure_suspended(machine_id)
    await there.hypervisor.ensure_running(there.machine)
    await there.answers()


async def test_a_guest_that_was_to_move_stays(hosts: tuple[Host, Host]) -> None:
    here, there = hosts
    machine_id = here.machine.id
    with pytest.raises(Conflict):
        await here.hypervisor.hurry(machine_id)
    address = await there.hypervisor.ensure_awaited(there.machine)
    with pytest.raises(Failed):
        await here.hypervisor.ensure_switched(machine_id, address)
    await here.hypervisor.ensure_sent(machine_id, address)
    for _ in range(2):
        await here.hypervisor.ensure_not_sent(machine_id)
    for _ in range(2):
        await there.hypervisor.ensure_not_awaited(machine_id)
    assert (await here.power(), await there.power()) == (PowerState.RUNNING, None)
    await here.answers()
    # Its memory can be written to a file as ever.
    await here.hypervisor.ensure_suspended(machine_id)
    await here.hypervisor.ensure_running(here.machine)
    await here.answers()


async def test_a_guest_that_stood_still_stands_still_elsewhere(hosts: tuple[Host, Host]) -> None:
    here, there = hosts
    machine_id = here.machine.id
    await here.hypervisor.ensure_paused(machine_id)
    address = await there.hypervisor.ensure_awaited(there.machine)
    await here.hypervisor.ensure_sent(machine_id, address)
    await here.hypervisor.ensure_switched(machine_id, address)
    with anyio.fail_after(30):
        while not await there.hypervisor.arrived(machine_id):  # noqa: ASYNC110
            await anyio.sleep(0.05)
    assert await there.power() is PowerState.PAUSED
    await there.hypervisor.ensure_unpaused(machine_id)
    await there.answers()


def a_volume(folder: Path) -> Disk:
    """A volume with something on it, in a folder that both hosts reach."""
    path = str(folder / "volume")
    if shutil.which("qemu-img") is not None:
        _does("qemu-img", "create", "-q", "-f", "qcow2", path, "16M")
        _does("qemu-io", "-c", "write -P 9 0 64k", path)
    return Disk(id=str(uuid4()), path=path)


async def _holds(host: Host, volume: Disk, folder: Path) -> None:
    """The machine has the volume in its hands: it can be read, grown, and by nobody else be written."""
    machine_id = host.machine.id
    assert await host.hypervisor.ensure_disk_size(machine_id, volume.id, size_bytes=2 * ROOM)
    if isinstance(host.hypervisor, QemuHypervisor):
        copy = str(folder / f"copy-{uuid4()}")
        _does("qemu-img", "create", "-q", "-f", "qcow2", copy, str(2 * ROOM))
        await host.hypervisor.ensure_disks_copied(machine_id, {volume.id: copy})
        assert "failed" not in _does("qemu-io", "-r", "-c", "read -P 9 0 64k", copy)
        assert "lock" in _does("qemu-io", "-c", "write 0 64k", volume.path)


def _does(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


async def test_a_volume_that_came_later_goes_along(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = hosts
    machine_id, volume = here.machine.id, a_volume(tmp_path)
    gone = msgspec.structs.replace(volume, id=str(uuid4()), path=str(tmp_path / "nobody"))
    with pytest.raises(NotFound):
        await there.hypervisor.built(machine_id)
    await here.hypervisor.ensure_disk_attached(machine_id, volume)
    machine = msgspec.structs.replace(there.machine, disks=[gone, volume, *there.machine.disks])
    if isinstance(here.hypervisor, QemuHypervisor):
        with pytest.raises(Failed):
            await there.hypervisor.ensure_awaited(there.machine, await here.hypervisor.built(machine_id))
    # It stays, volume and all, ...
    address = await there.hypervisor.ensure_awaited(machine, await here.hypervisor.built(machine_id))
    await here.hypervisor.ensure_sent(machine_id, address)
    await here.hypervisor.ensure_not_sent(machine_id)
    await there.hypervisor.ensure_not_awaited(machine_id)
    await _holds(here, volume, tmp_path)
    await here.answers()
    # ... and goes, volume and all.
    address = await there.hypervisor.ensure_awaited(machine, await here.hypervisor.built(machine_id))
    await here.hypervisor.ensure_sent(machine_id, address)
    await here.hypervisor.ensure_switched(machine_id, address)
    await _arrived(there)
    await _holds(there, volume, tmp_path)
    await there.answers()
    await here.hypervisor.ensure_gone(machine_id)
    await _holds(there, volume, tmp_path)


async def test_what_is_off_or_not_there_is_not_sent(hosts: tuple[Host, Host]) -> None:
    here, there = hosts
    machine_id = here.machine.id
    await here.hypervisor.ensure_shutdown(machine_id, grace_s=0)
    with pytest.raises(Conflict):
        await here.hypervisor.ensure_sent(machine_id, "nowhere")
    with pytest.raises(NotFound):
        await here.hypervisor.ensure_sent(str(uuid4()), "nowhere")
    await here.hypervisor.ensure_not_sent(str(uuid4()))
    await there.hypervisor.ensure_not_awaited(machine_id)
    assert not await there.hypervisor.arrived(machine_id)
