"""Runs gophercloud's acceptance tests, from Debian's package of its sources, against a cloud with what they ask for."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from minicloud.settings import cache_folder
from tests.conformance.ledger import Outcome
from tests.conformance.subjects import PASSWORD, Subject, a_subject
from tests.conformance.suites import Suite

GOPATH = Path("/usr/share/gocode")
ACCEPTANCE = GOPATH / "src/github.com/gophercloud/gophercloud/acceptance/openstack"
DEBIAN = "golang-go golang-github-gophercloud-gophercloud-dev"
OUTCOMES: dict[str, Outcome] = {"pass": "passed", "fail": "failed", "skip": "skipped"}
UNSEEN = {"TestServersActionReboot", "TestServersActionRebuild"}
"""They wait five minutes each to see a status that a simulated server has for some milliseconds; run only when asked for."""
FLAVORS = (("m1.acctest", 512, 5), ("m1.resize", 512, 6))
"""Name, MiB of memory and GiB of disk of the two flavors that gophercloud's own jobs make."""


def run(suite: Suite, folder: Path, *, tests: str | None) -> dict[str, Outcome]:
    """The outcome of each test, by name; what each said stands in ``go.log``.

    Raises:
        RuntimeError: when Debian's packages are missing, or when no test was run.
    """
    if not ACCEPTANCE.is_dir() or shutil.which("go") is None:
        raise RuntimeError(f"the suite is in Debian's packages: apt install {DEBIAN}")
    log = folder / "go.log"
    with a_subject(folder, **suite.settings) as subject:
        _older_catalog(subject)
        packages = [f"./{package}" for package in _packages(suite.tests.split())]
        words = ["go", "test", "-vet=off", "-tags=acceptance"]
        told = {**_environment(), **_choices(subject)}
        if tests is None:
            named = subprocess.run(
                [*words, "-list=.", *packages], cwd=ACCEPTANCE, env=told, stdout=subprocess.PIPE, check=True
            )
            names = {name for name in named.stdout.decode().split() if name.startswith("Test")} - UNSEEN
            tests = f"^({'|'.join(sorted(names))})$"
        with log.open("w") as out:
            run = [*words, "-json", "-p=1", "-timeout=20m", f"-run={tests}", *packages]
            subprocess.run(run, cwd=ACCEPTANCE, env=told, stdout=out, stderr=out, check=False)
    found: dict[str, Outcome] = {}
    for line in log.read_text().splitlines():
        event = msgspec.json.decode(line) if line.startswith("{") else {}
        if event.get("Test") and event["Action"] in OUTCOMES:
            package = event["Package"].partition("acceptance/openstack")[2].strip("/")
            found[f"{package or 'openstack'}.{event['Test']}"] = OUTCOMES[event["Action"]]
    if not found:
        raise RuntimeError(f"no test was run:\n{log.read_text()[-2000:]}")
    return found


def _packages(wanted: list[str]) -> list[str]:
    """The folders with tests under those that are wanted, without those of services that this cloud does not have."""
    absent = ("lbaas", "fwaas", "vpnaas", "noauth", "blockstorage/v1")
    found = {str(one.parent.relative_to(ACCEPTANCE)) for top in wanted for one in (ACCEPTANCE / top).rglob("*_test.go")}
    return [".", *sorted(one for one in found if not any(name in one for name in absent))]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    cache = cache_folder() / "conformance" / "go"
    return {**kept, "GOPATH": str(GOPATH), "GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(cache)}


def _choices(subject: Subject) -> dict[str, str]:
    """What the tests want to be told: who they are, and which image, flavors and networks they may use."""
    networks = {one["name"]: one for one in subject.list("network", "/v2.0/networks", "networks")}
    flavors = [_flavor(subject, *one) for one in FLAVORS]
    return {
        "OS_AUTH_URL": f"{subject.url}/identity/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "admin",
        "OS_TENANT_NAME": "admin",
        "OS_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": "RegionOne",
        "OS_IDENTITY_API_VERSION": "3",
        # Tests that are known to gophercloud not to hold on a current release pass themselves over.
        "OS_BRANCH": "master",
        "OS_IMAGE_ID": subject.list("image", "/v2/images", "images")[0]["id"],
        "OS_FLAVOR_ID": flavors[0],
        "OS_FLAVOR_ID_RESIZE": flavors[1],
        "OS_NETWORK_NAME": "private",
        "OS_NETWORK_ID": networks["private"]["id"],
        "OS_SUBNET_ID": networks["private"]["subnets"][0],
        "OS_POOL_NAME": "public",
        "OS_EXTGW_ID": networks["public"]["id"],
        "OS_PORTFORWARDING_ENVIRONMENT": "1",
        "OS_DNS_ENVIRONMENT": "1",
        "OS_LIVE_MIGRATE": "1",
    }


def _flavor(subject: Subject, name: str, memory_mb: int, disk_gb: int) -> str:
    body = {"name": name, "ram": memory_mb, "disk": disk_gb, "vcpus": 1, "OS-FLV-EXT-DATA:ephemeral": 10}
    made: str = (
        subject.http.post("/compute/v2.1/flavors", json={"flavor": body}).raise_for_status().json()["flavor"]["id"]
    )
    return made


def _older_catalog(subject: Subject) -> None:
    """Name block storage by the type of its version 2, too: half of the tests look for it there, and 3.0 is what 2 was."""
    service: dict[str, Any] = {"type": "volumev2", "name": "cinderv2"}
    made = subject.post("/services", {"service": service})["service"]["id"]
    url = f"{subject.url}/volume/v3/%(project_id)s"
    subject.post(
        "/endpoints", {"endpoint": {"service_id": made, "interface": "public", "url": url, "region": "RegionOne"}}
    )
