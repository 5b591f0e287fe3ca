"""Runs Tempest from PyPI against a cloud, and reads what came of each test."""

import csv
import io
import os
import subprocess
from pathlib import Path

from tests.conformance import tempest_conf
from tests.conformance.ledger import Outcome
from tests.conformance.subjects import a_subject
from tests.conformance.suites import Suite
from tests.conformance.venvs import environment
from tests.conformance.web import a_web

OUTCOMES: dict[str, Outcome] = {"success": "passed", "xfail": "passed", "skip": "skipped"}


def run(
    suite: Suite, folder: Path, *, tests: str | None, pre_provisioned: bool, concurrency: int
) -> dict[str, Outcome]:
    """The outcome of each test, by name. Raises RuntimeError when Tempest could not even list its tests."""
    programs = environment(suite.runner)
    with a_subject(folder, **suite.settings) as subject, a_web(folder / "web") as disk_url:
        path = tempest_conf.write(subject, folder, suite.settings, disk_url=disk_url, pre_provisioned=pre_provisioned)
        return _outcomes(_stream(programs, folder, path, tests or suite.tests, concurrency), programs)


def _stream(programs: Path, folder: Path, conf: Path, tests: str, concurrency: int) -> bytes:
    """What stestr says while it runs, in subunit."""
    (packages,) = (programs.parent / "lib").glob("python*/site-packages")
    (folder / ".stestr.conf").write_text(
        f"[DEFAULT]\ntest_path={packages}/tempest/test_discover\ntop_dir={packages}\ngroup_regex=([^\\.]*\\.)*\n"
    )
    settings = {
        **os.environ,
        "TEMPEST_CONFIG_DIR": str(conf.parent),
        "TEMPEST_CONFIG": conf.name,
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    stestr = str(programs / "stestr")
    subprocess.run([stestr, "init"], cwd=folder, env=settings, capture_output=True, check=False)
    made = subprocess.run(
        [stestr, "run", "--subunit", "--concurrency", str(concurrency), tests],
        cwd=folder,
        env=settings,
        capture_output=True,
        check=False,
    )
    (folder / "subunit").write_bytes(made.stdout)
    if not made.stdout:
        raise RuntimeError(f"Tempest said nothing:\n{made.stderr.decode(errors='replace')}")
    return made.stdout


def _outcomes(stream: bytes, programs: Path) -> dict[str, Outcome]:
    table = subprocess.run(
        [str(programs / "subunit2csv"), "--no-passthrough"], input=stream, capture_output=True, check=False
    ).stdout.decode()
    found: dict[str, Outcome] = {}
    for row in csv.DictReader(io.StringIO(table)):
        name = row["test"].split("[")[0]
        outcome = OUTCOMES.get(row["status"], "failed")
        if outcome == "passed" and name.startswith(("setUpClass", "tearDownClass")):
            continue
        found[name] = outcome
    if not found:
        raise RuntimeError(f"Tempest ran no tests:\n{stream.decode(errors='replace')[-2000:]}")
    return found
