"""Runs playbooks over Ansible's collection openstack.cloud: what is wished for twice, actions, and its removal twice.

Each task is a test of its own: ``present NAME`` and ``absent NAME`` do it, ``again`` wants the same again and must change nothing.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.conformance.ledger import Outcome
from tests.conformance.subjects import PASSWORD, Subject, a_subject
from tests.conformance.suites import Suite
from tests.conformance.venvs import environment
from tests.support.images import a_qcow2

PLAYBOOKS = Path(__file__).parent / "playbooks"
RUNS = (
    ("present", "present.yaml", False),
    ("present again", "present.yaml", True),
    ("actions", "actions.yaml", False),
    ("absent", "absent.yaml", False),
    ("absent again", "absent.yaml", True),
)
"""What a run is called, its playbook, and whether it is one that may change nothing."""

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHjWMOrIkOaBbzWMcyzLPjTvcNHLFwYpXmjvzaIVh4Rf nobody"


def run(suite: Suite, folder: Path, *, tests: str | None) -> dict[str, Outcome]:
    """The outcome of each task; what each said stands in a file for each run. Raises RuntimeError when Ansible could not run.

    It is all or nothing: what the tasks do builds on what those before them made.
    """
    programs = environment(suite.runner)
    found: dict[str, Outcome] = {}
    with a_subject(folder, **suite.settings) as subject:
        disk = folder / "disk.qcow2"
        disk.write_bytes(a_qcow2())
        (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"minicloud": _cloud(subject)}}))
        host = subject.list("compute", "/os-hypervisors", "hypervisors")[0]["hypervisor_hostname"]
        told = {"disk": str(disk), "public_key": KEY, "host": host}
        for name, playbook, again in RUNS:
            document = _play(programs, folder, playbook, {**told, "again": again})
            (folder / f"{name.replace(' ', '-')}.json").write_bytes(msgspec.json.encode(document))
            found |= {f"{name}: {task}": outcome for task, outcome in _outcomes(document, again).items()}
    return {name: outcome for name, outcome in found.items() if re.search(tests or "", name)}


def _play(programs: Path, folder: Path, playbook: str, told: dict[str, Any]) -> Any:
    """What the playbook's run says of itself."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    more = msgspec.json.encode({**told, "ansible_python_interpreter": str(programs / "python")}).decode()
    made = subprocess.run(
        [str(programs / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(PLAYBOOKS / playbook), "-e", more],
        cwd=folder,
        env={
            **kept,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "OS_CLOUD": "minicloud",
            "OS_CLIENT_CONFIG_FILE": str(folder / "clouds.yaml"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    start = made.stdout.find("{")
    if start < 0:
        raise RuntimeError(f"Ansible said nothing:\n{made.stdout[-1000:]}{made.stderr[-2000:]}")
    return msgspec.json.decode(made.stdout[start:])


def _outcomes(document: Any, again: bool) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for task in document["plays"][0]["tasks"]:
        result = task["hosts"]["localhost"]
        if result.get("skipped"):
            continue  # a task that makes no sense a second time
        wrong = result.get("failed") or (again and result.get("changed"))
        found[task["task"]["name"]] = "failed" if wrong else "passed"
    return found


def _cloud(subject: Subject) -> dict[str, Any]:
    auth = {
        "auth_url": f"{subject.url}/identity/v3",
        "username": "admin",
        "password": PASSWORD,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    return {"auth": auth, "region_name": "RegionOne"}
