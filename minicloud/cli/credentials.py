"""The clouds.yaml of a cloud, and how it gets into the user's own."""

import os
import shutil
from pathlib import Path
from typing import Any

from minicloud.base.errors import Invalid, NotFound
from minicloud.cli.folder import CLOUDS, Folder, write_private

CLOUD_OF = {"admin": "minicloud", "demo": "minicloud-demo", "system": "minicloud-system"}
"""The entry of clouds.yaml for each way to sign in."""

_ALSO_SET = [
    "AUTH_TYPE",
    "AUTH_URL",
    "CACERT",
    "CLOUD",
    "DEFAULT_DOMAIN",
    "DOMAIN_ID",
    "DOMAIN_NAME",
    "ENDPOINT",
    "IDENTITY_API_VERSION",
    "INTERFACE",
    "PASSWORD",
    "PROJECT_DOMAIN_ID",
    "PROJECT_DOMAIN_NAME",
    "PROJECT_ID",
    "PROJECT_NAME",
    "REGION_NAME",
    "SYSTEM_SCOPE",
    "TENANT_ID",
    "TENANT_NAME",
    "TOKEN",
    "USERNAME",
    "USER_DOMAIN_ID",
    "USER_DOMAIN_NAME",
    "USER_ID",
]
"""Variables (after ``OS_``) by which an earlier cloud would speak through: all are unset."""


def clouds(url: str, region: str, passwords: dict[str, str]) -> dict[str, Any]:
    """The document: ``minicloud`` (admin), ``minicloud-demo`` and ``minicloud-system`` (admin of the whole system)."""

    def entry(user: str, **scope: str) -> dict[str, Any]:
        auth = {
            "auth_url": f"{url}/identity/v3",
            "username": user,
            "password": passwords[user],
            "user_domain_name": "Default",
            **scope,
        }
        return {"auth": auth, "region_name": region, "identity_api_version": "3", "interface": "public"}

    return {
        "clouds": {
            CLOUD_OF["admin"]: entry("admin", project_name="admin", project_domain_name="Default"),
            CLOUD_OF["demo"]: entry("demo", project_name="demo", project_domain_name="Default"),
            CLOUD_OF["system"]: entry("admin", system_scope="all"),
        }
    }


def write(folder: Folder, document: dict[str, Any]) -> Path:
    """Put it into the data folder, for the owner alone."""
    import yaml

    path = folder.file(CLOUDS)
    write_private(path, yaml.safe_dump(document, sort_keys=False).encode())
    return path


def read(folder: Folder) -> dict[str, Any]:
    """What ``write`` wrote. Raises NotFound when the cloud was never up."""
    path = folder.file(CLOUDS)
    if not path.is_file():
        raise NotFound(f"there is no {path}: start the cloud with `minicloud up{folder.option()}`")
    return _load(path)


def variables(folder: Folder, user: str, project: str | None) -> dict[str, str]:
    """Plain ``OS_*`` variables, for clients that know no clouds.yaml. Raises Invalid for an unknown user."""
    entry = _entry(folder, user)
    auth = entry["auth"]
    if project is not None:
        auth.pop("system_scope", None)
        auth |= {"project_name": project, "project_domain_name": "Default"}
    return {
        **{f"OS_{name.upper()}": str(value) for name, value in auth.items()},
        "OS_REGION_NAME": str(entry["region_name"]),
        "OS_IDENTITY_API_VERSION": "3",
        "OS_INTERFACE": "public",
    }


def pointer(folder: Folder, user: str) -> dict[str, str]:
    """The two variables by which every OpenStack client finds the entry, and the others by ``--os-cloud``."""
    _entry(folder, user)
    return {"OS_CLIENT_CONFIG_FILE": str(folder.file(CLOUDS)), "OS_CLOUD": CLOUD_OF[user]}


def export_lines(wanted: dict[str, str]) -> list[str]:
    """What a shell evaluates: everything of another cloud unset, then the wanted variables exported."""
    import shlex

    stale = [f"OS_{name}" for name in _ALSO_SET if f"OS_{name}" not in wanted]
    if "OS_CLIENT_CONFIG_FILE" not in wanted:
        stale.append("OS_CLIENT_CONFIG_FILE")
    return [f"unset {' '.join(stale)}", *(f"export {name}={shlex.quote(value)}" for name, value in wanted.items())]


def merge(folder: Folder, target: Path) -> tuple[list[str], Path | None]:
    """Put the entries into the user's own file, whose other clouds stay; (names, the backup of the old file if there was one).

    Raises Invalid when the file cannot be understood: it is left alone then.
    """
    import yaml

    ours = read(folder)["clouds"]
    backup: Path | None = None
    whole: dict[str, Any] = {}
    if target.exists():
        whole = _load(target)
        backup = target.with_name(f"{target.name}.before-minicloud")
        shutil.copy2(target, backup)
    theirs = whole.setdefault("clouds", {})
    if not isinstance(theirs, dict):
        raise Invalid(f"`clouds` in {target} is no mapping: mend the file, it was left alone")
    theirs.update(ours)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(target.resolve(), yaml.safe_dump(whole, sort_keys=False, allow_unicode=True).encode())
    return list(ours), backup


def users_own(environment: dict[str, str]) -> Path:
    """The clouds.yaml of the user, where all OpenStack clients look."""
    base = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", "~"), ".config")
    return Path(base).expanduser() / "openstack" / "clouds.yaml"


def _entry(folder: Folder, user: str) -> dict[str, Any]:
    if user not in CLOUD_OF:
        raise Invalid(f"--user {user}: it may be {', '.join(CLOUD_OF)}")
    found: dict[str, Any] = read(folder)["clouds"][CLOUD_OF[user]]
    return found


def _load(path: Path) -> dict[str, Any]:
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise Invalid(f"{path} is no YAML ({words}): mend it first, it was left alone") from error
    if not isinstance(loaded, dict):
        raise Invalid(f"{path} holds no mapping: mend it first, it was left alone")
    return loaded
