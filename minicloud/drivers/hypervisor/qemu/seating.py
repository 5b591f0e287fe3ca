"""Where on its host a running machine's processors are: those with a seat there, and all others off the ones that are given away."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from minicloud.base import trace
from minicloud.drivers.hypervisor import HostCell, Machine
from minicloud.drivers.hypervisor.qemu.qmp import Qmp


async def take(machine: Machine, pid: int, qmp: Qmp, cells: Sequence[HostCell]) -> None:
    """Each thread of the process runs where the machine's cells have their seats. Raises CloudError: QEMU does not answer.

    A seat that the kernel refuses (a processor that was taken off meanwhile) is told of in the trace, and the machine runs.
    """
    seats = seats_of(machine, cells)
    # A host without processors for some machines alone leaves the others to the kernel.
    others = set(machine.hardware.emulator) or {cpu for cpus in seats.values() for cpu in cpus}
    if not others and any(cell.pinned for cell in cells):
        others = {cpu for cell in cells for cpu in cell.cpus}
    if not others:
        return
    own: list[dict[str, Any]] = await qmp.execute("query-cpus-fast")
    threads = {int(cpu["thread-id"]): seats.get(int(cpu["cpu-index"]), others) for cpu in own}
    try:
        for thread in map(int, os.listdir(Path("/proc") / str(pid) / "task")):
            os.sched_setaffinity(thread, threads.get(thread, others))
    except OSError as error:
        trace.note("seat_not_taken", machine=machine.id, why=str(error))
        return
    trace.note("seat_taken", machine=machine.id, cpus={cpu: sorted(seat) for cpu, seat in seats.items()})


def seats_of(machine: Machine, cells: Sequence[HostCell]) -> dict[int, Collection[int]]:
    """The host's processors on which each of the machine's may run; those that may run anywhere are left out."""
    shared = {cell.id: cell.cpus for cell in cells}
    return {
        cpu: [cell.pins[cpu]] if cpu in cell.pins else shared[cell.host_cell]
        for cell in machine.hardware.cells
        if cell.host_cell is not None
        for cpu in cell.cpus
        if cpu in cell.pins or shared.get(cell.host_cell)
    }
