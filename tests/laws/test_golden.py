"""Golden lists: who may do what, by which rule, and of which steps a saga is made changes only where somebody sees it."""

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

from minicloud.operations.parts import golden_policies, golden_routes, golden_sagas

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    ("name", "made"), [("routes", golden_routes), ("policies", golden_policies), ("sagas", golden_sagas)]
)
def test_what_there_is_stands_in_the_golden_list(name: str, made: Callable[[], str]) -> None:
    told = (GOLDEN / f"{name}.txt").read_text().splitlines()
    changes = [
        line
        for line in difflib.unified_diff(told, made().splitlines(), lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    assert not changes, f"{name} changed; if that is meant, run `make docs`:\n" + "\n".join(changes)
