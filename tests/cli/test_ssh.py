"""The way into a guest: the command line of ssh, and waiting for a guest that is still booting."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from minicloud.base.errors import TimedOut
from minicloud.cli import ssh
from minicloud.cli.folder import Folder

SPEAKS = (
    "import sys; sys.stdout.buffer.write(b'SSH-2.0-dropbear\\r\\n\\x00\\x01keys'); sys.stdout.flush(); sys.stdin.read()"
)
REFUSES = "import sys; sys.exit('cannot reach 10.0.0.5 22: Connection refused')"


def way(code: str = SPEAKS) -> dict[str, Any]:
    argv = [sys.executable, "-c", code]
    return {
        "server_id": "6f1c",
        "known_as": "6f1c.1",
        "name": "web",
        "host": "host-1",
        "address": "10.0.0.5",
        "argv": argv,
    }


def effective(argv: list[str]) -> dict[str, str]:
    """What the real ssh makes of a command line."""
    done = subprocess.run([argv[0], "-G", *argv[1:]], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_ssh_understands_the_command_line(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "a folder"))
    argv = ssh.arguments(folder, way(), "root", None, ["ConnectTimeout=5"], [])
    found = effective(argv)
    assert found["user"] == "root"
    assert found["hostname"] == "10.0.0.5"
    assert found["hostkeyalias"] == "6f1c.1"
    assert found["userknownhostsfile"] == str(tmp_path / "a folder" / "known_hosts")
    assert found["stricthostkeychecking"] == "accept-new"
    assert found["connecttimeout"] == "5"


def test_words_of_the_way_reach_its_program_as_they_are(tmp_path: Path) -> None:
    argv = ssh.arguments(Folder(str(tmp_path)), way("print('100% $HOME; \"x\"')"), "root", None, [], [])
    proxy = next(word for word in argv if word.startswith("ProxyCommand=")).removeprefix("ProxyCommand=")
    # ssh replaces %% by % and hands the rest to a shell.
    done = subprocess.run(["/bin/sh", "-c", proxy.replace("%%", "%")], capture_output=True, text=True, check=True)
    assert done.stdout == '100% $HOME; "x"\n'


def test_a_key_and_a_command_are_given_on(tmp_path: Path) -> None:
    argv = ssh.arguments(Folder(str(tmp_path)), way(), "debian", "k", [], ["uname", "-a"])
    assert argv[-5:] == ["debian", "--", "10.0.0.5", "uname", "-a"]
    assert argv[argv.index("-i") + 1] == "k"
    assert "IdentitiesOnly=yes" in argv


def test_a_greeting_is_heard_although_keys_follow_it() -> None:
    assert ssh.greeting(way()["argv"]) == "SSH-2.0-dropbear"
    ssh.await_guest(way(), 22, 5)


def test_a_guest_that_never_answers_is_given_up_with_the_reason() -> None:
    with pytest.raises(TimedOut) as refused:
        ssh.await_guest(way(REFUSES), 22, 0)
    assert refused.value.message == (
        "web does not answer at 10.0.0.5 port 22 (cannot reach 10.0.0.5 22: Connection refused): "
        "look at `minicloud console web`"
    )


def test_a_guest_that_boots_meanwhile_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    booted = tmp_path / "booted"
    code = f"import os, sys\nif os.path.exists({str(booted)!r}):\n    {SPEAKS}\nopen({str(booted)!r}, 'w')\n{REFUSES}"
    monkeypatch.setattr(ssh, "PAUSE_S", 0)
    ssh.await_guest(way(code), 22, 60)
    assert booted.exists()
