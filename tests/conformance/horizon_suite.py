"""Runs Horizon over a cloud that has one of everything: every page that links lead to, what its scripts ask, and forms sent in."""

import contextlib
import os
import re
import socket
import subprocess
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.conformance.dashboard_visitor import Visitor, complaints, links
from tests.conformance.furnished import furnish
from tests.conformance.inside_suite import INSIDE
from tests.conformance.ledger import Outcome
from tests.conformance.subjects import PASSWORD, Subject, a_subject
from tests.conformance.suites import Suite
from tests.conformance.venvs import environment

DASHBOARDS = ("/project/", "/admin/", "/identity/", "/settings/")
OF_A_KIND = 2
"""How many pages whose addresses differ in ids alone are looked at."""
PATIENCE_S = 60.0
SCRIPTS = """
cinder/volumes/ cinder/volumetypes/ cinder/volumesnapshots/ cinder/extensions/ cinder/qosspecs/ cinder/tenantabsolutelimits/
cinder/services/ cinder/quota-sets/defaults/ cinder/availzones/ settings/ timezones/ glance/version/ glance/images/
glance/metadefs/resourcetypes/ keystone/version/ keystone/users/ keystone/roles/
keystone/default_domain/ keystone/domains/ keystone/projects/ keystone/svc-catalog/ keystone/user-session/ keystone/services/
keystone/groups/ network/securitygroups/ network/floatingips/ network/floatingippools/ neutron/networks/ neutron/trunks/
neutron/agents/ neutron/extensions/ neutron/qos_policies/ nova/keypairs/ nova/services/
nova/availzones/ nova/limits/ nova/servers/ nova/servergroups/ nova/flavors/ nova/quota-sets/defaults/
nova/quota-sets/editable/
"""
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


def run(suite: Suite, folder: Path, *, tests: str | None) -> dict[str, Outcome]:
    """The outcome of each page, of each thing that scripts ask, of each form; why one failed stands in ``why.txt``."""
    programs = environment(suite.runner)
    why: list[str] = []
    with a_subject(folder, **suite.settings) as subject:
        furnish(subject)
        with _dashboard(programs, folder, subject) as url:
            visitor = Visitor(url, "admin", PASSWORD)
            found = _pages(visitor, why) | _scripts(visitor, why) | _forms(visitor, subject, why)
    (folder / "why.txt").write_text("".join(f"{line}\n" for line in why))
    return {name: outcome for name, outcome in found.items() if re.search(tests or "", name)}


@contextlib.contextmanager
def _dashboard(programs: Path, folder: Path, subject: Subject) -> Iterator[str]:
    """Horizon on a free port for as long as the context is open; its address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    sessions = folder / "sessions"
    sessions.mkdir(exist_ok=True)
    settings = {
        "PYTHONPATH": str(INSIDE),
        "DJANGO_SETTINGS_MODULE": "dashboard_settings",
        "MINICLOUD_IDENTITY": f"{subject.url}/identity/v3",
        "MINICLOUD_SESSIONS": str(sessions),
    }
    with (folder / "dashboard.log").open("w") as log:
        words = [str(programs / "python"), "-m", "django", "runserver", "--noreload", "--insecure", f"127.0.0.1:{port}"]
        server = subprocess.Popen(words, cwd=folder, env={**os.environ, **settings}, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up and server.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/auth/login/", timeout=PATIENCE_S)
                break
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait()


def _pages(visitor: Visitor, why: list[str]) -> dict[str, Outcome]:
    """Every page that links lead to from the dashboards."""
    found: dict[str, Outcome] = {}
    kinds: Counter[str] = Counter()
    seen: set[str] = set()
    waiting = deque(DASHBOARDS)
    while waiting:
        path = waiting.popleft()
        kind = _ID.sub("{id}", path.partition("?")[0])
        if path in seen or kinds[kind] >= OF_A_KIND:
            continue
        seen.add(path)
        kinds[kind] += 1
        page = visitor.http.get(path)
        if not _fine(f"GET {path}", page, why) or found.get(f"GET {kind}") == "failed":
            found[f"GET {kind}"] = "failed"
        else:
            found[f"GET {kind}"] = "passed"
        waiting.extend(links(page.text))
    return found


def _scripts(visitor: Visitor, why: list[str]) -> dict[str, Outcome]:
    """What the dashboard's scripts ask it to list."""
    return {
        f"api {path}": "passed" if _fine(f"api {path}", visitor.ask("GET", path), why) else "failed"
        for path in SCRIPTS.split()
    }


