"""A real QEMU guest on each real fabric: it gets its address, asks for its metadata and lets us in by ``reach``."""

import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from minicloud.drivers.fabric import Fabric, MetadataReply, MetadataRequest, Port
from minicloud.drivers.fabric.linux import LinuxFabric
from minicloud.drivers.fabric.user import UserFabric
from minicloud.drivers.hypervisor import Machine, Nic, PowerState
from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor
from minicloud.guest import GuestImage, build
from tests.support.fabrics import a_cloud_id, a_network, a_port, an_id, eventually
from tests.support.tapguests import leftovers

pytestmark = [pytest.mark.anyio, pytest.mark.linux, pytest.mark.qemu]

PATIENCE_S = 180
NETWORK = a_network(1, leases={11: "10.0.0.11"})
PORT = a_port(11, NETWORK, "10.0.0.11")


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@pytest.fixture(params=["linux", "rootless", "user"])
def fabric(request: pytest.FixtureRequest, tmp_path: Path) -> Fabric:
    if request.param == "user":
        return UserFabric(tmp_path / "fabric")
    if request.param == "linux" and os.geteuid() != 0:
        pytest.skip("networks of the machine itself need root")
    return LinuxFabric(a_cloud_id(), tmp_path / "fabric", rootless=request.param == "rootless")


class Answers:
    """Metadata of one instance; remembers who asked."""

    def __init__(self) -> None:
        self.heard: list[MetadataRequest] = []

    async def __call__(self, request: MetadataRequest) -> MetadataReply:
        self.heard.append(request)
        if request.path.endswith("/meta_data.json"):
            return MetadataReply(
                status=200, body=b'{"uuid": "11111111-0000-4000-8000-000000000000", "hostname": "guest"}'
            )
        return MetadataReply(status=404, body=b"not here\n")


async def _ignore(machine_id: str, power: PowerState) -> None:
    pass


@asynccontextmanager
async def a_machine(folder: Path, image: GuestImage, fabric: Fabric, port: Port) -> AsyncIterator[None]:
    """A running guest with one card on this port."""
    hypervisor = QemuHypervisor(folder, accel="tcg")
    await hypervisor.open(_ignore)
    nic = Nic(id=port.id, mac=port.mac, mtu=port.mtu, plug=await fabric.ensure_port(port))
    command_line = "console=ttyS0 quiet panic=1"
    machine = Machine(
        id=an_id(99),
        name="guest",
        vcpus=1,
        memory_mb=256,
        nics=[nic],
        kernel=str(image.kernel),
        ramdisk=str(image.ramdisk),
        command_line=command_line,
    )
    try:
        await hypervisor.ensure_running(machine)
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await hypervisor.ensure_gone(machine.id)
            await hypervisor.close()


def _consoles(folder: Path) -> list[str]:
    return [file.read_text(errors="replace")[-3000:] for file in folder.rglob("console.log")]


async def _until(truth: Callable[[], Awaitable[bool]], folder: Path) -> None:
    try:
        await eventually(truth, PATIENCE_S)
    except TimeoutError:
        pytest.fail(f"not within {PATIENCE_S} s; the guest's console says: {_consoles(folder)}")


async def test_a_guest_boots_asks_and_lets_us_in(fabric: Fabric, tmp_path: Path) -> None:
    home = os.environ.get("XDG_CACHE_HOME")
    cache = (Path(home) if home else Path.home() / ".cache") / "minicloud" / "guest"
    image = await build(cache, progress=lambda what, done, total: None)
    answers = Answers()
    await fabric.open(answers)
    try:
        await fabric.ensure_network(NETWORK)
        async with a_machine(tmp_path / "machines", image, fabric, PORT):

            async def asked() -> bool:
                return bool(answers.heard)

            await _until(asked, tmp_path)
            caller = answers.heard[0].caller
            assert caller.address == "10.0.0.11"
            assert PORT.network_id in (caller.network_id, PORT.network_id if caller.port_id == PORT.id else None)
            assert answers.heard[0].method == "GET"

            async def lets_us_in() -> bool:
                async with await anyio.open_process(await fabric.reach(PORT, 22), stderr=subprocess.DEVNULL) as relay:
                    assert relay.stdout is not None
                    try:
                        with anyio.move_on_after(10):
                            return (await relay.stdout.receive()).startswith(b"SSH-2.0-")
                    except anyio.EndOfStream:
                        pass
                    finally:
                        with suppress(ProcessLookupError):
                            relay.terminate()
                return False

            await _until(lets_us_in, tmp_path)
    finally:
        await fabric.purge()
        await fabric.close()
    assert leftovers(a_cloud_id(), tmp_path / "fabric") == []
