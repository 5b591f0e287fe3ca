"""Simulated machines: instant, kept in a file so that they survive a SIGKILL, with faults by script and guests that misbehave on command."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, NotFound, TimedOut
from minicloud.drivers.hypervisor import (
    DeviceAddress,
    Disk,
    DiskFormat,
    Hardware,
    HostFacts,
    Machine,
    MachineFacts,
    MachineUsage,
    Nic,
    PowerChanged,
    PowerState,
    Throttle,
)
from minicloud.drivers.hypervisor.fakeconsole import console_text
from minicloud.drivers.hypervisor.fakemoves import FakeMoves
from minicloud.drivers.hypervisor.fakeusage import addresses_of, places_of, usage_of
from minicloud.drivers.hypervisor.fakeworld import FakeWorld, Simulated

__all__ = ["FakeHypervisor", "FakeWorld", "HostSize"]

_EVENTS_KEPT = 8


class HostSize(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated host has to give."""

    vcpus: int = 16
    memory_mb: int = 65536
    disk_gb: int = 1000


class FakeHypervisor(FakeMoves):
    """The hypervisor promise on one simulated host of a ``FakeWorld``."""

    def __init__(self, world: FakeWorld, host: str, size: HostSize | None = None) -> None:
        super().__init__(world, host)
        self._faults = world.faults
        self._size = size or HostSize()
        self._changed: PowerChanged | None = None

    async def open(self, changed: PowerChanged) -> None:
        self.load()
        self._changed = changed
        self._world.join(self)

    async def close(self) -> None:
        self._changed = None
        self._world.leave(self)

    async def facts(self) -> HostFacts:
        return HostFacts(
            hypervisor_type="fake",
            hypervisor_version=1000,
            vcpus=self._size.vcpus,
            memory_mb=self._size.memory_mb,
            disk_gb=self._size.disk_gb,
            cpu_model="Simulated CPU",
            accelerator="simulation",
        )

    async def machines(self) -> list[MachineFacts]:
        return [_facts(simulated) for simulated in self._machines.values()]

    async def machine(self, machine_id: str) -> MachineFacts | None:
        simulated = self._machines.get(machine_id)
        return _facts(simulated) if simulated is not None else None

    async def ensure_running(self, machine: Machine) -> MachineFacts:
        late = await self._faults.meet("ensure_running", self.host, machine.id) if self._faults.armed else None
        known = self._machines.get(machine.id)
        if known is None:
            self.keep(Simulated(machine, PowerState.RUNNING, 1, ["boot"]))
        elif known.power in (PowerState.PAUSED, PowerState.SUSPENDED):
            self.keep(Simulated(known.machine, PowerState.RUNNING, known.boots, known.events))
        elif known.power is not PowerState.RUNNING:
            self.keep(Simulated(machine, PowerState.RUNNING, known.boots + 1, _after(known, "boot")))
        if late is not None:
            raise late
        return _facts(self._machines[machine.id])

    async def ensure_shutdown(self, machine_id: str, *, grace_s: float) -> None:
        late = await self._faults.meet("ensure_shutdown", self.host, machine_id) if self._faults.armed else None
        known = self.known(machine_id)
        if known.power is not PowerState.SHUTDOWN:
            polite = grace_s > 0 and known.power is PowerState.RUNNING and await self._obeys(machine_id, grace_s)
            known = self.known(machine_id)  # it may have been removed while its guest was waited for
            events = _after(known, "poweroff") if polite else known.events
            self.keep(Simulated(known.machine, PowerState.SHUTDOWN, known.boots, events))
        if late is not None:
            raise late

    async def ensure_gone(self, machine_id: str) -> None:
        late = await self._faults.meet("ensure_gone", self.host, machine_id) if self._faults.armed else None
        self.drop(machine_id)
        if late is not None:
            raise late

    async def ensure_paused(self, machine_id: str) -> None:
        late = await self._faults.meet("ensure_paused", self.host, machine_id) if self._faults.armed else None
        known = self.known(machine_id)
        if known.power not in (PowerState.RUNNING, PowerState.PAUSED):
            raise Conflict(f"machine {machine_id} is {known.power}: only a running machine can be paused")
        self.keep(Simulated(known.machine, PowerState.PAUSED, known.boots, known.events))
        if late is not None:
            raise late

    async def ensure_unpaused(self, machine_id: str) -> None:
        late = await self._faults.meet("ensure_unpaused", self.host, machine_id) if self._faults.armed else None
        known = self.known(machine_id)
        if known.power not in (PowerState.RUNNING, PowerState.PAUSED):
            raise Conflict(f"machine {machine_id} is {known.power}: only a paused machine can go on")
        self.keep(Simulated(known.machine, PowerState.RUNNING, known.boots, known.events))
        if late is not None:
            raise late

    async def ensure_suspended(self, machine_id: str) -> None:
        late = await self._faults.meet("ensure_suspended", self.host, machine_id) if self._faults.armed else None
        known = self.known(machine_id)
        if known.power not in (PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED):
            raise Conflict(f"machine {machine_id} is {known.power}: only a running machine can be suspended")
        self.keep(Simulated(known.machine, PowerState.SUSPENDED, known.boots, known.events))
        if late is not None:
            raise late

    async def reboot_soft(self, machine_id: str, *, grace_s: float) -> bool:
        late = await self._faults.meet("reboot_soft", self.host, machine_id) if self._faults.armed else None
        known = self.known(machine_id)
        reacted = known.power is PowerState.RUNNING and grace_s > 0 and await self._obeys(machine_id, grace_s)
        known = self.known(machine_id)  # it may have been removed while its guest was waited for
        if reacted:
            events = [*_after(known, "poweroff"), "boot"][-_EVENTS_KEPT:]
            self.keep(Simulated(known.machine, PowerState.RUNNING, known.boots + 1, events))
        if late is not None:
            raise late
        return reacted

    async def ensure_disk_attached(self, machine_id: str, disk: Disk) -> None:
        async with self._changing("ensure_disk_attached", machine_id) as known:
            disks = [disk if had.id == disk.id else had for had in known.machine.disks]
            if disk.bus == "ide" and disk not in disks and known.power in (PowerState.RUNNING, PowerState.PAUSED):
                raise Conflict(f"disk {disk.id} cannot be attached: no disk comes to an IDE bus while the machine runs")
            self._has(known, disks=disks if disk in disks else [*disks, disk])

    async def ensure_disk_detached(self, machine_id: str, disk_id: str, *, timeout_s: float) -> None:
        async with self._changing("ensure_disk_detached", machine_id) as known:
            if (had := next((disk for disk in known.machine.disks if disk.id == disk_id), None)) is not None:
                if had.bus == "ide" and known.power in (PowerState.RUNNING, PowerState.PAUSED):
                    raise Conflict(
                        f"disk {disk_id} cannot be detached: no disk leaves an IDE bus while the machine runs"
                    )
                await self._lets_go(known, disk_id, timeout_s)
                known = self.known(machine_id)
                self._has(known, disks=[disk for disk in known.machine.disks if disk.id != disk_id])

    async def ensure_disk_size(self, machine_id: str, disk_id: str, *, size_bytes: int) -> bool:
        async with self._changing("ensure_disk_size", machine_id) as known:
            _disk(known.machine, disk_id)
            return known.power in (PowerState.RUNNING, PowerState.PAUSED)

    async def ensure_disk_throttle(self, machine_id: str, disk_id: str, throttle: Throttle | None) -> None:
        async with self._changing("ensure_disk_throttle", machine_id) as known:
            held = msgspec.structs.replace(_disk(known.machine, disk_id), throttle=throttle)
            self._has(known, disks=[held if disk.id == disk_id else disk for disk in known.machine.disks])

    async def ensure_disks_copied(self, machine_id: str, paths: Mapping[str, str]) -> None:
        async with self._meeting("ensure_disks_copied", machine_id) as known:
            for disk_id in paths:
                _disk(known.machine, disk_id)
            if known.power not in (PowerState.RUNNING, PowerState.PAUSED):
                raise Conflict(f"machine {machine_id} is {known.power}: its disk lies still")

    async def ensure_disk_not_copied(self, machine_id: str, disk_id: str) -> None:
        if self._faults.armed and (late := await self._faults.meet("ensure_disk_not_copied", self.host, machine_id)):
            raise late

    async def ensure_disk_moved(
        self, machine_id: str, disk_id: str, *, path: str, format: DiskFormat, copied: bool = False
    ) -> bool:
        async with self._meeting("ensure_disk_moved", machine_id) as known:
            disk = _disk(known.machine, disk_id)
            on = known.power in (PowerState.RUNNING, PowerState.PAUSED)
            if on and copied:
                raise Conflict(f"machine {machine_id} runs: its disk {disk_id} was copied while it changed")
            if not on and not copied:
                return disk.path == path
            moved = msgspec.structs.replace(disk, path=path, format=format)
            self._has(known, disks=[moved if had.id == disk_id else had for had in known.machine.disks])
            return True

    async def ensure_nic_attached(self, machine_id: str, nic: Nic) -> None:
        async with self._changing("ensure_nic_attached", machine_id) as known:
            nics = [nic if had.id == nic.id else had for had in known.machine.nics]
            self._has(known, nics=nics if nic in nics else [*nics, nic])

    async def ensure_nic_detached(self, machine_id: str, nic_id: str, *, timeout_s: float) -> None:
        async with self._changing("ensure_nic_detached", machine_id) as known:
            if any(nic.id == nic_id for nic in known.machine.nics):
                await self._lets_go(known, nic_id, timeout_s)
                known = self.known(machine_id)
                self._has(known, nics=[nic for nic in known.machine.nics if nic.id != nic_id])

    @asynccontextmanager
    async def _meeting(self, verb: str, machine_id: str) -> AsyncIterator[Simulated]:
        """A machine, between what the script of faults wants before and after."""
        late = await self._faults.meet(verb, self.host, machine_id) if self._faults.armed else None
        yield self.known(machine_id)
        if late is not None:
            raise late

    @asynccontextmanager
    async def _changing(self, verb: str, machine_id: str) -> AsyncIterator[Simulated]:
        """As ``_meeting``: a machine whose devices may be changed."""
        async with self._meeting(verb, machine_id) as known:
            if known.power is PowerState.SUSPENDED:
                raise Conflict(f"machine {machine_id} is suspended: its devices cannot be changed")
            yield known

    async def _lets_go(self, known: Simulated, device_id: str, timeout_s: float) -> None:
        """The guest, if it runs, lets go of a device. Raises Conflict, TimedOut."""
        if known.power is PowerState.PAUSED:
            raise Conflict(f"machine {known.machine.id} is paused: its guest cannot let go of {device_id}")
        if known.power is PowerState.RUNNING and known.machine.id in self._world.clinging:
            await anyio.sleep(timeout_s)
            raise TimedOut(
                f"the guest of machine {known.machine.id} did not let go of {device_id} within {timeout_s:g} s"
            )

    def _has(self, known: Simulated, **devices: Any) -> None:
        machine = msgspec.structs.replace(known.machine, **devices)
        self.keep(msgspec.structs.replace(known, machine=machine))

    def places(self, hardware: Hardware, disks: Sequence[Disk], nics: Sequence[str]) -> dict[str, DeviceAddress]:
        return places_of(disks, nics)

    async def addresses(self, machine_id: str) -> dict[str, DeviceAddress]:
        async with self._meeting("addresses", machine_id) as known:
            _require_on(known, "its bus has no addresses")
            return addresses_of(known.machine)

    async def usage(self, machine_id: str) -> MachineUsage:
        async with self._meeting("usage", machine_id) as known:
            _require_on(known, "nothing of it can be measured")
            return usage_of(known.machine, known.boots)

    async def inject_nmi(self, machine_id: str) -> None:
        async with self._meeting("inject_nmi", machine_id) as known:
            _require_on(known, "no interrupt reaches it")
            self.keep(msgspec.structs.replace(known, events=_after(known, "nmi")))

    async def ensure_password(self, machine_id: str, user: str, password: str) -> None:
        async with self._meeting("ensure_password", machine_id) as known:
            _require_on(known, "nobody in it can be told")

    async def console_output(self, machine_id: str, *, tail_bytes: int) -> bytes:
        if self._faults.armed and (late := await self._faults.meet("console_output", self.host, machine_id)):
            raise late
        known = self.known(machine_id)
        text = console_text(known.machine, known.events)
        return text[-tail_bytes:] if tail_bytes > 0 else b""

    async def happen(self, machine_id: str, power: PowerState, event: str) -> bool:
        """A running machine changes by itself; False when there is none of this id here. For ``FakeWorld``."""
        known = self._machines.get(machine_id)
        if known is None or known.power is not PowerState.RUNNING:
            return False
        events = _after(known, event) if event else known.events
        self.keep(Simulated(known.machine, power, known.boots, events))
        trace.note("machine_changed", host=self.host, machine=machine_id, power=str(power))
        if self._changed is not None:
            await self._changed(machine_id, power)
        return True

    def lose_power(self) -> None:
        """Every machine here is off, and nobody is told. For ``FakeWorld``."""
        for known in list(self._machines.values()):
            if known.power in (PowerState.RUNNING, PowerState.PAUSED):
                self.keep(Simulated(known.machine, PowerState.SHUTDOWN, known.boots, known.events))

    async def _obeys(self, machine_id: str, grace_s: float) -> bool:
        """Whether the guest listens to its power button; one that does not costs the whole grace."""
        if machine_id not in self._world.deaf:
            return True
        await anyio.sleep(grace_s)
        return False


def _require_on(known: Simulated, why: str) -> None:
    if known.power not in (PowerState.RUNNING, PowerState.PAUSED):
        raise Conflict(f"machine {known.machine.id} is {known.power}: {why}")


def _disk(machine: Machine, disk_id: str) -> Disk:
    for disk in machine.disks:
        if disk.id == disk_id:
            return disk
    raise NotFound(f"machine {machine.id} has no disk {disk_id}")


def _after(known: Simulated, event: str) -> list[str]:
    return [*known.events, event][-_EVENTS_KEPT:]


def _facts(simulated: Simulated) -> MachineFacts:
    machine = simulated.machine
    nics = [nic.id for nic in machine.nics]
    return MachineFacts(id=machine.id, name=machine.name, power_state=simulated.power, nics=nics)
