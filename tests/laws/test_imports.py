"""Who may import whom: the table of docs/design.md, held without exceptions."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "minicloud"

PROMISES = (
    "engines.database",
    "engines.messaging",
    "engines.servicegroup",
    "engines.blobs",
)
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "base": (),
    "engines": ("base",),
    "drivers": ("base",),
    "guest": ("base",),
    "core": ("base", "=engines.database"),
    "agent": (
        "base",
        "=drivers.hypervisor",
        "=drivers.fabric",
        "=drivers.storage",
        "=engines.messaging",
        "=engines.servicegroup",
        "=engines.blobs",
    ),
    "conductor": (
        "base",
        "core",
        "agent.calls",
        "agent.move_calls",
        "agent.volume_calls",
        *(f"={promise}" for promise in PROMISES),
    ),
    "reconcilers": (
        "base",
        "core",
        "conductor",
        "agent.calls",
        "agent.volume_calls",
        *(f"={promise}" for promise in PROMISES),
    ),
    "api": ("base", "core", "conductor", "=engines.blobs"),
    "dashboard": ("base", "core"),
    "settings": ("base",),
    "cli": ("cloud", "operations", "settings", "base", "core", "guest"),
    "testing": ("cloud", "operations", "settings", "base", "core"),
}
"""What each folder may import of minicloud besides itself; ``=`` marks a promise: the package itself, not its keepers."""

EVERYTHING = ("cloud", "sagas", "repairs", "products", "services", "options", "first_start", "operations", "__main__")
LEFT_TO_RIGHT = ("identity", "placement", "image", "network", "volume", "compute", "scheduler")
"""Inside core each service may import those to its left."""

BASE_LIBRARIES = frozenset({"anyio", "msgspec"})
HOMES = {
    "starlette": frozenset({"api", "dashboard"}),
    "uvicorn": frozenset({"cli"}),
    "typer": frozenset({"cli"}),
    "aiosqlite": frozenset({"engines"}),
}
"""Where a library may be known; all others see what its home makes of it."""


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, also inside functions; ``from package import name`` gives both."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield node.lineno, whole if is_module(whole) else node.module


def is_module(name: str) -> bool:
    if not name.startswith("minicloud."):
        return False
    place = PACKAGE.joinpath(*name.split(".")[1:])
    return place.is_dir() or place.with_suffix(".py").is_file()


def allowed(folder: str, target: str) -> bool:
    """Whether a module of this folder may import ``target``, a dotted name below minicloud (empty: minicloud itself)."""
    if target == "" or target.split(".")[0] == folder:
        return True
    for rule in MAY_IMPORT[folder]:
        if rule.startswith("="):
            if target == rule[1:]:
                return True
        elif target == rule or target.startswith(f"{rule}."):
            return True
    return False


@pytest.mark.parametrize("path", modules(), ids=lambda path: dotted(path) or "minicloud")
def test_a_module_imports_only_what_its_folder_may(path: Path) -> None:
    folder = dotted(path).split(".")[0]
    if folder in ("", *EVERYTHING):
        return
    assert folder in MAY_IMPORT, f"{folder} is not in the table: say there what it may import"
    wrong = [
        f"line {number}: {name}"
        for number, name in imports(path)
        if name.split(".")[0] == "minicloud" and not allowed(folder, name[len("minicloud.") :])
    ]
    assert not wrong, f"{path.relative_to(ROOT)} may not import {', '.join(wrong)}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: dotted(path) or "minicloud")
def test_libraries_stay_where_they_belong(path: Path) -> None:
    folder = dotted(path).split(".")[0]
    found = {name.split(".")[0]: number for number, name in imports(path)}
    for library, homes in HOMES.items():
        strays = library in found and folder not in (*EVERYTHING, *homes)
        assert not strays, (
            f"{path.relative_to(ROOT)}:{found.get(library)} imports {library}, at home in {sorted(homes)}"
        )
    if folder == "base":
        foreign = {name for name in found if name not in sys.stdlib_module_names and name != "minicloud"}
        assert foreign <= BASE_LIBRARIES, f"{path.relative_to(ROOT)} imports {sorted(foreign - BASE_LIBRARIES)}"


def test_only_serve_knows_the_http_server() -> None:
    knowing = {dotted(path) for path in modules() for _, name in imports(path) if name.split(".")[0] == "uvicorn"}
    assert knowing <= {"cli.serve"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: dotted(path) or "minicloud")
def test_services_of_core_look_left_and_those_of_the_api_nowhere(path: Path) -> None:
    parts = dotted(path).split(".")
    if len(parts) < 2 or parts[0] not in ("core", "api") or parts[1] not in (*LEFT_TO_RIGHT, "metadata"):
        return
    mine = parts[1]
    for number, name in imports(path):
        target = name.split(".")[1:]
        if len(target) < 2 or target[0] != parts[0] or target[1] == mine or target[1] not in LEFT_TO_RIGHT:
            continue
        where = f"{path.relative_to(ROOT)}:{number}"
        if parts[0] == "api":
            pytest.fail(f"{where}: a service of the API imports another, {name}")
        left = LEFT_TO_RIGHT[: LEFT_TO_RIGHT.index(mine)]
        assert target[1] in left, f"{where}: {mine} may import {', '.join(left) or 'no other service'}, not {target[1]}"


def test_the_table_is_the_one_that_people_read() -> None:
    page = (ROOT / "docs" / "design.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", page, re.MULTILINE))
    assert set(rows) >= set(MAY_IMPORT)
    for folder, rules in MAY_IMPORT.items():
        said = set(re.findall(r"`([a-z_.]+)`", rows[folder])) | ({"="} if "promise" in rows[folder] else set())
        meant = {rule.removeprefix("=") for rule in rules}
        assert said - {"=", "starlette", "anyio", "msgspec", "typer", "uvicorn"} == meant, (
            f"the row of {folder} differs"
        )
