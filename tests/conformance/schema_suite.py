"""Runs nova's own response schemas against a cloud that has one of everything."""

import json
import subprocess
from pathlib import Path

from tests.conformance.furnished import furnish
from tests.conformance.ledger import Outcome
from tests.conformance.subjects import a_subject
from tests.conformance.suites import Suite
from tests.conformance.venvs import environment

SCRIPT = Path(__file__).parent / "nova_schemas.py"
OUTCOMES: dict[str, Outcome] = {"passed": "passed", "failed": "failed"}


def run(suite: Suite, folder: Path, *, tests: str | None) -> dict[str, Outcome]:
    """The outcome of each test, by name; why one failed stands in ``why.txt``. Raises RuntimeError when nothing was run."""
    programs = environment(suite.runner)
    with a_subject(folder, **suite.settings) as subject:
        told = json.dumps(furnish(subject))
        made = subprocess.run(
            [str(programs / "python"), str(SCRIPT), tests or ""],
            input=told,
            capture_output=True,
            text=True,
            check=False,
        )
    if made.returncode:
        raise RuntimeError(f"the schemas could not be run:\n{made.stderr[-2000:]}")
    lines = made.stdout.splitlines()
    (folder / "why.txt").write_text("".join(f"{line[2:]}\n" for line in lines if line.startswith("# ")))
    return {
        test: OUTCOMES[outcome] for outcome, _, test in (line.partition(" ") for line in lines) if outcome in OUTCOMES
    }
