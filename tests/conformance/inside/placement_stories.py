"""Runs in the environment of gabbi: placement's own stories, unmodified, out of the wheel, against a server on a port.

Their fixtures write to a database; the few functions that they call for that are HTTP requests here. Prints ``outcome test``
for each test.
"""

import json
import os
import shutil
import sys
import tempfile
import types
import unittest
import urllib.error
import urllib.request
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import outcomes
from gabbi import driver, fixture

PORT = int(sys.argv[1]) if len(sys.argv) > 2 else 0
BASE = f"http://127.0.0.1:{PORT}"
LEFT_OUT = ("-legacy-rbac.yaml", "-policy.yaml")
"""Stories of policies that nobody has by default: each needs a policy file of its own."""


def ask(method: str, path: str, body: Any = None, version: str = "1.39") -> Any:
    """A request of an administrator, which must succeed."""
    headers = {"x-auth-token": "admin:admin", "openstack-api-version": f"placement {version}"}
    headers |= {"content-type": "application/json", "accept": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{BASE}{path}", method=method, data=data, headers=headers)
    with urllib.request.urlopen(request) as answer:
        raw = answer.read()
    return json.loads(raw) if raw else None


class Names:
    """An id for each name, the same one each time."""

    def __getattr__(self, name: str) -> str:
        self.__dict__[name] = str(uuid.uuid4())
        return self.__dict__[name]


class Words:
    """Constants whose value is their name."""

    def __getattr__(self, name: str) -> str:
        return name


class Settings:
    """Settings of the server that fixtures change."""

    def config(self, **values: Any) -> None:
        """Only the sites whose scripts may read have to be told; all else is so from the start."""
        for origin in values.get("allowed_origin", ()):
            urllib.request.urlopen(f"{BASE}/__allow?{origin}").read()


class Provider:
    """A resource provider that was made."""

    def __init__(self, name: str, uuid: str) -> None:
        self.name = name
        self.uuid = uuid

    @property
    def generation(self) -> int:
        """As it is now."""
        return ask("GET", f"/resource_providers/{self.uuid}")["generation"]

    def set_aggregates(self, aggregates: Any) -> None:
        """Replace its aggregates."""
        body = {"aggregates": list(aggregates), "resource_provider_generation": self.generation}
        ask("PUT", f"/resource_providers/{self.uuid}/aggregates", body)


uuids = Names()


def create_provider(context: Any, name: str, *aggregates: str, **more: Any) -> Provider:
    """A provider."""
    made = Provider(name, more.get("uuid") or getattr(uuids, name))
    body = {"name": name, "uuid": made.uuid}
    if more.get("parent"):
        body["parent_provider_uuid"] = more["parent"]
    ask("POST", "/resource_providers", body)
    if aggregates:
        made.set_aggregates(aggregates)
    return made


def add_inventory(provider: Provider, resource_class: str, total: int, **more: Any) -> None:
    """An inventory."""
    if resource_class.startswith("CUSTOM_"):
        ask("PUT", f"/resource_classes/{resource_class}")
    body = {"resource_class": resource_class, "total": total, "max_unit": total, **more}
    ask("POST", f"/resource_providers/{provider.uuid}/inventories", body)


def set_traits(provider: Provider, *traits: str) -> None:
    """A provider's traits."""
    for trait in traits:
        if trait.startswith("CUSTOM_"):
            ask("PUT", f"/traits/{trait}")
    body = {"traits": list(traits), "resource_provider_generation": provider.generation}
    ask("PUT", f"/resource_providers/{provider.uuid}/traits", body)


def ensure_consumer(context: Any, user: Any, project: Any, consumer_id: str | None = None) -> Any:
    """A consumer, which comes into being with its allocation."""
    return types.SimpleNamespace(uuid=consumer_id or str(uuid.uuid4()), user=user, project=project)


def set_allocation(context: Any, provider: Provider, consumer: Any, resources: dict[str, int]) -> None:
    """An allocation."""
    body = {
        "allocations": {provider.uuid: {"resources": resources}},
        "project_id": consumer.project.external_id,
        "user_id": consumer.user.external_id,
    }
    ask("PUT", f"/allocations/{consumer.uuid}", body, version="1.12")


def create_user_and_project(context: Any, prefix: str = "fake") -> tuple[Any, Any]:
    """Names of a user and a project."""
    return tuple(types.SimpleNamespace(external_id=f"{prefix}-{kind}") for kind in ("user", "project"))  # type: ignore[return-value]


class Named:
    """A user, a project or a resource class of a fixture."""

    def __init__(
        self, context: Any = None, external_id: str | None = None, name: str | None = None, **more: Any
    ) -> None:
        self.external_id = external_id
        self.name = name

    def create(self) -> None:
        """Only resource classes have to be made."""
        if self.name:
            ask("PUT", f"/resource_classes/{self.name}")


def fixtures(source: str) -> types.ModuleType:
    """The fixtures of the wheel, with their base class and helpers replaced by those of this file."""
    begins, ends = source.index("class APIFixture"), source.index("class AllocationFixture")
    settings = [line for line in source[begins:ends].splitlines() if "os.environ[" in line]
    base = "\n".join(
        (
            "class APIFixture(fixture.GabbiFixture):",
            "    def start_fixture(self):",
            "        self.context = None",
            "        self.conf_fixture = Settings()",
            "        reset()",
            *settings,
            "    def stop_fixture(self):",
            "        pass",
            "",
        )
    )
    module = types.ModuleType("placement_fixtures")
    helpers = (create_provider, add_inventory, set_traits, ensure_consumer, set_allocation, create_user_and_project)
    module.__dict__.update(
        fixture=fixture,
        os=os,
        uuids=uuids,
        uuidutils=types.SimpleNamespace(generate_uuid=lambda: str(uuid.uuid4())),
        tb=types.SimpleNamespace(**{one.__name__: staticmethod(one).__func__ for one in helpers}),
        orc=Words(),
        ot=Words(),
        Settings=Settings,
        reset=lambda: urllib.request.urlopen(f"{BASE}/__reset").read(),
        **{name: types.SimpleNamespace(**{kind: Named}) for name, kind in _OBJECTS.items()},
    )
    exec(base + source[ends:], module.__dict__)
    for name in ("OpenPolicyFixture", "SecureRBACPolicyFixture", "LegacyRBACPolicyFixture"):
        setattr(module, name, type(name, (module.__dict__["APIFixture"],), {}))
    return module


_OBJECTS = {"user_obj": "User", "project_obj": "Project", "rc_obj": "ResourceClass"}


def main(mode: str, pattern: str) -> None:
    """Run the stories of a mode (``core`` or ``rbac``) whose names have the pattern in them."""
    spec = find_spec("placement")
    assert spec is not None
    assert spec.submodule_search_locations
    functional = Path(spec.submodule_search_locations[0]) / "tests" / "functional"
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted((functional / "gabbits").glob("*.yaml")):
            is_rbac = "secure-rbac" in path.name
            if not path.name.endswith(LEFT_OUT) and is_rbac == (mode == "rbac") and pattern in path.name:
                shutil.copy(path, folder)
        module = fixtures((functional / "fixtures" / "gabbits.py").read_text())
        suite = driver.build_tests(
            folder,
            unittest.TestLoader(),
            host="127.0.0.1",
            port=PORT,
            prefix=None,
            fixture_module=module,
            test_loader_name="placement",
        )
        outcomes.tell(suite)


if __name__ == "__main__":
    main(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
