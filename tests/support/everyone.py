"""Where another user finds minicloud, its tests and what they import: root's checkout often lies in root's home, which is closed."""

import atexit
import functools
import re
import shutil
import stat
import sysconfig
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


@functools.cache
def python_path() -> tuple[str, ...]:
    """Folders for ``PYTHONPATH`` that everybody may read: those in use where they are open, or else a copy, gone at the end."""
    packages = Path(sysconfig.get_path("purelib"))
    if _is_open(CHECKOUT) and _is_open(packages):
        return str(CHECKOUT), str(packages)
    copy = Path(tempfile.mkdtemp(prefix="mc-everyone-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    for name in ("minicloud", "tests"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in sorted(
        {file.parts[0] for each in _needed() for file in distribution(each).files or ()} - {"..", "__pycache__"}
    ):
        source = packages / name
        if source.is_dir():
            shutil.copytree(source, copy / name)
        elif source.is_file() and source.suffix != ".pth":
            shutil.copy(source, copy)
    return (str(copy),)


def _is_open(folder: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))


def _needed(name: str = "minicloud", seen: set[str] | None = None) -> set[str]:
    """The distributions without which a cloud does not start."""
    seen = set() if seen is None else seen
    for wanted in distribution(name).requires or ():
        needed = re.split(r"[^A-Za-z0-9._-]", wanted, maxsplit=1)[0].lower()
        if "extra ==" in wanted or needed in seen:
            continue
        try:
            distribution(needed)
        except PackageNotFoundError:
            continue
        seen.add(needed)
        _needed(needed, seen)
    return seen
