"""Runs placement's own stories against placement alone, on a port of this machine."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.conformance.ledger import Outcome
from tests.conformance.suites import Suite
from tests.conformance.venvs import environment

PATIENCE_S = 30.0
STORIES = Path(__file__).parent / "placement_stories.py"
ROOT = Path(__file__).parents[2]
OUTCOMES: dict[str, Outcome] = {"passed": "passed", "failed": "failed", "skipped": "skipped"}


def run(suite: Suite, folder: Path, *, tests: str | None) -> dict[str, Outcome]:
    """The outcome of each test, by name. Raises RuntimeError when the stories could not be run."""
    programs = environment(suite.runner)
    found: dict[str, Outcome] = {}
    for mode in ("core", "rbac"):
        port = _free_port()
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.conformance.placement_server", str(port), mode], cwd=ROOT
        )
        try:
            _wait(port)
            told = subprocess.run(
                [str(programs / "python"), str(STORIES), str(port), mode, tests or ""],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            server.terminate()
            server.wait()
        if told.returncode:
            raise RuntimeError(f"the stories could not be run:\n{told.stderr[-2000:]}")
        for line in told.stdout.splitlines():
            outcome, space, test = line.partition(" ")
            if space and outcome in OUTCOMES:
                found[test] = OUTCOMES[outcome]
    return found


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _wait(port: int) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("placement did not start")
