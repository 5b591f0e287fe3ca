"""clouds.yaml: written for the owner alone, found by clients, merged without harm to the user's other clouds."""

import stat
import subprocess
from pathlib import Path

import openstack.config
import pytest
import yaml

from minicloud.base.errors import Invalid, NotFound
from minicloud.cli import credentials
from minicloud.cli.folder import Folder

PASSWORDS = {"admin": "it's $ecret", "demo": "other"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(str(tmp_path / "data"))
    made.path.mkdir()
    credentials.write(made, credentials.clouds("http://127.0.0.1:5000", "RegionOne", PASSWORDS))
    return made


def test_the_file_is_its_owners_alone(folder: Folder) -> None:
    assert stat.S_IMODE(folder.file("clouds.yaml").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "user", "scope"),
    [
        ("minicloud", "admin", {"project_name": "admin", "project_domain_name": "Default"}),
        ("minicloud-demo", "demo", {"project_name": "demo", "project_domain_name": "Default"}),
        ("minicloud-system", "admin", {"system_scope": "all"}),
    ],
)
def test_the_real_client_reads_every_entry(folder: Folder, name: str, user: str, scope: dict[str, str]) -> None:
    loader = openstack.config.OpenStackConfig(config_files=[str(folder.file("clouds.yaml"))], load_envvars=False)
    region = loader.get_one(name)
    assert region.config["auth"] == {
        "auth_url": "http://127.0.0.1:5000/identity/v3",
        "username": user,
        "password": PASSWORDS[user],
        "user_domain_name": "Default",
        **scope,
    }
    assert region.region_name == "RegionOne"


def test_a_shell_gets_exactly_the_values_and_nothing_of_another_cloud(folder: Folder) -> None:
    lines = credentials.export_lines(credentials.variables(folder, "admin", None))
    script = "\n".join(
        [*lines, 'printf "%s\\n" "$OS_PASSWORD" "$OS_PROJECT_NAME" "${OS_CLOUD-unset}" "${OS_TOKEN-unset}"']
    )
    stale = {"OS_TOKEN": "old", "OS_CLOUD": "elsewhere", "OS_PROJECT_NAME": "old", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["/bin/sh", "-e", "-c", script], env=stale, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["it's $ecret", "admin", "unset", "unset"]


def test_the_usual_lines_point_at_the_file_so_that_every_entry_can_be_named(folder: Folder) -> None:
    assert credentials.pointer(folder, "demo") == {
        "OS_CLIENT_CONFIG_FILE": str(folder.file("clouds.yaml")),
        "OS_CLOUD": "minicloud-demo",
    }


def test_another_project_takes_the_place_of_the_scope(folder: Folder) -> None:
    found = credentials.variables(folder, "system", "physics")
    assert found["OS_PROJECT_NAME"] == "physics"
    assert "OS_SYSTEM_SCOPE" not in found


def test_an_unknown_user_and_a_cloud_that_never_was(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="it may be admin, demo, system"):
        credentials.pointer(folder, "eve")
    with pytest.raises(NotFound, match="start the cloud with `minicloud up --data "):
        credentials.read(Folder(str(tmp_path / "nowhere")))


def test_merging_keeps_the_users_other_clouds_and_the_old_file(folder: Folder, tmp_path: Path) -> None:
    target = tmp_path / "openstack" / "clouds.yaml"
    target.parent.mkdir()
    target.write_text(
        "clouds:\n  work: {auth: {username: me}}\n  minicloud: {auth: {username: old}}\ncache: {class: x}\n"
    )
    before = target.read_text()
    names, backup = credentials.merge(folder, target)
    merged = yaml.safe_load(target.read_text())
    assert names == ["minicloud", "minicloud-demo", "minicloud-system"]
    assert set(merged["clouds"]) == {"work", *names}
    assert merged["clouds"]["work"] == {"auth": {"username": "me"}}
    assert merged["clouds"]["minicloud"]["auth"]["username"] == "admin"
    assert merged["cache"] == {"class": "x"}
    assert backup is not None
    assert backup.read_text() == before
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_merging_makes_the_file_where_there_was_none(folder: Folder, tmp_path: Path) -> None:
    names, backup = credentials.merge(folder, tmp_path / "new" / "clouds.yaml")
    assert backup is None
    assert set(yaml.safe_load((tmp_path / "new" / "clouds.yaml").read_text())["clouds"]) == set(names)


@pytest.mark.parametrize("broken", ["clouds: [", "- a list", "clouds: nothing"])
def test_a_file_that_cannot_be_understood_is_left_alone(folder: Folder, tmp_path: Path, broken: str) -> None:
    target = tmp_path / "clouds.yaml"
    target.write_text(broken)
    with pytest.raises(Invalid, match="left alone"):
        credentials.merge(folder, target)
    assert target.read_text() == broken


def test_the_users_own_file_is_where_all_clients_look() -> None:
    assert credentials.users_own({"HOME": "/home/me"}) == Path("/home/me/.config/openstack/clouds.yaml")
    assert credentials.users_own({"HOME": "/home/me", "XDG_CONFIG_HOME": "/c"}) == Path("/c/openstack/clouds.yaml")
