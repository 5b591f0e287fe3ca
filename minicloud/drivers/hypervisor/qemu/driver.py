"""The hypervisor promise kept by QEMU: the machines of one host, each in a folder of its own below ``instances``."""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import anyio
import anyio.abc
import msgspec

from minicloud.base.errors import CloudError, Conflict, Invalid, NotFound, ToolMissing
from minicloud.base.ids import is_uuid
from minicloud.drivers.hypervisor import (
    DeviceAddress,
    Disk,
    DiskFormat,
    Hardware,
    HostCell,
    HostFacts,
    Machine,
    MachineFacts,
    MachineUsage,
    Nic,
    PowerChanged,
    PowerState,
    Throttle,
)
from minicloud.drivers.hypervisor.qemu import (
    addresses,
    copying,
    guestagent,
    hostcells,
    hostfacts,
    hotplug,
    mirroring,
    probe,
    usage,
)
from minicloud.drivers.hypervisor.qemu.command import UEFI_CODE, UEFI_VARIABLES, Emulator
from minicloud.drivers.hypervisor.qemu.folder import Folder
from minicloud.drivers.hypervisor.qemu.hostcells import Part
from minicloud.drivers.hypervisor.qemu.layout import planned
from minicloud.drivers.hypervisor.qemu.moves import QemuMoves
from minicloud.drivers.hypervisor.qemu.vm import Vm

