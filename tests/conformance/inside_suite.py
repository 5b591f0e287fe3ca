"""Runs a script of ``inside`` with the programs of a suite's own environment, and reads what came of each test."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.conformance.ledger import Outcome

INSIDE = Path(__file__).parent / "inside"
OUTCOMES: dict[str, Outcome] = {"passed": "passed", "failed": "failed", "skipped": "skipped"}


def run(
    programs: Path, script: str, words: list[str], log: Path, settings: Mapping[str, str] | None = None
) -> dict[str, Outcome]:
    """The outcome of each test, by name; why tests failed stands in the log.

    Raises:
        RuntimeError: when the script itself failed.
    """
    with log.open("w") as out:
        told = subprocess.run(
            [str(programs / "python"), str(INSIDE / script), *words],
            cwd=log.parent,
            env={**os.environ, **(settings or {}), "PATH": f"{programs}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
            check=False,
        )
    if told.returncode:
        raise RuntimeError(f"the tests could not be run:\n{log.read_text()[-2000:]}")
    found: dict[str, Outcome] = {}
    for line in told.stdout.splitlines():
        outcome, space, test = line.partition(" ")
        if space and outcome in OUTCOMES:
            found[test] = OUTCOMES[outcome]
    return found
