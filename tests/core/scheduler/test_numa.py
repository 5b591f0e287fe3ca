"""Fitting guests' cells: thread policies and pages by example, exact accounting by properties."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicloud.base.errors import Forbidden, Invalid
from minicloud.core.compute.details import Cell, Device, Pages
from minicloud.core.compute.topology import Wanted, WantedCell, cpu_numbers, wanted_topology
from minicloud.core.scheduler import numa, pci
from minicloud.core.scheduler.occupancy import Occupancy, ServerFit, occupancy_of
from minicloud.core.scheduler.pci import Alias, Asked

FREE = Occupancy()
TWO_THREADS = Cell(id=0, pinned=[0, 1, 2, 3], siblings=[[0, 2], [1, 3]], memory_mb=4096)


def pinned(count: int, *, threads: str = "", memory_mb: int = 64, **more: Any) -> Wanted:
    return Wanted(cells=(WantedCell(id=0, pinned=tuple(range(count)), memory_mb=memory_mb),), threads=threads, **more)


@pytest.mark.parametrize(
    ("count", "threads", "extra", "expected"),
    [
        (2, "prefer", 0, ([0, 2], {0, 2})),
        (2, "require", 0, ([0, 2], {0, 2})),
        (3, "prefer", 1, ([0, 2, 1, 3], {0, 1, 2, 3})),
        (2, "isolate", 0, ([0, 1], {0, 1, 2, 3})),
        (1, "isolate", 1, ([0, 1], {0, 1, 2, 3})),
        (3, "isolate", 0, "wants 3 cores for itself, has 2 idle"),
        (5, "", 0, "wants 5 CPUs of its own, has 4 of 4 left"),
    ],
)
def test_thread_policies(count: int, threads: str, extra: int, expected: object) -> None:
    assert numa.pack(TWO_THREADS, frozenset(), count, threads, extra=extra) == expected


def test_threads_are_required_where_there_are_none() -> None:
    plain = Cell(id=0, pinned=[0, 1, 2], memory_mb=1)
    assert numa.pack(plain, frozenset(), 2, "require") == (
        "has no core with two idle threads, and threads are required"
    )
    assert numa.pack(TWO_THREADS, frozenset([0, 1]), 2, "require") == (
        "has no core with two idle threads, and threads are required"
    )
    assert numa.pack(TWO_THREADS, frozenset([0]), 2, "prefer") == ([1, 3], {1, 3}), "whole cores first"


@pytest.mark.parametrize(
    ("page", "memory_mb", "expected"),
    [
        ("", 4096, 0),
        ("small", 1024, 4),
        ("large", 1024, 1048576),
        ("large", 1026, 2048),
        ("any", 3, 4),
        ("2048", 2048, 2048),
        ("2048", 4096, "wants 2048 pages of 2048 KiB, has 1024 of 1024 left"),
        ("1048576", 1025, "wants 2 pages of 1048576 KiB, has 1 of 1 left"),
        ("65536", 64, "has no pages of 65536 KiB"),
    ],
)
def test_pages(page: str, memory_mb: int, expected: int | str) -> None:
    pages = [Pages(size_kb=4, total=500_000), Pages(size_kb=2048, total=1024), Pages(size_kb=1048576, total=1)]
    cell = Cell(id=0, cpus=[0], memory_mb=4096, pages=pages)
    wanted = Wanted(cells=(WantedCell(id=0, shared=(0,), memory_mb=memory_mb),), page=page)
    found = numa.fit_cell(cell, FREE, wanted.cells[0], wanted)
    assert (found if isinstance(found, str) else found.page_kb) == expected


def test_shared_cpus_and_memory_are_overcommitted_by_their_ratios() -> None:
    cell = Cell(id=0, cpus=[0, 1], memory_mb=1000)
    one = Wanted(cells=(WantedCell(id=0, shared=(0, 1), memory_mb=800),))
    used = Occupancy(shared={0: 2}, memory_mb={0: 800})
    assert isinstance(numa.fit([cell], used, one), str)
    assert isinstance(numa.fit([cell], used, one, cpu_ratio=2.0), str)
    assert isinstance(numa.fit([cell], used, one, cpu_ratio=2.0, ram_ratio=1.6), list)
    three = Wanted(cells=(WantedCell(id=0, shared=(0, 1, 2), memory_mb=1),))
    assert numa.fit([cell], FREE, three, cpu_ratio=16) == (
        "cannot take the server's NUMA cells (cell 0: wants 3 shared CPUs, has 32 of 32 left on 2)"
    )


def test_all_orders_of_cells_are_tried() -> None:
    cells = [Cell(id=0, cpus=[0, 1], memory_mb=2000), Cell(id=1, cpus=[2], memory_mb=2000)]
    small, big = WantedCell(id=0, shared=(0,), memory_mb=1), WantedCell(id=1, shared=(1, 2), memory_mb=1)
    found = numa.fit(cells, FREE, Wanted(cells=(small, big)))
    assert isinstance(found, list)
    assert [(fit.cell, fit.host_cell) for fit in found] == [(0, 1), (1, 0)]


sizes = st.integers(min_value=1, max_value=4)


@st.composite
def hosts(draw: st.DrawFn) -> list[Cell]:
    found, first = [], 0
    for number in range(draw(st.integers(1, 3))):
        count, threads = draw(st.integers(1, 8)), draw(st.integers(1, 2))
        cpus = list(range(first, first + count))
        first += count
        cut = draw(st.integers(0, count))
        cores = [cpus[i : i + threads] for i in range(0, count, threads)]
        pages = [Pages(size_kb=2048, total=draw(st.integers(0, 8)))]
        found.append(
            Cell(id=number, cpus=cpus[:cut], pinned=cpus[cut:], siblings=cores, memory_mb=draw(sizes) * 16, pages=pages)
        )
    return found


@st.composite
def guests(draw: st.DrawFn) -> Wanted:
    cells, first = [], 0
    for number in range(draw(st.integers(1, 2))):
        count = draw(sizes)
        cut = draw(st.sampled_from([0, count]))
        numbers = tuple(range(first, first + count))
        first += count
        cells.append(
            WantedCell(id=number, shared=numbers[:cut], pinned=numbers[cut:], memory_mb=draw(st.integers(1, 8)) * 2)
        )
    return Wanted(
        cells=tuple(cells),
        page=draw(st.sampled_from(["", "2048"])),
        threads=draw(st.sampled_from(["", "prefer", "isolate", "require"])),
        emulator=draw(st.booleans()),
    )


@settings(max_examples=300, deadline=None)
@given(cells=hosts(), wishes=st.lists(guests(), max_size=8))
def test_nothing_of_a_host_is_given_away_twice(cells: list[Cell], wishes: list[Wanted]) -> None:
    fits: list[ServerFit] = []
    by_id = {cell.id: cell for cell in cells}
    for number, wanted in enumerate(wishes):
        found = numa.fit(cells, occupancy_of(fits), wanted)
        if isinstance(found, str):
            continue
        assert len({fit.host_cell for fit in found}) == len(wanted.cells), "each guest cell has a host cell of its own"
        for fit, one in zip(found, wanted.cells, strict=True):
            assert set(fit.pins.values()) <= set(fit.taken) <= set(by_id[fit.host_cell].pinned)
            assert sorted(map(int, fit.pins)) == sorted(one.pinned)
            assert len(set(fit.pins.values())) == len(one.pinned)
            if wanted.threads == "isolate":
                cores = [core for core in numa.cores_of(by_id[fit.host_cell]) if set(core) & set(fit.pins.values())]
                assert all(
                    len(set(core) & set(fit.pins.values())) == 1 and set(core) <= set(fit.taken) for core in cores
                )
        fits.append(ServerFit(server_id=str(number), host="one", cells=found))
    taken = [cpu for fit in fits for one in fit.cells for cpu in one.taken]
    assert len(taken) == len(set(taken))
    used = occupancy_of(fits)
    for cell in cells:
        assert used.shared.get(cell.id, 0) <= len(cell.cpus)
        assert used.pages.get((cell.id, 2048), 0) <= cell.pages[0].total
        plain = sum(one.memory_mb for fit in fits for one in fit.cells if one.host_cell == cell.id and not one.page_kb)
        assert plain <= cell.memory_mb


DEVICES = [
    Device(address="a", vendor_id="1", product_id="1", cell=0),
    Device(address="b", vendor_id="1", product_id="1", cell=1),
    Device(address="pf", vendor_id="1", product_id="2", kind="type-PF"),
    Device(address="vf1", vendor_id="1", product_id="2", kind="type-VF", parent="pf", physical_network="one"),
    Device(address="vf2", vendor_id="1", product_id="2", kind="type-VF", parent="pf", physical_network="one"),
]


def asked(product: str, count: int = 1, kind: str = "", policy: str = "legacy") -> Asked:
    return Asked(count=count, kinds=(Alias(name="x", product_id=product, device_type=kind),), policy=policy)


@pytest.mark.parametrize(
    ("wishes", "taken", "cells", "expected"),
    [
        ([asked("1")], [], None, ["a"]),
        ([asked("1")], [], {1}, ["b"]),
        ([asked("1", 2)], [], None, ["a", "b"]),
        ([asked("1", 2)], [], {1}, "wants 2 of x near its CPUs, has 0 of 2 free"),
        ([asked("1", 2, policy="preferred")], [], {1}, ["b", "a"]),
        ([asked("2", kind="type-VF")], [], {0}, ["vf1"]),
        ([asked("2", kind="type-VF", policy="required")], [], {0}, "wants 1 of x near its CPUs, has 0 of 2 free"),
        ([asked("2", kind="type-PF")], ["vf1"], None, "wants 1 of x, has 0 of 1 free"),
        ([asked("2", kind="type-VF")], ["pf"], None, "wants 1 of x, has 0 of 2 free"),
        ([pci.port_device("one"), pci.port_device("one")], [], None, ["vf1", "vf2"]),
        ([pci.port_device("two")], [], None, "wants 1 of a device on two, has 0 of 0 free"),
    ],
)
def test_devices_are_given_to_whom_they_suit(
    wishes: list[Asked], taken: list[str], cells: set[int] | None, expected: object
) -> None:
    found = pci.assign(DEVICES, frozenset(taken), wishes, cells=cells)
    assert (found if isinstance(found, str) else [device.address for device in found]) == expected


@pytest.mark.parametrize(
    ("specs", "image", "expected"),
    [
        ({}, {}, None),
        ({"hw:numa_nodes": "2"}, {}, [((0, 1), (), 512), ((2, 3), (), 512)]),
        ({"hw:cpu_policy": "dedicated"}, {}, [((), (0, 1, 2, 3), 1024)]),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0-1"}, {}, [((0, 1), (2, 3), 1024)]),
        ({"hw:mem_page_size": "2MB"}, {}, [((0, 1, 2, 3), (), 1024)]),
        ({}, {"hw_numa_nodes": "1"}, [((0, 1, 2, 3), (), 1024)]),
        (
            {
                "hw:numa_nodes": "2", "hw:numa_cpus.0": "0", "hw:numa_cpus.1": "1-3", "hw:numa_mem.0": "24",
                "hw:numa_mem.1": "1000",
            },
            {},
            [((0,), (), 24), ((1, 2, 3), (), 1000)],
        ),
        ({"resources:PCPU": "4"}, {}, [((), (0, 1, 2, 3), 1024)]),
    ],
)  # fmt: skip
def test_what_flavor_and_image_ask_for(specs: dict[str, str], image: dict[str, str], expected: object) -> None:
    wanted = wanted_topology(4, 1024, specs, image)
    assert (None if wanted is None else [(c.shared, c.pinned, c.memory_mb) for c in wanted.cells]) == expected


@pytest.mark.parametrize(
    ("specs", "image", "why"),
    [
        ({"hw:numa_nodes": "3"}, {}, "cannot be evenly distributed"),
        ({"hw:numa_nodes": "0"}, {}, "must be a number greater than 0"),
        ({"hw:numa_nodes": "1"}, {"hw_numa_nodes": "1"}, "hw_numa_nodes' is not permitted"),
        ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-3"}, {}, "must be provided for all"),
        ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-2", "hw:numa_mem.0": "1024"}, {}, "is not assigned to any node"),
        ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-4", "hw:numa_mem.0": "1024"}, {}, "is larger than max 3"),
        ({"hw:numa_nodes": "1", "hw:numa_cpus.0": "0-3", "hw:numa_mem.0": "1"}, {}, "1 MB of memory assigned"),
        ({"hw:cpu_policy": "odd"}, {}, "CPU policy requested from 'flavor extra specs' is invalid"),
        ({"hw:cpu_policy": "shared"}, {"hw_cpu_policy": "dedicated"}, "hw_cpu_policy' is not permitted"),
        ({"hw:cpu_thread_policy": "require"}, {}, "Cannot set cpu thread pinning policy"),
        ({"hw:emulator_threads_policy": "isolate"}, {}, "requires a dedicated CPU policy"),
        ({"hw:cpu_policy": "mixed"}, {}, "Dedicated CPU set can be specified"),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-3"}, {}, "at least 1 pinned vCPU"),
        ({"hw:cpu_dedicated_mask": "0"}, {}, "without the 'mixed' policy"),
        ({}, {"hw_mem_page_size": "large"}, "forbidden against '<empty>'"),
        ({"hw:mem_page_size": "2048"}, {"hw_mem_page_size": "large"}, "forbidden against '2048'"),
        ({"hw:mem_page_size": "huge"}, {}, "Invalid memory page size 'huge'"),
        ({"resources:PCPU": "3"}, {}, "There is a mismatch"),
        ({"resources:PCPU": "4", "hw:cpu_policy": "dedicated"}, {}, "use one or the other"),
    ],
)
def test_conflicts_are_told_in_novas_words(specs: dict[str, str], image: dict[str, str], why: str) -> None:
    with pytest.raises((Invalid, Forbidden), match=why):
        wanted_topology(4, 1024, specs, image)


def test_numbers_of_cpus() -> None:
    assert cpu_numbers("0-4,^2, 8") == {0, 1, 3, 4, 8}
    for bad in ("", "a", "3-1", "1--2"):
        with pytest.raises(Invalid):
            cpu_numbers(bad)
