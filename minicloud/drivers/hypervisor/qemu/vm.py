"""One machine: its process, its control connection and its record; every verb one at a time, every unasked change told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed, NotFound, Unavailable
from minicloud.drivers.hypervisor import Machine, MachineFacts, PowerState
from minicloud.drivers.hypervisor.qemu import connection, cpulimits, ending, hostfacts, plugs, process, suspension
from minicloud.drivers.hypervisor.qemu.command import command_line
from minicloud.drivers.hypervisor.qemu.folder import Folder, Record
from minicloud.drivers.hypervisor.qemu.layout import Layout, fresh
from minicloud.drivers.hypervisor.qemu.process import Process
from minicloud.drivers.hypervisor.qemu.qmp import Event, Qmp
from minicloud.drivers.hypervisor.qemu.surroundings import Surroundings

_QUIT_LIMIT_S = 10.0


class Vm:
    """A machine that exists on this host, running or not. ``record`` is None before its first start and after its end."""

    def __init__(self, machine_id: str, folder: Folder, around: Surroundings) -> None:
        self.machine_id = machine_id
        self.folder = folder
        self.record: Record | None = None
        self.users = 0
        self._around = around
        self._alone = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._process: Process | None = None
        self._qmp: Qmp | None = None
        self._paused = self._asked_pause = self._restarting = False
        self._end_reason = ""
        self.stirred = asyncio.Event()  # QEMU told something about its devices
        self.refusals: set[str] = set()
        """Devices that the guest would not let go of when it was last asked."""

    @contextlib.asynccontextmanager
    async def by_itself(self, *, asleep: bool = False) -> AsyncIterator[tuple[Record, Qmp | None]]:
        """The machine's record and its control connection (None: it is off), while no verb and no end comes between.

        Raises NotFound; Conflict unless ``asleep``: it is suspended, and its memory knows the devices that it has.
        """
        async with self._alone:
            record = self.known()
            if self._process is None and record.power is PowerState.SUSPENDED and not asleep:
                raise Conflict(f"machine {self.machine_id} is suspended: its devices cannot be changed")
            yield record, self._qmp if self._process is not None else None

    @property
    def hurried(self) -> bool:
        """Somebody wants the machine to end at once: whoever waits for its guest should stop."""
        return self._hurry.is_set() or self._qmp is None or self._qmp.ended

    def facts(self) -> MachineFacts | None:
        """What is known of it; None when it does not exist."""
        record = self.record
        if record is None:
            return None
        nics = [nic.id for nic in record.machine.nics]
        known = MachineFacts(id=self.machine_id, name=record.machine.name, power_state=record.power, nics=nics)
        if self._process is None:
            # A guest that is being restarted because it asked for that was never off.
            return msgspec.structs.replace(known, power_state=PowerState.RUNNING) if self._restarting else known
        power = PowerState.PAUSED if self._paused else PowerState.RUNNING
        return msgspec.structs.replace(known, power_state=power, pid=record.pid, argv=record.argv)

    async def find_again(self) -> None:
        """Take over what an earlier process of ours left: a running QEMU, or the record of one that ended meanwhile."""
        async with self._alone:
            record = self.folder.read()
            if record is None:
                return
            self.record = record
            if record.wanted == "shutdown" and record.pid is None:
                return
            found = process.adopt(self.machine_id, self.folder.path, record.pid, record.started)
            if found is None:
                self._ended(PowerState.SHUTDOWN)
                trace.note("machine_lost", machine=self.machine_id, why="its process ended while nobody watched")
                if record.wanted == "running":
                    self._around.watch(lambda: self._around.tell(self.machine_id, PowerState.SHUTDOWN), "tell")
                return
            try:
                await self._take(found, record)
            except CloudError as error:
                trace.note("machine_unreachable", machine=self.machine_id, why=error.message)
                await ending.kill(self.machine_id, found)
                self._ended(PowerState.CRASHED)
                self._around.watch(lambda: self._around.tell(self.machine_id, PowerState.CRASHED), "tell")
                return
            if record.wanted == "shutdown":
                # We died in the middle of stopping it; it was asked for, so it is finished.
                await self._stop(found, grace_s=0)

    async def leave(self) -> None:
        """Stop watching; the machine goes on, and may reboot by itself meanwhile."""
        async with self._alone:
            if self._qmp is not None:
                if not self._qmp.ended:
                    with contextlib.suppress(CloudError):
                        await self._qmp.reboot_action("reset")
                await self._qmp.close()
            if self._process is not None:
                self._process.close()
            self._qmp = self._process = None

    async def run(self, machine: Machine, *, awaited: Layout | None = None) -> MachineFacts:
        """As the promise's ``ensure_running``; ``awaited``: a new process of this layout waits at ``incoming`` for its guest."""
        async with self._alone:
            if self._process is not None and self._process.alive:
                await self._go_on()
            else:
                await self._start(machine, awaited=awaited)
            facts = self.facts()
            assert facts is not None
            return facts

    async def shut_down(self, grace_s: float) -> None:
        """As the promise's ``ensure_shutdown``."""
        if grace_s <= 0:
            self._hurry.set()
        async with self._alone:
            record = self.known()
            if self._process is None:
                if record.power is not PowerState.SHUTDOWN:
                    self.keep(msgspec.structs.replace(record, power=PowerState.SHUTDOWN))
                suspension.forget(self.folder.path)
                return
            self.keep(msgspec.structs.replace(record, wanted="shutdown"))
            await self._stop(self._process, grace_s=grace_s)

    async def remove(self) -> None:
        """As the promise's ``ensure_gone``."""
        self._hurry.set()
        async with self._alone:
            if self._process is not None:
                await self._stop(self._process, grace_s=0)
            self.record = None
            self.folder.remove()

    async def pause(self) -> None:
        """As the promise's ``ensure_paused``."""
        async with self._alone:
            _, qmp = self._require_process("only a running machine can be paused")
            self._asked_pause = True
            await qmp.stop()
            self._paused = True

    async def unpause(self) -> None:
        """As the promise's ``ensure_unpaused``."""
        async with self._alone:
            self._require_process("only a paused machine can go on")
            await self._go_on()

    async def suspend(self) -> None:
        """As the promise's ``ensure_suspended``."""
        async with self._alone:
            if self._process is None and self.known().power is PowerState.SUSPENDED:
                return
            running, qmp = self._require_process("only a running machine can be suspended")
            paused, self._asked_pause, self._paused = self._paused, True, True
            try:
                await suspension.save(qmp, self.folder.path)
            except CloudError:
                if not paused:
                    await self._go_on()
                raise
            await self._stop(running, grace_s=0, power=PowerState.SUSPENDED)

    async def _go_on(self) -> None:
        if self._paused and self._qmp is not None:
            self._asked_pause = True
            await self._qmp.cont()
            self._paused = self._asked_pause = False
            suspension.forget(self.folder.path)

    def _require_process(self, why: str) -> tuple[Process, Qmp]:
        power = self.known().power
        if self._process is None or self._qmp is None:
            raise Conflict(f"machine {self.machine_id} is {power}: {why}")
        return self._process, self._qmp

    async def reboot_soft(self, grace_s: float) -> bool:
        """As the promise's ``reboot_soft``."""
        async with self._alone:
            record = self.known()
            if (
                self._process is None
                or self._paused
                or not await ending.powered_off(self._process, self._qmp, grace_s, self._hurry)
            ):
                return False
            await self._close_connection()
            self._process = None
            await self._start(record.machine)
            return True

    def known(self) -> Record:
        """The machine's record. Raises NotFound."""
        if self.record is None:
            raise NotFound(f"this host has no machine {self.machine_id}")
        return self.record

    def keep(self, record: Record) -> None:
        """Write the record, and know it."""
        self.folder.write(record)
        self.record = record

    async def _start(self, machine: Machine, *, awaited: Layout | None = None) -> None:
        """Bring up a new process, or leave things as they were before. Raises what the promise says."""
        before = self.record
        emulator = await self._around.emulator(machine)
        hostfacts.check_memory(machine)
        self._hurry.clear()
        started: Process | None = None
        try:
            suspended = before is not None and before.power is PowerState.SUSPENDED
            layout = awaited or fresh(machine)
            if before is not None and suspended:
                machine, layout = suspension.as_it_was(before.machine, machine), before.layout
            async with plugs.opened(machine.nics) as taps, suspension.saved(self.folder.path, suspended) as memory:
                argv = [
                    *command_line(machine, emulator, taps, layout),
                    *suspension.incoming(memory, awaited is not None),
                ]
                # Before the process: should we die between the two, the next life knows what to look for.
                record = Record.of(machine, emulator.accelerator, argv, layout, awaited is not None)
                self.keep(record)
                self.folder.prepare(emulator.firmware if machine.firmware == "uefi" else None)
                started = process.start(argv, self.folder.path, plugs.passed(taps, memory))
                cpulimits.hold(self.machine_id, started.pid, machine.hardware, machine.vcpus)
            record = msgspec.structs.replace(record, pid=started.pid, started=process.started_at(started.pid))
            self.keep(record)
            await self._take(started, record)
            await connection.settle(self._qmp, machine, started.pid, self._around.cells())
            if suspended and self._qmp is not None:
                await suspension.restored(self._qmp)
                await self._go_on()
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await self._undo_start(started, before)
            if isinstance(error, OSError):
                raise Failed(f"machine {self.machine_id} cannot be started: {error}") from error
            raise

    async def _undo_start(self, started: Process | None, before: Record | None) -> None:
        await self._close_connection()
        if started is not None:
            await ending.kill(self.machine_id, started)
        self._process = None
        self.record = before
        if before is None:
            self.folder.remove()
        else:
            self.folder.clear_sockets()
            with contextlib.suppress(Failed):
                self.folder.write(before)

    async def _take(self, found: Process, record: Record) -> None:
        """Connect to a process, learn what it does, and watch it from now on. Raises Failed with QEMU's own words."""
        self._end_reason = ""
        self._asked_pause = False
        self._qmp = await connection.connect(self.machine_id, self.folder, found, self._hear)
        try:
            status = await self._qmp.status()
            if record.accelerator == "tcg":
                await self._qmp.reboot_action("shutdown")
        except Unavailable as error:
            raise await connection.failure(self.machine_id, self.folder, found) from error
        self._paused = not status.running
        self._process, self._restarting = found, False
        self._around.watch(lambda: self._watch(found), f"watch {self.machine_id}")

    def _hear(self, event: Event) -> None:
        if (reason := ending.reason(self.machine_id, event)) is not None:
            self._end_reason = reason
        elif event.event in ("DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR"):
            if event.event != "DEVICE_DELETED":
                self.refusals.add(str(event.data.get("device")))
            self.stirred.set()
        elif event.event == "BLOCK_IO_ERROR":
            trace.note("disk_error", machine=self.machine_id, **event.data)
        elif event.event == "RESUME":
            if self._paused and not self._asked_pause:
                self._changed(False)
            self._paused = False
        elif event.event == "STOP" and not self._asked_pause and not self._end_reason:
            self._changed(True)

    def _changed(self, paused: bool) -> None:
        """Stopped by itself (a full disk) or by somebody at the monitor."""
        self._paused = paused
        power = PowerState.PAUSED if paused else PowerState.RUNNING
        trace.note("machine_changed", machine=self.machine_id, power=str(power))
        self._around.watch(lambda: self._around.tell(self.machine_id, power), "tell")

    async def _watch(self, watched: Process) -> None:
        """Wait for the end of a process, and make sense of it unless a verb asked for it."""
        await watched.wait()
        if self._qmp is not None and self._process is watched:
            with anyio.move_on_after(2.0):
                await self._qmp.drained()
        async with self._alone:
            if self._process is not watched or self.record is None:
                return
            reason, machine = self._end_reason, self.record.machine
            await self._close_connection()
            self._process = None
            trace.note("machine_ended", machine=self.machine_id, reason=reason or "died", code=watched.code)
            if reason.endswith("reset"):
                self._restarting = True
                try:
                    await self._start(machine)
                    return
                except CloudError as error:
                    trace.note("reboot_failed", machine=self.machine_id, why=error.message)
            power = PowerState.SHUTDOWN if reason and not reason.endswith("reset") else PowerState.CRASHED
            self._ended(power)
        await self._around.tell(self.machine_id, power)

    async def _stop(self, running: Process, *, grace_s: float, power: PowerState = PowerState.SHUTDOWN) -> None:
        """The process has ended, within limits that no guest can stretch; the record says that it was asked for."""
        if self._paused or not await ending.powered_off(running, self._qmp, grace_s, self._hurry):
            if self._qmp is not None and running.alive:
                with anyio.move_on_after(_QUIT_LIMIT_S), contextlib.suppress(CloudError):
                    await self._qmp.quit(timeout_s=_QUIT_LIMIT_S)
                    await running.wait()
            await ending.kill(self.machine_id, running)
        await self._close_connection()
        self._process = None
        self._hurry.clear()
        self._ended(power)

    def _ended(self, power: PowerState) -> None:
        self._paused = self._asked_pause = self._restarting = False
        record = self.known()
        self.keep(msgspec.structs.replace(record, wanted="shutdown", power=power, pid=None, started=None))
        self.folder.clear_sockets()
        cpulimits.release(self.machine_id)

    async def _close_connection(self) -> None:
        if self._qmp is not None:
            await self._qmp.close()
            self._qmp = None
