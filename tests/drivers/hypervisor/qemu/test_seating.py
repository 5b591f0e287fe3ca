"""Where the processors of machines may run on their host."""

from uuid import uuid4

from minicloud.drivers.hypervisor import Cell, Hardware, HostCell, Machine
from minicloud.drivers.hypervisor.qemu.seating import seats_of

HOST = [
    HostCell(id=0, cpus=[0, 1], pinned=[2, 3], memory_mb=1024),
    HostCell(id=1, cpus=[4, 5], pinned=[6, 7], memory_mb=1024),
]


def a_machine(*cells: Cell) -> Machine:
    return Machine(id=str(uuid4()), name="m", vcpus=4, memory_mb=64, hardware=Hardware(cells=list(cells)))


def test_pinned_ones_have_their_own_and_others_those_of_their_cell() -> None:
    mixed = Cell(cpus=[0, 1], memory_mb=32, host_cell=1, pins={1: 7})
    pinned = Cell(cpus=[2, 3], memory_mb=32, host_cell=0, pins={2: 3, 3: 2})
    assert seats_of(a_machine(mixed, pinned), HOST) == {0: [4, 5], 1: [7], 2: [3], 3: [2]}


def test_who_has_no_seat_may_run_anywhere() -> None:
    assert seats_of(a_machine(), HOST) == {}
    assert seats_of(a_machine(Cell(cpus=[0, 1, 2, 3], memory_mb=64)), HOST) == {}
    gone = Cell(cpus=[0, 1, 2, 3], memory_mb=64, host_cell=5, pins={2: 9})
    assert seats_of(a_machine(gone), HOST) == {2: [9]}, "a cell that is not there any more holds nobody"
