"""Suites for placement alone, on a port of this machine: its own stories through gabbi, and the tests of osc-placement."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance import inside_suite
from tests.conformance.ledger import Outcome
from tests.conformance.suites import Suite
from tests.conformance.venvs import environment

PATIENCE_S = 30.0
ROOT = Path(__file__).parents[2]
STORIES = {
    "gabbi": ("placement_stories.py", ("core", "rbac")),
    "osc-placement": ("osc_placement_stories.py", ("core",)),
}
"""For each runner the script inside its environment, and the ways in which the server is run for it, one after the other."""


def run(suite: Suite, folder: Path, *, tests: str | None) -> dict[str, Outcome]:
    """The outcome of each test, by name. Raises RuntimeError when the stories could not be run."""
    programs = environment(suite.runner)
    script, modes = STORIES[suite.runner]
    found: dict[str, Outcome] = {}
    for mode in modes:
        with _server(mode) as port:
            words = [str(port), *([mode] if len(modes) > 1 else []), tests or ""]
            found |= inside_suite.run(programs, script, words, folder / f"{mode}.log")
    return found


@contextmanager
def _server(mode: str) -> Iterator[int]:
    """Placement alone for as long as the context is open; its port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "tests.conformance.placement_server", str(port), mode], cwd=ROOT)
    try:
        _wait(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def _wait(port: int) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("placement did not start")
