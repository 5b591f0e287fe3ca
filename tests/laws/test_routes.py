"""Every route with its rule stands in a golden list: who may do what changes only where somebody sees it."""

import difflib
from pathlib import Path

from minicloud.operations.parts import golden_routes

GOLDEN = Path(__file__).parents[1] / "golden" / "routes.txt"


def test_every_route_stands_in_the_golden_list_with_its_rule() -> None:
    told = GOLDEN.read_text().splitlines()
    found = golden_routes().splitlines()
    changes = [
        line
        for line in difflib.unified_diff(told, found, lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    assert not changes, "routes or rules changed; if that is meant, run `make docs`:\n" + "\n".join(changes)
