"""Identity told through the openstack command and openstacksdk: an administrator makes room for a newcomer."""

import json
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack.exceptions import ConflictException, ForbiddenException, SDKException

from tests.support.identity import ADMIN_PASSWORD, DEMO_PASSWORD
from tests.support.identity_server import an_identity_server
from tests.support.warm_openstack import openstack as openstack_command

pytestmark = [pytest.mark.journey, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with an_identity_server(tmp_path) as at:
        yield at


class Shell:
    """The openstack command as one user."""

    def __init__(
        self, url: str, home: Path, user: str, password: str, *, system: bool = False, project: str = ""
    ) -> None:
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OS_AUTH_URL": f"{url}/identity",
            "OS_USERNAME": user,
            "OS_PASSWORD": password,
            "OS_USER_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
        }
        if system:
            self.environment["OS_SYSTEM_SCOPE"] = "all"
        else:
            self.environment |= {"OS_PROJECT_NAME": project or user, "OS_PROJECT_DOMAIN_ID": "default"}

    def fails(self, *words: str) -> str:
        """What the command says when it fails."""
        done = self._run(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def does(self, *words: str) -> None:
        """A command that says nothing."""
        done = self._run(*words)
        assert done.returncode == 0, done.stderr

    def tells(self, *words: str) -> Any:
        """What the command prints, as JSON."""
        done = self._run(*words, "-f", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return openstack_command(*words, environment=self.environment, cwd=self.home, timeout_s=120)


def test_an_administrator_lets_a_newcomer_in_and_out_again_with_the_openstack_command(url: str, tmp_path: Path) -> None:
    admin = Shell(url, tmp_path, "admin", ADMIN_PASSWORD)
    assert admin.tells("token", "issue")["project_id"]
    assert {"admin", "demo", "service"} <= {project["Name"] for project in admin.tells("project", "list")}
    catalog = {entry["Name"]: entry for entry in admin.tells("catalog", "list")}
    assert set(catalog) == {"keystone", "nova", "glance", "neutron", "cinderv3", "cinder", "placement"}
    assert {e["url"] for e in catalog["nova"]["Endpoints"]} == {f"{url}/compute/v2.1"}

    made = admin.tells("user", "create", "--password", "first", "--email", "ada@example.org", "ada")
    assert made["email"] == "ada@example.org"
    assert "409" in admin.fails("user", "create", "--password", "other", "ada")
    admin.tells("project", "create", "--description", "Engines", "engines")
    ada = Shell(url, tmp_path, "ada", "first", project="engines")
    assert "401" in ada.fails("token", "issue")
    admin.does("role", "add", "--user", "ada", "--project", "engines", "member")
    issued = ada.tells("token", "issue")
    names = admin.tells("role", "assignment", "list", "--names", "--user", "ada", "--effective")
    assert {row["Role"] for row in names} == {"member", "reader"}
    assert {row["Project"] for row in names} == {"engines@Default"}
    assert "403" in ada.fails("user", "list")

    by_token = Shell(url, tmp_path, "ada", "unused", project="engines")
    for name in ("OS_USERNAME", "OS_PASSWORD", "OS_USER_DOMAIN_ID"):
        by_token.environment.pop(name)
    by_token.environment |= {"OS_AUTH_TYPE": "token", "OS_TOKEN": issued["id"]}
    assert by_token.tells("token", "issue")["user_id"] == made["id"]
    ada.does("token", "revoke", issued["id"])
    assert "Failed to validate token" in by_token.fails("token", "issue")

    ada.does("user", "password", "set", "--password", "second", "--original-password", "first")
    assert "401" in ada.fails("token", "issue")
    system = Shell(url, tmp_path, "admin", ADMIN_PASSWORD, system=True)
    assert {user["Name"] for user in system.tells("user", "list")} == {"admin", "demo", "ada"}
    system.does("user", "delete", "ada")
    system.does("project", "delete", "engines")


def test_openstacksdk_manages_every_resource(url: str) -> None:
    def connect(user: str, password: str, **scope: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return openstack.connect(
                auth_url=f"{url}/identity",
                username=user,
                password=password,
                user_domain_id="default",
                identity_api_version="3",
                region_name="RegionOne",
                load_yaml_config=False,
                load_envvars=False,
                **scope,
            )

    with connect("admin", ADMIN_PASSWORD, system_scope="all") as cloud:
        identity = cloud.identity
        domain = identity.create_domain(name="school", description="A class")
        project = identity.create_project(name="maths", domain_id=domain.id, tags=["one", "two"])
        child = identity.create_project(name="algebra", domain_id=domain.id, parent_id=project.id)
        teacher = identity.create_user(name="emmy", domain_id=domain.id, password="ring")
        group = identity.create_group(name="pupils", domain_id=domain.id)
        role = identity.create_role(name="grader")
        identity.add_user_to_group(teacher, group)
        assert identity.check_user_in_group(teacher, group)
        member = identity.find_role("member")
        identity.assign_project_role_to_group(project, group, member)
        identity.assign_project_role_to_user(child, teacher, role)
        identity.assign_domain_role_to_user(domain, teacher, identity.find_role("manager"))
        identity.assign_system_role_to_user(teacher, identity.find_role("reader"), "all")
        assert identity.validate_user_has_project_role(child, teacher, role)
        assert {p.name for p in identity.user_projects(teacher)} == {"maths", "algebra"}
        assert {p.name for p in identity.projects(domain_id=domain.id)} == {"maths", "algebra"}
        assert {p.name for p in identity.projects(tags="one")} == {"maths"}
        assert {r.name for r in identity.roles()} >= {"admin", "manager", "member", "reader", "service", "grader"}
        region = identity.create_region(id="Moon", description="far")
        service = identity.create_service(type="toaster", name="bread")
        endpoint = identity.create_endpoint(
            service_id=service.id, interface="public", region_id=region.id, url="http://toast.test/$(project_id)s"
        )
        assert identity.get_endpoint(endpoint.id).url == "http://toast.test/$(project_id)s"
        with pytest.raises(ConflictException):
            identity.create_domain(name="school")
        with pytest.raises(ForbiddenException):
            identity.delete_region(region.id)
        with pytest.raises(ForbiddenException):
            identity.delete_domain(domain.id)

        with connect("admin", ADMIN_PASSWORD, project_name="demo", project_domain_id="default") as scoped:
            assert scoped.session.get_endpoint(service_type="toaster").endswith(scoped.current_project_id)
            assert scoped.session.get_endpoint(service_type="block-storage").startswith(f"{url}/volume/v3/")
        with connect("demo", DEMO_PASSWORD, project_name="demo", project_domain_id="default") as demo:
            assert [p.name for p in demo.identity.user_projects(demo.current_user_id)] == ["demo"]
            with pytest.raises(ForbiddenException):
                demo.identity.create_user(name="eve", password="x")
            with pytest.raises(ForbiddenException):
                list(demo.identity.role_assignments())

        identity.delete_endpoint(endpoint)
        identity.delete_service(service)
        identity.delete_region(region)
        identity.update_domain(domain, is_enabled=False)
        identity.delete_domain(domain)
        assert identity.find_user(teacher.id) is None
        assert identity.find_project(child.id) is None
        identity.delete_role(role)
    with pytest.raises(SDKException, match="HTTP 401"):
        connect("demo", "wrong", project_name="demo", project_domain_id="default").authorize()