_log = logging.getLogger(__name__)
_TRIM_EVERY_S = 30.0
FIRMWARE = Path("/usr/share/OVMF")
"""Where Debian's ``ovmf`` puts UEFI."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """A part of this computer that one of several hosts on it may use; None: as much as there is."""

    vcpus: int | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None
    part: Part = Part()


class QemuHypervisor(QemuMoves):
    """Runs machines by QEMU.

    Args:
        folder: the host's folder, absolute; machines lie in ``instances`` below it.
        accel: ``auto`` uses KVM where a guest really ran under it, ``kvm`` demands it, ``tcg`` avoids it.
        probe_cache: a file that keeps what was found out about this computer until it boots again.
        size: what this host tells of its capacity, when several share the computer.
        firmware: the folder with UEFI's code and variables, as Debian's ``ovmf`` names them.
        system: where the kernel tells of processors and cells.
    """

    def __init__(
        self,
        folder: Path,
        *,
        accel: probe.Setting = "auto",
        probe_cache: Path | None = None,
        size: Size | None = None,
        firmware: Path = FIRMWARE,
        system: Path = hostcells.SYSTEM,
    ) -> None:
        self._folder = folder.absolute()
        self._instances = self._folder / "instances"
        self._accel = accel
        self._probe_cache = probe_cache
        self._size = size or Size()
        self._firmware = firmware
        self._system = system
        self._vms: dict[str, Vm] = {}
        self._changed: PowerChanged | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._context: contextvars.Context | None = None
        self._found: probe.Abilities | None = None
        self._probing = asyncio.Lock()

    async def open(self, changed: PowerChanged) -> None:
        self._changed = changed
        # Watching belongs to the host's life, not to the request that happened to start a machine.
        self._context = contextvars.copy_context()
        folders = sorted(self._instances.iterdir()) if self._instances.is_dir() else []
        for path in folders:
            if (path / "machine.json").is_file() or (path / ".machine.json.new").is_file():
                self._vms[path.name] = Vm(path.name, Folder(path), self)
        async with anyio.create_task_group() as tasks:
            for vm in self._vms.values():
                tasks.start_soon(self._find_again, vm)
        self._vms = {name: vm for name, vm in self._vms.items() if vm.record is not None}
        self.watch(self._trim, "trim consoles")

    async def close(self) -> None:
        # First, so that nobody hears of ends that our own leaving seems to cause.
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for vm in list(self._vms.values()):
            await vm.leave()
        self._vms.clear()
        self._changed = None

    async def facts(self) -> HostFacts:
        found = await self._abilities()
        cells = self.cells()
        return HostFacts(
            hypervisor_type="QEMU",
            hypervisor_version=found.version,
            vcpus=self._size.vcpus or sum(len(cell.cpus) + len(cell.pinned) for cell in cells),
            memory_mb=self._size.memory_mb or hostfacts.memory_mb(),
            disk_gb=self._size.disk_gb or hostfacts.disk_gb(self._folder),
            cpu_model=hostfacts.processor_model(),
            accelerator=probe.choose(self._accel, found),
            cells=cells,
        )

    async def machines(self) -> list[MachineFacts]:
        return [facts for vm in self._vms.values() if (facts := vm.facts()) is not None]

    async def machine(self, machine_id: str) -> MachineFacts | None:
        vm = self._vms.get(machine_id)
        return vm.facts() if vm is not None else None

    async def ensure_running(self, machine: Machine) -> MachineFacts:
        if not is_uuid(machine.id):
            raise Invalid(f"machine id {machine.id!r} is not a UUID")
        with self._using(machine.id) as vm:
            return await vm.run(machine)

    async def ensure_shutdown(self, machine_id: str, *, grace_s: float) -> None:
        await self._known(machine_id).shut_down(grace_s)

    async def ensure_gone(self, machine_id: str) -> None:
        if is_uuid(machine_id):
            with self._using(machine_id) as vm:
                await vm.remove()

    async def ensure_paused(self, machine_id: str) -> None:
        await self._known(machine_id).pause()

    async def ensure_unpaused(self, machine_id: str) -> None:
        await self._known(machine_id).unpause()

    async def ensure_suspended(self, machine_id: str) -> None:
        await self._known(machine_id).suspend()

    async def reboot_soft(self, machine_id: str, *, grace_s: float) -> bool:
        return await self._known(machine_id).reboot_soft(grace_s)

    async def ensure_disk_attached(self, machine_id: str, disk: Disk) -> None:
        await hotplug.attach_disk(self._known(machine_id), disk)

    async def ensure_disk_detached(self, machine_id: str, disk_id: str, *, timeout_s: float) -> None:
        await hotplug.detach_disk(self._known(machine_id), disk_id, timeout_s)

    async def ensure_disk_size(self, machine_id: str, disk_id: str, *, size_bytes: int) -> bool:
        return await hotplug.size_disk(self._known(machine_id), disk_id, size_bytes)

    async def ensure_disk_throttle(self, machine_id: str, disk_id: str, throttle: Throttle | None) -> None:
        await hotplug.throttle_disk(self._known(machine_id), disk_id, throttle)

    async def ensure_disks_copied(self, machine_id: str, paths: Mapping[str, str]) -> None:
        await copying.copy(self._known(machine_id), paths)

    async def ensure_disk_not_copied(self, machine_id: str, disk_id: str) -> None:
        vm = self._vms.get(machine_id)
        if vm is not None and vm.record is not None:
            await copying.give_up(vm, disk_id)

    async def ensure_disk_moved(
        self, machine_id: str, disk_id: str, *, path: str, format: DiskFormat, copied: bool = False
    ) -> bool:
        return await mirroring.move(self._known(machine_id), disk_id, path, format, copied)

    async def ensure_nic_attached(self, machine_id: str, nic: Nic) -> None:
        await hotplug.attach_nic(self._known(machine_id), nic)

    async def ensure_nic_detached(self, machine_id: str, nic_id: str, *, timeout_s: float) -> None:
        await hotplug.detach_nic(self._known(machine_id), nic_id, timeout_s)

    def places(self, hardware: Hardware, disks: Sequence[Disk], nics: Sequence[str]) -> dict[str, DeviceAddress]:
        return addresses.places(planned(hardware, disks, nics), disks, nics)

    async def addresses(self, machine_id: str) -> dict[str, DeviceAddress]:
        return await addresses.addresses(self._known(machine_id))

    async def usage(self, machine_id: str) -> MachineUsage:
        return await usage.usage(self._known(machine_id))

    async def inject_nmi(self, machine_id: str) -> None:
        async with self._known(machine_id).by_itself() as (record, qmp):
            if qmp is None:
                raise Conflict(f"machine {machine_id} is {record.power}: no interrupt reaches it")
            await qmp.execute("inject-nmi")

    async def ensure_password(self, machine_id: str, user: str, password: str) -> None:
        await guestagent.set_password(self._known(machine_id), user, password)

    async def console_output(self, machine_id: str, *, tail_bytes: int) -> bytes:
        return self._known(machine_id).folder.console(tail_bytes)

    async def serial(self, machine_id: str) -> anyio.abc.SocketStream:
        """A connection to the machine's first serial console; QEMU serves one at a time. Raises NotFound, CloudError."""
        vm = self._known(machine_id)
        with vm.folder.socket("serial") as path:
            try:
                return await anyio.connect_unix(path)
            except OSError as error:
                raise NotFound(f"machine {machine_id} has no serial console now: it does not run") from error

    async def emulator(self, machine: Machine) -> Emulator:
        """For ``Vm``: how to run a machine. Raises ToolMissing, Unavailable."""
        found = await self._abilities()
        uefi = all((self._firmware / name).is_file() for name in (UEFI_CODE, UEFI_VARIABLES))
        if machine.firmware == "uefi" and not uefi:
            raise ToolMissing("the image needs UEFI firmware, which this host lacks: apt install ovmf")
        return Emulator(
            binary=probe.PROGRAM,
            accelerator=probe.choose(self._accel, found),
            sandbox=found.sandbox,
            firmware=str(self._firmware) if uefi else None,
            cells=len(self.cells()) > 1,
        )

    def cells(self) -> list[HostCell]:
        """For ``Vm``: the cells of this computer, as this host has them."""
        return hostcells.cells(self._size.part, self._system)

    def watch(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        """For ``Vm``: do this in the background until ``close``."""

        async def guarded() -> None:
            await work()

        task = asyncio.get_running_loop().create_task(guarded(), name=name, context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def tell(self, machine_id: str, power: PowerState) -> None:
        """For ``Vm``: a machine changed by itself."""
        if self._changed is not None:
            try:
                await self._changed(machine_id, power)
            except CloudError as error:
                # Whoever listens compares everything from time to time: one lost call is no lost machine.
                _log.warning("nobody took note that machine %s is %s: %s", machine_id, power, error.message)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s failed", task.get_name(), exc_info=error)

    def _known(self, machine_id: str) -> Vm:
        vm = self._vms.get(machine_id)
        if vm is None or vm.record is None:
            raise NotFound(f"this host has no machine {machine_id}")
        return vm

    @contextlib.contextmanager
    def _using(self, machine_id: str) -> Iterator[Vm]:
        """The one object of a machine, new or not; forgotten when nobody uses it any more and the machine does not exist."""
        vm = self._vms.get(machine_id)
        if vm is None:
            vm = self._vms[machine_id] = Vm(machine_id, Folder(self._instances / machine_id), self)
        vm.users += 1
        try:
            yield vm
        finally:
            vm.users -= 1
            if vm.users == 0 and vm.record is None and self._vms.get(machine_id) is vm:
                del self._vms[machine_id]

    async def _find_again(self, vm: Vm) -> None:
        try:
            await vm.find_again()
            await guestagent.ensure_thawed(vm.folder)
        except CloudError as error:
            # One damaged record must not keep the other machines from being watched.
            _log.error("machine %s is not watched: %s", vm.machine_id, error.message)

    async def _abilities(self) -> probe.Abilities:
        async with self._probing:
            if self._found is None:
                device = None if self._accel == "tcg" else "/dev/kvm"
                self._found = await probe.abilities(self._probe_cache, device=device)
            return self._found

    async def _trim(self) -> None:
        while True:
            await anyio.sleep(_TRIM_EVERY_S)
            for vm in list(self._vms.values()):
                vm.folder.trim_console()
