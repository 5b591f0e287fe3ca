"""QEMU's own stories: reboots, deaths of ours and of the guest's, failures that leave nothing, a real guest's shutdown."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import anyio
import msgspec
import pytest

from minicloud.base import trace
from minicloud.base.errors import Failed, Invalid, NotFound, ToolMissing, Unavailable
from minicloud.drivers.fabric import TapPlug, UserPlug
from minicloud.drivers.hypervisor import Cell, Disk, Hardware, Machine, Nic, PowerState
from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor, Size
from minicloud.drivers.hypervisor.qemu.folder import Folder
from minicloud.drivers.hypervisor.qemu.hostcells import Part
from tests.drivers.hypervisor.qemu.test_hostcells import a_system
from tests.support.bootsector import boot_disk

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.qemu,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed"),
]

CONTROLLER = """
import asyncio, sys
from pathlib import Path
import msgspec
from minicloud.drivers.hypervisor import Machine
from minicloud.drivers.hypervisor.qemu.driver import QemuHypervisor

async def main():
    async def changed(machine_id, power): pass
    hypervisor = QemuHypervisor(Path(sys.argv[1]), accel="tcg")
    await hypervisor.open(changed)
    await hypervisor.ensure_running(msgspec.json.decode(sys.argv[2], type=Machine))
    print("running", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Host:
    """A host's folder, what was heard, and the driver while it is entered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard: list[tuple[str, PowerState]] = []

    def a_machine(self, **changes: object) -> Machine:
        disk = self.folder.parent / f"{uuid4().hex}.raw"
        disk.write_bytes(boot_disk())
        machine = Machine(
            id=str(uuid4()),
            name="guest",
            vcpus=1,
            memory_mb=64,
            disks=[Disk(id="disk", path=str(disk), format="raw", boot_index=0)],
        )
        return msgspec.structs.replace(machine, **changes)

    def instance(self, machine: Machine) -> Path:
        return self.folder / "instances" / machine.id

    async def changed(self, machine_id: str, power: PowerState) -> None:
        self.heard.append((machine_id, power))

    @asynccontextmanager
    async def entered(self, **settings: object) -> AsyncIterator[QemuHypervisor]:
        hypervisor = QemuHypervisor(self.folder, accel="tcg", **settings)  # type: ignore[arg-type]
        await hypervisor.open(self.changed)
        try:
            yield hypervisor
        finally:
            await hypervisor.close()


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path / "host1")
    yield host
    async with host.entered() as hypervisor:
        for facts in await hypervisor.machines():
            await hypervisor.ensure_gone(facts.id)


async def until(holds: Callable[[], Awaitable[bool]], *, limit_s: float = 60) -> None:
    with anyio.fail_after(limit_s):
        while not await holds():  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def booted(hypervisor: QemuHypervisor, machine: Machine, times: int) -> None:
    async def holds() -> bool:
        text = await hypervisor.console_output(machine.id, tail_bytes=1 << 20)
        return text.count(b"boot sector ready") >= times

    await until(holds)


async def powers_until(hypervisor: QemuHypervisor, machine: Machine, times: int) -> set[PowerState]:
    """In which states it is seen until it has booted so often."""
    seen = set()

    async def holds() -> bool:
        facts = await hypervisor.machine(machine.id)
        assert facts is not None
        seen.add(facts.power_state)
        return (await hypervisor.console_output(machine.id, tail_bytes=1 << 20)).count(b"boot sector ready") >= times

    await until(holds)
    return seen


async def command(hypervisor: QemuHypervisor, machine: Machine, letter: bytes) -> None:
    async with await hypervisor.serial(machine.id) as line:
        await line.send(letter)


async def test_what_runs_is_what_the_facts_say(host: Host) -> None:
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        facts = await hypervisor.ensure_running(machine)
        cmdline = (await anyio.Path(f"/proc/{facts.pid}/cmdline").read_bytes()).rstrip(b"\0").decode().split("\0")
        assert cmdline[1:] == facts.argv[1:]
        assert cmdline[0].endswith(facts.argv[0])
        for path in host.instance(machine).iterdir():
            assert path.stat().st_mode & 0o077 == 0 or path.is_socket() or path.name == "pid", path
        assert host.instance(machine).stat().st_mode & 0o777 == 0o700
        record = json.loads((host.instance(machine) / "machine.json").read_text())
        assert record["pid"] == facts.pid


async def test_a_reboot_inside_the_guest_is_a_new_process_and_no_news(host: Host) -> None:
    machine, recording = host.a_machine(), trace.Recording()
    with trace.recording(recording):
        async with host.entered() as hypervisor:
            first = await hypervisor.ensure_running(machine)
            await booted(hypervisor, machine, 1)
            await command(hypervisor, machine, b"r")
            seen = await powers_until(hypervisor, machine, 2)
            second = await hypervisor.machine(machine.id)
            assert second is not None
            assert second.power_state is PowerState.RUNNING
            assert second.pid != first.pid
    assert [facts["reason"] for facts in recording.facts("machine_ended")] == ["guest-reset"]
    assert host.heard == []
    assert seen == {PowerState.RUNNING}, "whoever looks in between must not take it for off"


async def test_a_guest_may_reboot_while_we_are_away(host: Host) -> None:
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        before = await hypervisor.ensure_running(machine)
        await booted(hypervisor, machine, 1)
    async with await serial_of(host, machine) as line:
        await line.send(b"r")
    await until(lambda: console_of(host, machine, 2))
    async with host.entered() as hypervisor:
        assert await hypervisor.machine(machine.id) == before
        await command(hypervisor, machine, b"r")
        await booted(hypervisor, machine, 3)
        after = await hypervisor.machine(machine.id)
        assert after is not None
        assert after.pid != before.pid, "watched again, a reboot is a new process again"
    assert host.heard == []


async def serial_of(host: Host, machine: Machine) -> anyio.abc.SocketStream:
    return await socket_of(host, machine, "serial")


async def socket_of(host: Host, machine: Machine, name: str) -> anyio.abc.SocketStream:
    with Folder(host.instance(machine)).socket(name) as path:
        return await anyio.connect_unix(path)


async def console_of(host: Host, machine: Machine, times: int) -> bool:
    return (host.instance(machine) / "console.log").read_bytes().count(b"boot sector ready") >= times


@asynccontextmanager
async def a_controller(host: Host, machine: Machine) -> AsyncIterator[None]:
    """Another process of ours starts the machine, and dies by SIGKILL as soon as it runs."""
    argv = [sys.executable, "-c", CONTROLLER, str(host.folder), msgspec.json.encode(machine).decode()]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as controller:  # noqa: ASYNC220
        assert controller.stdout is not None
        said = await anyio.to_thread.run_sync(controller.stdout.readline)
        assert said == b"running\n"
        controller.send_signal(signal.SIGKILL)
    yield


@pytest.mark.crash
async def test_a_machine_outlives_our_sigkill_and_is_watched_again(host: Host) -> None:
    machine = host.a_machine()
    async with a_controller(host, machine), host.entered() as hypervisor:
        facts = await hypervisor.machine(machine.id)
        assert facts is not None
        assert facts.power_state is PowerState.RUNNING
        await booted(hypervisor, machine, 1)
        await command(hypervisor, machine, b"o")
        await until(lambda: heard(host, machine, PowerState.SHUTDOWN))
    assert host.heard == [(machine.id, PowerState.SHUTDOWN)]


async def heard(host: Host, machine: Machine, power: PowerState) -> bool:
    return (machine.id, power) in host.heard


@pytest.mark.crash
async def test_what_ended_while_nobody_watched_is_reported_once(host: Host) -> None:
    machine = host.a_machine()
    async with a_controller(host, machine):
        await until(lambda: console_of(host, machine, 1))
        pid = json.loads((host.instance(machine) / "machine.json").read_text())["pid"]
        async with await serial_of(host, machine) as line:
            await line.send(b"r")
        await until(lambda: ended(pid))
    for _ in range(2):
        async with host.entered() as hypervisor:
            assert [facts.power_state for facts in await hypervisor.machines()] == [PowerState.SHUTDOWN]
            await until(lambda: heard(host, machine, PowerState.SHUTDOWN))
    assert host.heard == [(machine.id, PowerState.SHUTDOWN)]


async def ended(pid: int) -> bool:
    return not os.path.exists(f"/proc/{pid}")  # noqa: ASYNC240


async def test_a_death_between_start_and_note_loses_no_machine(host: Host) -> None:
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        before = await hypervisor.ensure_running(machine)
    path = host.instance(machine) / "machine.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "pid": None, "started": None}))
    (host.instance(machine) / "pid").unlink()
    async with host.entered() as hypervisor:
        found = await hypervisor.machine(machine.id)
        assert found is not None
        assert found.power_state is PowerState.RUNNING
        assert f"{before.pid}" in os.listdir("/proc")


async def test_a_stop_that_we_died_in_is_finished(host: Host) -> None:
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        before = await hypervisor.ensure_running(machine)
    path = host.instance(machine) / "machine.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "wanted": "shutdown"}))
    async with host.entered() as hypervisor:
        assert [facts.power_state for facts in await hypervisor.machines()] == [PowerState.SHUTDOWN]
        assert await ended(before.pid or 0)
    assert host.heard == []


async def test_a_deep_folder_is_no_trouble(tmp_path: Path) -> None:
    host = Host(tmp_path.joinpath(*["a-folder-with-a-long-name" * 4] * 3, "host1"))
    host.folder.parent.mkdir(parents=True)
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await booted(hypervisor, machine, 1)
        await hypervisor.ensure_gone(machine.id)
        assert not host.instance(machine).exists()


def missing(host: Host) -> Machine:
    return host.a_machine(disks=[Disk(id="disk", path=str(host.folder / "no-disk"), boot_index=0)])


def broken(host: Host) -> Machine:
    path = host.folder.parent / "broken"
    path.write_bytes(b"QFI\xfb\0\0\0\x03 and then rubbish" * 100)
    return host.a_machine(disks=[Disk(id="disk", path=str(path), boot_index=0)])


def greedy(host: Host) -> Machine:
    return host.a_machine(memory_mb=10**7)


def unwired(host: Host) -> Machine:
    plug = TapPlug(namespace="/proc/self/ns/net", name="mc-not-there")
    return host.a_machine(nics=[Nic(id="n", mac="fa:16:3e:00:00:01", plug=plug)])


def nameless(host: Host) -> Machine:
    return host.a_machine(id="../../etc")


@pytest.mark.parametrize(
    ("spoiled", "kind", "why"),
    [
        (missing, Failed, r"QEMU could not start machine .*no-disk.*: No such file"),
        (broken, Failed, r"QEMU could not start machine .*[Ii]mage|header|[Uu]nsupported|cluster"),
        (greedy, Unavailable, r"host has \d+ MiB free, the machine needs 10000064 MiB"),
        (unwired, Failed, "tap mc-not-there cannot be opened"),
        (nameless, Invalid, "not a UUID"),
    ],
)
async def test_a_start_that_fails_says_why_and_leaves_nothing(
    host: Host, spoiled: Callable[[Host], Machine], kind: type[Exception], why: str
) -> None:
    host.folder.mkdir()
    machine = spoiled(host)
    async with host.entered() as hypervisor:
        with pytest.raises(kind, match=why):
            await hypervisor.ensure_running(machine)
        assert await hypervisor.machines() == []
        assert not list((host.folder / "instances").glob("*"))
    assert host.heard == []


async def test_a_machine_whose_next_start_fails_stays_as_it_was(host: Host) -> None:
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        spoiled = msgspec.structs.replace(machine, disks=[Disk(id="disk", path="/nowhere/disk")])
        with pytest.raises(Failed, match="No such file"):
            await hypervisor.ensure_running(spoiled)
        assert [facts.power_state for facts in await hypervisor.machines()] == [PowerState.SHUTDOWN]
    async with host.entered() as hypervisor:
        assert (await hypervisor.ensure_running(machine)).power_state is PowerState.RUNNING
    assert host.heard == []


async def test_a_disk_in_use_is_refused_in_qemus_words(host: Host) -> None:
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        with pytest.raises(Failed, match='Failed to get "write" lock'):
            await hypervisor.ensure_running(msgspec.structs.replace(machine, id=str(uuid4())))
        assert [facts.id for facts in await hypervisor.machines()] == [machine.id]


async def test_disks_in_the_same_folder_belong_to_storage(host: Host) -> None:
    machine = host.a_machine()
    disk = host.instance(machine) / "disk"
    disk.parent.mkdir(parents=True)
    disk.write_bytes(boot_disk())
    machine = msgspec.structs.replace(machine, disks=[Disk(id="disk", path=str(disk), format="raw", boot_index=0)])
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await hypervisor.ensure_gone(machine.id)
    assert os.listdir(host.instance(machine)) == ["disk"]


async def test_deletion_does_not_wait_for_a_polite_stop(host: Host) -> None:
    disk = host.folder.parent / "deaf.raw"
    disk.write_bytes(boot_disk(obeys_power_button=False))
    machine = host.a_machine(disks=[Disk(id="disk", path=str(disk), format="raw", boot_index=0)])
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await booted(hypervisor, machine, 1)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: hypervisor.ensure_shutdown(machine.id, grace_s=600))
                await until(lambda: pressed(host, machine))
                tasks.start_soon(hypervisor.ensure_gone, machine.id)
        assert await hypervisor.machines() == []


async def pressed(host: Host, machine: Machine) -> bool:
    record = Folder(host.instance(machine)).read()
    return record is not None and record.wanted == "shutdown"


async def test_somebody_at_the_monitor_is_noticed(host: Host) -> None:
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        async with await socket_of(host, machine, "monitor") as monitor:
            await monitor.send(b"stop\n")
            await until(lambda: heard(host, machine, PowerState.PAUSED))
            assert [facts.power_state for facts in await hypervisor.machines()] == [PowerState.PAUSED]
            await monitor.send(b"cont\n")
            await until(lambda: heard(host, machine, PowerState.RUNNING))
        await hypervisor.ensure_paused(machine.id)
        await hypervisor.ensure_running(machine)
    assert [power for _, power in host.heard] == [PowerState.PAUSED, PowerState.RUNNING]


async def test_one_damaged_record_does_not_hide_the_other_machines(host: Host) -> None:
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
    damaged = host.folder / "instances" / str(uuid4())
    damaged.mkdir()
    (damaged / "machine.json").write_text("{")
    async with host.entered() as hypervisor:
        assert [facts.id for facts in await hypervisor.machines()] == [machine.id]
        await hypervisor.ensure_gone(damaged.name)
        assert not damaged.exists()


async def test_user_networking_and_every_bus_start(host: Host) -> None:
    def a_disk(number: int) -> str:
        path = host.folder.parent / f"extra{number}.raw"
        path.write_bytes(bytes(1 << 20))
        return str(path)

    machine = host.a_machine()
    more = [
        Disk(id="scsi", path=a_disk(1), format="raw", bus="scsi", serial="s1"),
        Disk(id="scsi-cd", path=a_disk(2), format="raw", bus="scsi", device="cdrom"),
        Disk(id="ide", path=a_disk(3), format="raw", bus="ide"),
        Disk(id="ide-cd", path=a_disk(4), format="raw", bus="ide", device="cdrom"),
        Disk(id="nvme", path=a_disk(5), format="raw", bus="nvme"),
        Disk(id="config", path=a_disk(6), format="raw", device="cdrom"),
    ]
    options = "net=169.254.0.0/16,restrict=on,guestfwd=tcp:169.254.169.254:80-cmd:/bin/cat"
    nics = [
        Nic(id=str(uuid4()), mac=f"fa:16:3e:00:00:0{n}", model=model, plug=UserPlug(options=options))  # type: ignore[arg-type]
        for n, model in enumerate(("virtio", "e1000", "rtl8139"))
    ]
    machine = msgspec.structs.replace(machine, disks=[*machine.disks, *more], nics=nics, vcpus=2)
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await booted(hypervisor, machine, 1)


async def test_uefi_needs_its_firmware(host: Host, tmp_path: Path) -> None:
    machine = host.a_machine(firmware="uefi")
    async with host.entered(firmware=tmp_path / "none") as hypervisor:
        with pytest.raises(ToolMissing, match="apt install ovmf"):
            await hypervisor.ensure_running(machine)
        assert await hypervisor.machines() == []
    if not Path("/usr/share/OVMF/OVMF_CODE_4M.fd").is_file():  # noqa: ASYNC240
        pytest.skip("ovmf is not installed")
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        variables = host.instance(machine) / "vars.fd"
        assert variables.stat().st_size > 100_000
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        assert variables.exists(), "a guest keeps its boot entries"
        await hypervisor.ensure_gone(machine.id)
        assert not variables.exists()


async def test_a_host_may_be_a_part_of_the_computer(host: Host) -> None:
    async with host.entered(size=Size(vcpus=4, memory_mb=2048, disk_gb=20)) as hypervisor:
        facts = await hypervisor.facts()
        assert (facts.vcpus, facts.memory_mb, facts.disk_gb) == (4, 2048, 20)
        assert (facts.hypervisor_type, facts.accelerator) == ("QEMU", "tcg")
        assert 4_000_000 < facts.hypervisor_version < 99_000_000


def allowed(pid: int, name: str) -> set[int]:
    """Where the threads of this name may run."""
    return {
        cpu
        for thread in Path(f"/proc/{pid}/task").iterdir()
        if (thread / "comm").read_text().strip() == name
        for cpu in os.sched_getaffinity(int(thread.name))
    }


def policies(pid: int) -> str:
    """From where each piece of its memory comes."""
    return Path(f"/proc/{pid}/numa_maps").read_text()


@pytest.mark.skipif(not {0, 1} <= os.sched_getaffinity(0), reason="this computer has one processor")
async def test_guests_sit_where_their_cells_are(host: Host, tmp_path: Path) -> None:
    # Two cells where there is one, so that QEMU is told; nobody sits in the second, which no kernel here would know.
    system = a_system(tmp_path / "system", {0: "0-1", 9: ""})
    size = Size(part=Part(shared=frozenset([0]), pinned=frozenset([1])))
    cells = [
        Cell(cpus=[0], memory_mb=24, host_cell=0),
        Cell(cpus=[1], memory_mb=40, host_cell=0, pins={1: 1}),
    ]
    machine = host.a_machine(vcpus=2, hardware=Hardware(cells=cells))
    plain = host.a_machine()
    async with host.entered(size=size, system=system) as hypervisor:
        facts = await hypervisor.facts()
        assert facts.vcpus == 2
        assert [(cell.id, cell.cpus, cell.pinned) for cell in facts.cells] == [(0, [0], [1]), (9, [], [])]
        for times in (1, 2):
            pid = (await hypervisor.ensure_running(machine)).pid
            assert pid is not None
            await booted(hypervisor, machine, times)
            assert allowed(pid, "CPU 0/TCG") == {0}
            assert allowed(pid, "CPU 1/TCG") == {1}
            assert allowed(pid, "qemu-system-x86") == {0, 1}, "everything else runs with the processors"
            assert "bind:0" in policies(pid)
            await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        pid = (await hypervisor.ensure_running(plain)).pid
        assert pid is not None
        assert allowed(pid, "CPU 0/TCG") == {0}, "what is kept for some is not for others"
        assert "bind" not in policies(pid)


async def test_a_seat_that_is_no_more_is_told_and_the_guest_runs(host: Host) -> None:
    cells = [Cell(cpus=[0], memory_mb=64, host_cell=0, pins={0: 900})]
    machine, recording = host.a_machine(hardware=Hardware(cells=cells)), trace.Recording()
    with trace.recording(recording):
        async with host.entered() as hypervisor:
            await hypervisor.ensure_running(machine)
            await booted(hypervisor, machine, 1)
    assert "seat_not_taken" in recording.words()


def free_pages(size_kb: int) -> int:
    """Pages of this size that nobody has."""
    return int(Path(f"/sys/kernel/mm/hugepages/hugepages-{size_kb}kB/free_hugepages").read_text())


@contextmanager
def large_pages(more: int) -> Iterator[None]:
    """So many more pages of 2 MiB set apart; skips where that is not ours to say."""
    count = Path("/proc/sys/vm/nr_hugepages")
    before = count.read_text()
    try:
        count.write_text(str(int(before) + more))
    except OSError:
        pytest.skip("nobody but this computer's root sets large pages apart")
    try:
        yield
    finally:
        count.write_text(before)


async def test_large_pages_are_used_or_missed_in_qemus_words(host: Host) -> None:
    machine = host.a_machine(hardware=Hardware(page_kb=2048, cells=[Cell(cpus=[0], memory_mb=64)]))
    async with host.entered() as hypervisor:
        if free_pages(2048) < 32:
            with pytest.raises(Failed, match="Cannot allocate memory"):
                await hypervisor.ensure_running(machine)
            assert await hypervisor.machine(machine.id) is None
        with large_pages(32):
            await hypervisor.ensure_running(machine)
            await booted(hypervisor, machine, 1)
            await hypervisor.ensure_gone(machine.id)


async def test_a_machine_that_is_off_has_no_serial_line(host: Host) -> None:
    machine = host.a_machine()
    async with host.entered() as hypervisor:
        await hypervisor.ensure_running(machine)
        await hypervisor.ensure_shutdown(machine.id, grace_s=0)
        with pytest.raises(NotFound, match="no serial console now"):
            await hypervisor.serial(machine.id)


def metadata_by_program(host: Host) -> UserPlug:
    """User networking that answers every connection to the metadata address by a program: it notes the request, and says no."""
    program = host.folder.parent / "metadata.py"
    program.write_text(
        "import os\n"
        "request = os.read(0, 4096)\n"
        f"open({str(host.folder.parent / 'asked')!r}, 'ab').write(request)\n"
        "os.write(1, b'HTTP/1.0 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n')\n"
    )
    forward = f"guestfwd=tcp:169.254.169.254:80-cmd:{sys.executable} {program}"
    return UserPlug(options=f"net=169.254.0.0/16,{forward}")


async def asked(host: Host) -> bool:
    path = host.folder.parent / "asked"
    return path.exists() and b"GET /openstack" in path.read_bytes()


async def test_a_real_guest_logs_in_asks_for_metadata_and_obeys_its_power_button(host: Host) -> None:
    guest = pytest.importorskip("minicloud.guest")
    image = guest.cached(Path.home() / ".cache" / "minicloud" / "guest")
    if image is None:
        pytest.skip("the guest image is not built yet: minicloud.guest.build makes it")
    disk = host.folder.parent / "disk.qcow2"
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image.disk), "-F", "qcow2", str(disk), "1G"]
    await anyio.run_process(argv)
    machine = host.a_machine(
        disks=[Disk(id="disk", path=str(disk), boot_index=0)],
        memory_mb=256,
        nics=[Nic(id=str(uuid4()), mac="fa:16:3e:00:00:01", plug=metadata_by_program(host))],
    )
    async with host.entered() as hypervisor:

        async def logins(times: int) -> bool:
            return (await hypervisor.console_output(machine.id, tail_bytes=1 << 20)).count(b"login:") >= times

        await hypervisor.ensure_running(machine)
        await until(lambda: logins(1), limit_s=180)
        await until(lambda: asked(host), limit_s=180)
        assert await hypervisor.reboot_soft(machine.id, grace_s=120) is True
        await until(lambda: logins(2), limit_s=180)
        await hypervisor.ensure_shutdown(machine.id, grace_s=120)
        assert b"Power down" in await hypervisor.console_output(machine.id, tail_bytes=1000)
        assert [facts.power_state for facts in await hypervisor.machines()] == [PowerState.SHUTDOWN]
    assert host.heard == []
