"""What the settings make of this computer: the part of each host."""

import os

import pytest

from minicloud.base.errors import Invalid
from minicloud.drivers.hypervisor.qemu.hostcells import Part
from minicloud.products import parts_of


@pytest.fixture(autouse=True)
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def test_nothing_is_kept_unless_asked() -> None:
    assert parts_of("", 2) == [Part(hosts=2), Part(hosts=2)]


def test_kept_processors_are_divided_and_nobody_else_has_them() -> None:
    shared = frozenset([0, 1, 4])
    assert parts_of("2-7,^4", 2) == [
        Part(shared=shared, pinned=frozenset([2, 5, 7]), hosts=2),
        Part(shared=shared, pinned=frozenset([3, 6]), hosts=2),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2-x", "cpu_dedicated_set: Invalid inclusion expression '2-x'"),
        ("6-9", r"does not have: \[8, 9\]; it has \[0, 1, 2, 3, 4, 5, 6, 7\]"),
    ],
)
def test_what_is_not_there_cannot_be_kept(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        parts_of(text, 1)
