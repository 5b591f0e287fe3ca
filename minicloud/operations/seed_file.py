"""Seed files: a class, a team, a test bed in YAML. Read with the line of everything, so that each refusal says where.

``count: 30`` makes 30 of an entry; ``{n}`` in its texts stands for 1, 2, 3 and so on.
"""

from typing import Any, TypeVar

import msgspec
import yaml

from minicloud.base.errors import Invalid

MOST = 10_000
"""How many one entry may make."""


class Entry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What every entry has. ``line`` is where it stands in the file."""

    name: str
    count: int = 1
    line: int = 0


class Domain(Entry, kw_only=True, forbid_unknown_fields=True):
    """A domain."""

    description: str = ""


class Role(Entry, kw_only=True, forbid_unknown_fields=True):
    """A role beside those that every cloud has."""

    description: str | None = None


class Network(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A network of a project with one subnet; ``router`` joins it to the outside."""

    name: str
    cidr: str
    router: bool = True


class Project(Entry, kw_only=True, forbid_unknown_fields=True):
    """A project with its quotas (by resource: instances, cores, ram, network, port, ...) and networks."""

    domain: str = "Default"
    description: str = ""
    quotas: dict[str, int] = {}
    networks: list[Network] = []


class Grant(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A role of a user in a project."""

    role: str
    project: str
    domain: str = "Default"


class User(Entry, kw_only=True, forbid_unknown_fields=True):
    """A user. A password is set when the user is made, and stays as its owner changes it."""

    password: str
    domain: str = "Default"
    roles: list[Grant] = []


class Flavor(Entry, kw_only=True, forbid_unknown_fields=True):
    """A flavor; ``ram`` in MiB, ``disk`` in GiB."""

    vcpus: int
    ram: int
    disk: int
    id: str | None = None


class Image(Entry, kw_only=True, forbid_unknown_fields=True):
    """A public image out of a file of this machine; ``min_disk`` in GiB, ``min_ram`` in MiB."""

    file: str
    min_disk: int = 0
    min_ram: int = 0
    properties: dict[str, str] = {}


class Seeds(msgspec.Struct, kw_only=True):
    """All that a file asks for, spelled out."""

    name: str
    domains: list[Domain] = []
    roles: list[Role] = []
    projects: list[Project] = []
    users: list[User] = []
    flavors: list[Flavor] = []
    images: list[Image] = []


E = TypeVar("E", bound=Entry)
_KINDS: dict[str, type[Entry]] = {
    "domains": Domain,
    "roles": Role,
    "projects": Project,
    "users": User,
    "flavors": Flavor,
    "images": Image,
}


def parse(text: str, name: str) -> Seeds:
    """What a file asks for. Raises Invalid, naming file and line, for anything that it should not have."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        raise at(name, line, str(error.problem or "this is no YAML")) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Invalid(f"{name}: {str(error).splitlines()[0] or 'this is no YAML'}") from error
    found = Seeds(name=name)
    if root is None:
        return found
    if not isinstance(root, yaml.MappingNode):
        raise at(name, 1, f"there should be lists called {', '.join(_KINDS)}")
    for key, value in root.value:
        line = key.start_mark.line + 1
        kind = _KINDS.get(str(key.value))
        if kind is None:
            raise at(name, line, f"there is no {key.value} in seed files, only {', '.join(_KINDS)}")
        if not isinstance(value, yaml.SequenceNode):
            raise at(name, line, f"{key.value} should be a list")
        entries = [one for node in value.value for one in _entries(node, kind, name)]
        setattr(found, key.value, entries)
    return found


def at(name: str, line: int, why: str) -> Invalid:
    """The error for a line of a file."""
    return Invalid(f"{name}, line {line}: {why}")


def _entries(node: Any, kind: type[E], name: str) -> list[E]:
    line = node.start_mark.line + 1
    try:
        document = yaml.SafeLoader("").construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        raise at(name, line, str(error).splitlines()[0]) from error
    if isinstance(document, str):
        document = {"name": document}
    if not isinstance(document, dict):
        raise at(name, line, "each entry should have fields, such as name")
    document.pop("line", None)
    count = document.get("count", 1)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST:
        raise at(name, line, f"count should be a number from 1 to {MOST}")
    if "count" in document and "{n}" not in str(document.get("name")):
        raise at(name, line, "the name of an entry with a count needs {n}, or all would be called alike")
    try:
        return [
            msgspec.convert({**(_numbered(document, n) if "count" in document else document), "line": line}, kind)
            for n in range(1, count + 1)
        ]
    except msgspec.ValidationError as error:
        raise at(name, line, str(error)) from error


def _numbered(value: Any, n: int) -> Any:
    if isinstance(value, str):
        return value.replace("{n}", str(n))
    if isinstance(value, list):
        return [_numbered(one, n) for one in value]
    if isinstance(value, dict):
        return {name: _numbered(one, n) for name, one in value.items()}
    return value
