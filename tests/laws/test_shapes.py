"""The shape of files: a sentence on top, small enough to see, honest names, no shortcuts."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 350
FORBIDDEN = re.compile(r"^(utils?|helpers?|common|managers?|misc|base_.*|.*_(utils?|helpers?|manager))$")
FORBIDDEN_CLASSES = re.compile(r"(Manager|Helper|Mixin)$")


def files() -> list[Path]:
    return sorted(path for path in (ROOT / "minicloud").rglob("*.py") if "__pycache__" not in path.parts)


def tested() -> list[Path]:
    return sorted(path for path in (ROOT / "tests").rglob("*.py") if "__pycache__" not in path.parts)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*files(), *tested()], ids=shown)
def test_a_file_says_on_top_what_lives_there(path: Path) -> None:
    text = path.read_text()
    if not text and path.name == "__init__.py" and path.is_relative_to(ROOT / "tests"):
        return  # nothing lives there
    said = ast.get_docstring(ast.parse(text))
    assert said, "it has no docstring"
    first = said.split("\n\n")[0]
    assert first.rstrip().endswith((".", ":", "``")), f"the docstring's first paragraph is no sentence: {first!r}"


@pytest.mark.parametrize("path", files(), ids=shown)
def test_a_file_is_small_enough_to_see(path: Path) -> None:
    length = len(path.read_text().splitlines())
    assert length <= LONGEST, f"{length} lines: split it by noun"


@pytest.mark.parametrize("path", files(), ids=shown)
def test_names_say_what_things_are(path: Path) -> None:
    assert not FORBIDDEN.match(path.stem), f"{path.stem} says nothing: name it by what lives there"
    assert not any(FORBIDDEN.match(part) for part in path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            assert not FORBIDDEN_CLASSES.search(node.name), f"line {node.lineno}: class {node.name}"


@pytest.mark.parametrize("path", files(), ids=shown)
def test_no_program_is_run_through_a_shell(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("os.system", "os.popen", "subprocess.getoutput"), f"line {node.lineno}: {called}"
            assert "create_subprocess_shell" not in called, f"line {node.lineno}: {called}"
            assert not any(
                keyword.arg == "shell"
                and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
                for keyword in node.keywords
            ), f"line {node.lineno}: shell="


@pytest.mark.parametrize("path", files(), ids=shown)
def test_the_environment_is_read_in_one_place(path: Path) -> None:
    if shown(path) in ("minicloud/settings/reading.py", "minicloud/base/folders.py", "minicloud/base/tools.py"):
        return  # tools looks for programs on the PATH, as a shell does
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in ("environ", "getenv", "putenv"), f"line {node.lineno}: os.{node.attr}"


@pytest.mark.parametrize("path", files(), ids=shown)
def test_core_never_waits(path: Path) -> None:
    if not shown(path).startswith("minicloud/core/"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor), (
            f"line {getattr(node, 'lineno', 0)}: core decides and writes, it never waits"
        )


@pytest.mark.parametrize("path", files(), ids=shown)
def test_queries_are_written_in_core_and_engines(path: Path) -> None:
    if not shown(path).startswith(("minicloud/api/", "minicloud/agent/", "minicloud/cli/", "minicloud/dashboard/")):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("one", "all", "execute", "many")
        ):
            owner = node.func.value
            assert not (isinstance(owner, ast.Name) and owner.id == "tx"), f"line {node.lineno}: SQL outside core"


def test_no_path_of_a_developers_machine_is_written_down() -> None:
    private = re.compile(r"(?<![\w}])/(?:home|Users)/[a-z]\w+/")
    for path in [*files(), *tested(), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "Makefile"]:
        if path == Path(__file__):
            continue
        found = [
            match for match in private.findall(path.read_text()) if not match.startswith(("/home/me/", "/home/user/"))
        ]
        assert not found, f"{shown(path)}: {found}"
