"""What the kernel tells of cells, cores and pages, and what each of several hosts has of them."""

import os
from pathlib import Path

import pytest

from minicloud.drivers.hypervisor import HostPages
from minicloud.drivers.hypervisor.qemu import hostcells, hostfacts
from minicloud.drivers.hypervisor.qemu.hostcells import Part, cells, numbers


def a_system(
    folder: Path, nodes: dict[int, str], threads: dict[int, str] | None = None, memory_kb: int = 1 << 20
) -> Path:
    """The kernel's folder of a computer with these cells; each has 100 pages of 2 MiB."""
    for number, cpus in nodes.items():
        node = folder / "node" / f"node{number}"
        (node / "hugepages" / "hugepages-2048kB").mkdir(parents=True)
        (node / "hugepages" / "hugepages-2048kB" / "nr_hugepages").write_text("100\n")
        (node / "cpulist").write_text(cpus + "\n")
        (node / "meminfo").write_text(f"Node {number} MemTotal:       {memory_kb} kB\nNode {number} MemFree:   1 kB\n")
    for cpu, siblings in (threads or {}).items():
        topology = folder / "cpu" / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(siblings + "\n")
    (folder / "node").mkdir(exist_ok=True)
    (folder / "node" / "possible").write_text("0-1\n")
    return folder


@pytest.fixture
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


@pytest.mark.parametrize(
    ("text", "expected"), [("0-3,8\n", {0, 1, 2, 3, 8}), ("", set()), ("\n", set()), ("5", {5}), ("1,3-4", {1, 3, 4})]
)
def test_the_kernels_way_to_write_sets(text: str, expected: set[int]) -> None:
    assert numbers(text) == expected


@pytest.mark.usefixtures("eight_cpus")
def test_cells_with_their_cores_and_pages(tmp_path: Path) -> None:
    siblings = {cpu: f"{cpu % 2 + cpu // 4 * 4},{cpu % 2 + cpu // 4 * 4 + 2}" for cpu in range(8)}
    first, second = cells(Part(), a_system(tmp_path, {1: "4-7,99", 0: "0-3"}, siblings))
    assert (first.id, first.cpus, first.pinned, first.siblings) == (0, [0, 1, 2, 3], [], [[0, 2], [1, 3]])
    assert (second.id, second.cpus, second.siblings) == (1, [4, 5, 6, 7], [[4, 6], [5, 7]])
    assert first.memory_mb == 1024
    # What is set apart in large pages is none in small ones.
    assert first.pages == [
        HostPages(size_kb=4, total=(1024 - 200) * 256),
        HostPages(size_kb=2048, total=100),
    ]


@pytest.mark.usefixtures("eight_cpus")
def test_hosts_divide_what_there_is(tmp_path: Path) -> None:
    system = a_system(tmp_path, {0: "0-3", 1: "4-7"}, {cpu: f"{cpu // 2 * 2}-{cpu // 2 * 2 + 1}" for cpu in range(8)})
    part = Part(shared=frozenset([0, 1, 4]), pinned=frozenset([2, 5, 6]), hosts=2)
    first, second = cells(part, system)
    assert (first.cpus, first.pinned) == ([0, 1], [2])
    assert (second.cpus, second.pinned) == ([4], [5, 6])
    assert (first.siblings, second.siblings) == ([[0, 1]], [[4, 5]]), "a thread whose core is halved is one alone"
    assert first.memory_mb == 512
    assert first.pages[1] == HostPages(size_kb=2048, total=50)


def test_a_kernel_without_cells_has_one(tmp_path: Path) -> None:
    (only,) = cells(Part(), tmp_path)
    assert (only.id, only.cpus) == (0, sorted(os.sched_getaffinity(0)))
    assert only.memory_mb == hostfacts.memory_mb()
    assert [size.size_kb for size in only.pages] == [hostcells._SMALL_KB]


def test_the_memory_of_an_only_cell_is_the_computers(tmp_path: Path) -> None:
    (only,) = cells(Part(), a_system(tmp_path, {0: "0-7"}, memory_kb=1 << 10))
    assert only.memory_mb == hostfacts.memory_mb()


def test_this_computer_can_be_read() -> None:
    found = cells(Part())
    assert sorted(cpu for cell in found for cpu in cell.cpus) == sorted(os.sched_getaffinity(0))
    assert sum(cell.memory_mb for cell in found) >= hostfacts.memory_mb() // 2
