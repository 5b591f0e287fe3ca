"""The set-up names the same packages as the program does, and its shell is one that every Debian has."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from minicloud.base.tools import PACKAGES
from minicloud.guest.packages import PROGRAMS

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "scripts" / "setup"


def pairs() -> dict[str, str]:
    found = re.search(r'^PROGRAMS="(.*?)"', SETUP.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return dict(pair.split(":") for pair in found[1].split())


def test_packages_are_those_of_the_program() -> None:
    named = pairs()
    assert named == {program: PACKAGES[program] for program in named}


def test_what_real_guests_and_their_image_need_is_set_up() -> None:
    assert set(pairs()) >= {"qemu-system-x86_64", "qemu-img", "ip", "nft", "dnsmasq", "ssh", *PROGRAMS}


@pytest.mark.parametrize("script", [SETUP, ROOT / ".ci" / "run"], ids=lambda path: path.name)
def test_scripts_are_plain_shell(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    shell = shutil.which("dash") or "/bin/sh"
    subprocess.run([shell, "-n", str(script)], check=True)


def test_nothing_is_fetched_from_a_named_index() -> None:
    for path in (ROOT / "Makefile", SETUP, ROOT / ".ci" / "run", ROOT / "pyproject.toml"):
        assert "pypi.org" not in path.read_text()
        assert "--index-url" not in path.read_text()