def _forms(visitor: Visitor, subject: Subject, why: list[str]) -> dict[str, Outcome]:
    """Forms and buttons that change something, one after the other."""
    image = subject.list("image", "/v2/images", "images")[0]["id"]
    network = next(
        one["id"] for one in subject.list("network", "/v2.0/networks", "networks") if one["name"] == "private"
    )
    public = next(one["id"] for one in subject.list("network", "/v2.0/networks", "networks") if one["name"] == "public")
    flavor = subject.list("compute", "/v2.1/flavors", "flavors")[0]["id"]
    launch: dict[str, Any] = {
        "availability_zone": "nova",
        "name": "launched",
        "source_id": image,
        "flavor_id": flavor,
        "key_name": None,
        "user_data": "",
        "security_groups": ["default"],
        "nics": [{"net-id": network, "v4-fixed-ip": ""}],
        "instance_count": 1,
        "config_drive": False,
        "meta": {},
    }

    flavor_fields = {"name": "made", "ram": 64, "vcpus": 1, "disk": 1, "id": "made", "swap": 0}
    flavor_fields |= {"OS-FLV-EXT-DATA:ephemeral": 0, "os-flavor-access:is_public": True, "rxtx_factor": 1}

    def server_id() -> str:
        return str(
            next(s["id"] for s in subject.list("compute", "/v2.1/servers", "servers") if s["name"] == "launched")
        )

    def volume_id(name: str) -> str:
        return str(next(v["id"] for v in subject.list("volumev3", "/volumes", "volumes") if v["name"] == name))

    steps: dict[str, Callable[[], httpx.Response]] = {
        "launch an instance": lambda: visitor.ask("POST", "nova/servers/", launch),
        "pause it": lambda: visitor.act("/project/instances/", f"instances__pause__{_ready(subject, server_id())}"),
        "resume it": lambda: visitor.act("/project/instances/", f"instances__pause__{_ready(subject, server_id())}"),
        "reboot it": lambda: visitor.act(
            "/project/instances/", f"instances__soft_reboot__{_ready(subject, server_id())}"
        ),
        "shut it off": lambda: visitor.act("/project/instances/", f"instances__stop__{_ready(subject, server_id())}"),
        "start it": lambda: visitor.act("/project/instances/", f"instances__start__{_ready(subject, server_id())}"),
        "see its log": lambda: visitor.http.get(f"/project/instances/{server_id()}/console"),
        "rename it": lambda: visitor.fill(
            f"/project/instances/{server_id()}/update?step=instance_info", name="launched"
        ),
        "make a snapshot of it": lambda: visitor.fill(f"/project/images/{server_id()}/create/", name="frozen"),
        "make a volume": lambda: visitor.fill("/project/volumes/create/", name="made", size="1"),
        "grow the volume": lambda: visitor.fill(f"/project/volumes/{volume_id('made')}/extend/", new_size="2"),
        "freeze the volume": lambda: visitor.fill(
            f"/project/volumes/{volume_id('made')}/create_snapshot/", name="frozen"
        ),
        "make a key": lambda: visitor.ask("POST", "nova/keypairs/", {"name": "made", "key_type": "ssh"}),
        "make a security group": lambda: visitor.fill("/project/security_groups/create/", name="made"),
        "allocate a floating address": lambda: visitor.fill("/project/floating_ips/allocate/", pool=public),
        "make a network": lambda: visitor.fill(
            "/project/networks/create", net_name="made", with_subnet="on", subnet_name="made", cidr="10.66.0.0/24"
        ),
        "make a router": lambda: visitor.fill("/project/routers/create/", name="made", external_network=public),
        "make a server group": lambda: visitor.ask(
            "POST", "nova/servergroups/", {"name": "made", "policies": ["affinity"]}
        ),
        "make a flavor": lambda: visitor.ask("POST", "nova/flavors/", flavor_fields),
        "make a project": lambda: visitor.ask("POST", "keystone/projects/", {"name": "made", "domain_id": "default"}),
        "make a user": lambda: visitor.ask(
            "POST", "keystone/users/", {"name": "made", "password": "secret", "domain_id": "default", "enabled": True}
        ),
        "delete the instance": lambda: visitor.act(
            "/project/instances/", f"instances__delete__{_ready(subject, server_id())}"
        ),
    }
    found: dict[str, Outcome] = {}
    for name, step in steps.items():
        try:
            found[f"form {name}"] = "passed" if _fine(f"form {name}", step(), why) else "failed"
        except (StopIteration, RuntimeError) as error:
            why.append(f"form {name}: {error!r}")
            found[f"form {name}"] = "failed"
    for kind, path, names, wanted in (
        ("volumev3", "/volumes", "volumes", "made"),
        ("network", "/v2.0/networks", "networks", "made"),
        ("network", "/v2.0/routers", "routers", "made"),
        ("network", "/v2.0/security-groups", "security_groups", "made"),
        ("image", "/v2/images", "images", "frozen"),
        ("compute", "/v2.1/flavors", "flavors", "made"),
    ):
        there = any(one["name"] == wanted for one in subject.list(kind, path, names))
        found[f"there is one of {names} then"] = "passed" if there else "failed"
    return found


def _ready(subject: Subject, server_id: str) -> str:
    """The server's id, once nothing is done to it."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        server = subject.http.get(f"/compute/v2.1/servers/{server_id}").raise_for_status().json()["server"]
        if server["OS-EXT-STS:task_state"] is None:
            return server_id
        time.sleep(0.2)
    raise RuntimeError("something is still being done to the server")


def _fine(name: str, answer: httpx.Response, why: list[str]) -> bool:
    """Whether an answer is one and complains of nothing."""
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    heard = complaints(answer.text) if is_page else []
    refused = (
        'class="has-error' in answer.text or 'has-error"' in answer.text
        if is_page and name.startswith("form")
        else False
    )
    if answer.is_success and not heard and not refused:
        return True
    why.append(f"{name}: {answer.status_code} {heard or answer.text[:300]!r}")
    return False
