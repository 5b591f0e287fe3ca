"""Connecting to a QEMU that has just been started or found again, and what its own words are when that fails."""

from collections.abc import Callable, Sequence

import anyio

from minicloud.base.errors import Failed, Unavailable
from minicloud.drivers.hypervisor import HostCell, Machine
from minicloud.drivers.hypervisor.qemu import seating
from minicloud.drivers.hypervisor.qemu.devices import throttling
from minicloud.drivers.hypervisor.qemu.folder import Folder
from minicloud.drivers.hypervisor.qemu.process import Process
from minicloud.drivers.hypervisor.qemu.qmp import Event, Qmp

_START_LIMIT_S = 60.0
_RETRY_S = 0.004


async def connect(machine_id: str, folder: Folder, found: Process, hear: Callable[[Event], None]) -> Qmp:
    """The control connection of a process, as soon as it listens. Raises Failed."""
    with anyio.move_on_after(_START_LIMIT_S):
        while found.alive:
            with folder.socket("qmp") as path:
                try:
                    return await Qmp.connect(path, hear, timeout_s=_START_LIMIT_S)
                except (OSError, Unavailable):
                    # Not listening yet, or ended: the loop tells which.
                    pass
            with anyio.move_on_after(_RETRY_S):
                await found.wait()
    raise await failure(machine_id, folder, found)


async def failure(machine_id: str, folder: Folder, found: Process) -> Failed:
    """Why a process is of no use."""
    with anyio.move_on_after(2.0):
        await found.wait()
    if found.alive:
        return Failed(f"QEMU for machine {machine_id} does not answer (pid {found.pid})")
    said = folder.complaint() or f"exit code {found.code}, and it said nothing"
    return Failed(f"QEMU could not start machine {machine_id}: {said}", code=found.code, stderr=said)


async def settle(qmp: Qmp | None, machine: Machine, pid: int, cells: Sequence[HostCell]) -> None:
    """A new process has what its command line cannot say: limits of its disks, its seat among the host's cells."""
    if qmp is None:
        return
    for disk in machine.disks:
        if disk.throttle is not None:
            await qmp.execute("block_set_io_throttle", throttling(disk, disk.throttle))
    await seating.take(machine, pid, qmp, cells)
