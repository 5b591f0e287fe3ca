"""Taps opened inside namespaces: by a thread as root, by a child where a user namespace has to be entered, and why not."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from minicloud.base.errors import Failed
from minicloud.drivers.fabric import FakePlug, TapPlug
from minicloud.drivers.hypervisor import Machine, Nic, PowerState
from minicloud.drivers.hypervisor.qemu import plugs
from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.linux,
    pytest.mark.skipif(os.getuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2"),
]

TUNGETIFF = 0x800454D2


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"mcplug{os.getpid()}"
    ip("netns", "add", name)
    try:
        ip("-n", name, "tuntap", "add", "mode", "tap", "name", "tap-a", "vnet_hdr")
        ip("-n", name, "tuntap", "add", "mode", "tap", "name", "tap-q", "vnet_hdr", "multi_queue")
        yield name
    finally:
        ip("netns", "delete", name)


def name_of(fd: int) -> str:
    return fcntl.ioctl(fd, TUNGETIFF, bytes(40))[:16].rstrip(b"\0").decode()


async def test_a_tap_is_opened_in_its_namespace_and_nothing_of_ours_moves(namespace: str) -> None:
    here = os.readlink("/proc/self/ns/net")
    tap = Nic(id="n1", mac="fa:16:3e:00:00:01", plug=TapPlug(namespace=f"/run/netns/{namespace}", name="tap-a"))
    other = Nic(id="n2", mac="fa:16:3e:00:00:02", plug=FakePlug(name="x"))
    async with plugs.opened([tap, other]) as taps:
        assert list(taps) == ["n1"]
        assert [name_of(fd) for fd in taps["n1"]] == ["tap-a"]
        assert not os.get_inheritable(taps["n1"][0])
        with pytest.raises(Failed, match="another process holds it"):
            await plugs.open_tap(TapPlug(namespace=f"/run/netns/{namespace}", name="tap-a"))
    assert os.readlink("/proc/self/ns/net") == here
    async with plugs.opened([tap]) as taps:
        assert name_of(taps["n1"][0]) == "tap-a", "closed at the end, it can be opened again"


async def test_a_tap_is_opened_once_for_each_queue(namespace: str) -> None:
    path = f"/run/netns/{namespace}"
    fds = await plugs.open_tap(TapPlug(namespace=path, name="tap-q", queues=4))
    try:
        assert [name_of(fd) for fd in fds] == ["tap-q"] * 4
        with pytest.raises(Failed, match="another number of queues"):
            await plugs.open_tap(TapPlug(namespace=path, name="tap-q"))
    finally:
        plugs.close(fds)


async def test_a_tap_that_was_never_wired_is_not_made(namespace: str) -> None:
    with pytest.raises(Failed, match="the fabric has not wired this port"):
        await plugs.open_tap(TapPlug(namespace=f"/run/netns/{namespace}", name="tap-b"))
    shown = subprocess.run(["ip", "-n", namespace, "link"], stdout=subprocess.PIPE, check=True).stdout  # noqa: ASYNC221
    assert b"tap-b" not in shown
    with pytest.raises(Failed, match="namespace is not there"):
        await plugs.open_tap(TapPlug(namespace="/run/netns/mc-never-was", name="tap-a"))


@pytest.fixture
def holder() -> Iterator[int]:
    """A process that owns a user namespace, with a tap in a network namespace that only its own mounts show."""
    script = (
        "mount -t tmpfs tmpfs /run && ip netns add inner && "
        "ip -n inner tuntap add mode tap name tap-u vnet_hdr && echo ready && exec sleep 600"
    )
    argv = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--propagation", "slave", "sh", "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != b"ready\n":
                pytest.skip("this kernel lets nobody make user namespaces")
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("path", ["/run/netns/inner", "/proc/{pid}/root/run/netns/inner"])
async def test_a_tap_of_a_user_namespace_comes_through_a_child(holder: int, path: str) -> None:
    plug = TapPlug(namespace=path.format(pid=holder), name="tap-u", enter_pid=holder)
    with anyio.fail_after(60):
        fds = await plugs.open_tap(plug)
    try:
        assert [name_of(fd) for fd in fds] == ["tap-u"]
        with pytest.raises(Failed, match="another process holds it"):
            await plugs.open_tap(plug)
    finally:
        plugs.close(fds)


async def test_a_childs_trouble_is_told(holder: int) -> None:
    for namespace, name, why in (
        ("/run/netns/inner", "tap-x", "has not wired this port"),
        ("/run/netns/never-was", "tap-u", "namespace is not there"),
    ):
        with pytest.raises(Failed, match=why):
            await plugs.open_tap(TapPlug(namespace=namespace, name=name, enter_pid=holder))


@pytest.mark.qemu
@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")
async def test_qemu_has_a_queue_for_each_descriptor_of_cards_of_its_start_and_of_later(
    namespace: str, tmp_path: Path
) -> None:
    ip("-n", namespace, "tuntap", "add", "mode", "tap", "name", "tap-r", "vnet_hdr", "multi_queue")
    nics = [
        Nic(
            id=str(uuid4()),
            mac=f"fa:16:3e:00:00:0{queues}",
            plug=TapPlug(namespace=f"/run/netns/{namespace}", name=name, queues=queues),
        )
        for name, queues in (("tap-q", 2), ("tap-r", 4))
    ]
    machine = Machine(id=str(uuid4()), name="queues", vcpus=2, memory_mb=32, nics=nics[:1])
    hypervisor = QemuHypervisor(tmp_path, accel="tcg")

    async def deaf(machine_id: str, power: PowerState) -> None:
        """Nobody has to hear of it."""

    await hypervisor.open(deaf)
    try:
        await hypervisor.ensure_running(machine)
        await hypervisor.ensure_nic_attached(machine.id, nics[1])
        async with hypervisor._vms[machine.id].by_itself() as (_, qmp):
            assert qmp is not None
            said = str(await qmp.execute("human-monitor-command", {"command-line": "info network"}))
            path = f"/machine/peripheral/nic-{nics[1].id}"
            vectors = await qmp.execute("qom-get", {"path": path, "property": "vectors"})
        backends = [line for line in said.splitlines() if "type=tap" in line]
        assert [sum(nic.id in line for line in backends) for nic in nics] == [2, 4], said
        assert vectors == 10
    finally:
        await hypervisor.ensure_gone(machine.id)
        await hypervisor.close()
