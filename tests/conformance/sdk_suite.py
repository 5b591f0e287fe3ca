"""Runs the functional tests of openstacksdk and of the clients against a cloud, with the clouds.yaml that they expect."""

from pathlib import Path
from typing import Any

import yaml

from tests.conformance import inside_suite
from tests.conformance.ledger import Outcome
from tests.conformance.subjects import PASSWORD, Subject, a_subject
from tests.conformance.suites import Suite
from tests.conformance.venvs import environment
from tests.support.images import a_qcow2

IMAGE = "cirros-0.6.3-x86_64-disk"
"""The tests look for an image of this family."""


def run(suite: Suite, folder: Path, *, tests: str | None) -> dict[str, Outcome]:
    """The outcome of each test, by name. Raises RuntimeError when they could not be run."""
    programs = environment(suite.runner)
    with a_subject(folder, **suite.settings) as subject:
        clouds = folder / "clouds.yaml"
        clouds.write_text(yaml.safe_dump({"clouds": _clouds(subject)}))
        _image(subject)
        _flavors(subject)
        # What the tests of images upload is a file that lies beside them in their repository.
        (folder / "CONTRIBUTING.rst").write_text("Contributing\n============\n" * 40)
        (folder / "functional_creds.conf").write_text(_credentials(subject))
        settings = {
            "OS_CLIENT_CONFIG_FILE": str(clouds),
            **{f"OS_{name}CLIENT_EXEC_DIR": str(programs) for name in ("CINDER", "GLANCE", "NOVA")},
            "TOX_ENV_DIR": str(programs.parent),
            "OS_NOVACLIENT_NETWORK": "private",
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_TEST_TIMEOUT": "600",
            "OPENSTACKSDK_FUNC_TEST_TIMEOUT": "60",
            "OPENSTACKSDK_EXAMPLE_CONFIG_KEY": "functional",
        }
        words = [tests or "", *suite.tests.split()]
        return inside_suite.run(programs, "outcomes.py", words, folder / "sdk.log", settings)


NOT_DEVSTACKS = ("m1.nano",)
"""A flavor smaller than any that the tests count on."""


def _flavors(subject: Subject) -> None:
    """The flavors are those of a devstack."""
    for flavor in subject.list("compute", "/v2.1/flavors", "flavors"):
        if flavor["name"] in NOT_DEVSTACKS:
            subject.http.delete(f"/compute/v2.1/flavors/{flavor['id']}").raise_for_status()


def _clouds(subject: Subject) -> dict[str, Any]:
    """The four clouds of a devstack; their users and projects are made where they are missing."""
    roles = {role["name"]: role["id"] for role in subject.list("identity", "/v3/roles", "roles")}
    for name in ("demo", "alt_demo"):
        project = _ensure(subject, "project", {"name": name})
        user = _ensure(subject, "user", {"name": name, "password": PASSWORD})
        path = f"/identity/v3/projects/{project['id']}/users/{user['id']}/roles/{roles['member']}"
        subject.http.put(path).raise_for_status()
    return {
        "devstack": _cloud(subject, "demo", project_name="demo", project_domain_id="default"),
        "devstack-alt": _cloud(subject, "alt_demo", project_name="alt_demo", project_domain_id="default"),
        "devstack-admin": _cloud(subject, "admin", project_name="admin", project_domain_id="default"),
        "devstack-system-admin": _cloud(subject, "admin", system_scope="all"),
    }


def _credentials(subject: Subject) -> str:
    """What cinderclient's tests read instead."""
    admin = f"[admin]\nuser=admin\npass={PASSWORD}\ntenant=admin\n"
    return f"{admin}[auth]\nuri={subject.url}/identity/v3\n"


def _cloud(subject: Subject, user: str, **scope: str) -> dict[str, Any]:
    auth = {
        "auth_url": f"{subject.url}/identity/v3",
        "username": user,
        "password": PASSWORD,
        "user_domain_id": "default",
        **scope,
    }
    return {"auth": auth, "region_name": "RegionOne", "identity_api_version": "3", "volume_api_version": "3"}


def _ensure(subject: Subject, kind: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """The user or project of this name; one that is there gets what is wanted."""
    found = subject.list("identity", f"/v3/{kind}s", f"{kind}s", name=wanted["name"])
    if not found:
        made: dict[str, Any] = subject.post(f"/{kind}s", {kind: wanted})[kind]
        return made
    subject.http.patch(f"/identity/v3/{kind}s/{found[0]['id']}", json={kind: wanted}).raise_for_status()
    return found[0]


def _image(subject: Subject) -> None:
    """An image that the tests take for theirs; its bytes do not matter to simulated hosts."""
    base = subject.endpoint("image")
    if base is None:
        return
    wanted = {"name": IMAGE, "disk_format": "qcow2", "container_format": "bare", "visibility": "public"}
    made = subject.http.post(f"{base}/v2/images", json=wanted).raise_for_status().json()
    path = f"{base}/v2/images/{made['id']}/file"
    headers = {"Content-Type": "application/octet-stream"}
    subject.http.put(path, content=a_qcow2(), headers=headers).raise_for_status()
