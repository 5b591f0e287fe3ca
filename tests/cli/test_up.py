"""A cloud's life by the real command, on simulated hosts: up, in use, killed, stopped, purged. Every process is a real one."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LIMIT_S = 120


class Desk:
    """Somebody at a shell, with a data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MINICLOUD_", "OS_"))}
        self.environment = inherited | {"MINICLOUD_DATA": str(data), "MINICLOUD_PASSWORD_COST": "cheap"}

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command to its end."""
        argv = [sys.executable, "-m", "minicloud", *words]
        return subprocess.run(
            argv,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )

    def does(self, *words: str) -> str:
        """What a command that must succeed prints."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def up(self, *words: str) -> str:
        """Start in the background, on a free port."""
        return self.does("up", "--driver", "fake", "--port", "0", "--detach", *words)

    def foreground(self, *words: str) -> "subprocess.Popen[str]":
        """Start in the foreground; returns when it answers."""
        argv = [sys.executable, "-m", "minicloud", "up", "--driver", "fake", "--port", "0", *words]
        process = subprocess.Popen(
            argv,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith("minicloud is up at http://127.0.0.1:")
        return process

    def facts(self) -> Any:
        return json.loads((self.data / "minicloud.json").read_bytes())

    def answers(self) -> bool:
        """Whether the health check answers."""
        with urllib.request.urlopen(f"{self.facts()['url']}/healthcheck", timeout=30) as answer:
            return bool(answer.status == 200)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "cloud")
    yield made
    made.run("down", "--purge", "--yes")


def ended(pid: int) -> bool:
    """Whether a process ends soon."""
    give_up = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def test_a_cloud_in_the_background_tells_address_credentials_and_what_is_next(desk: Desk) -> None:
    lines = desk.up().splitlines()
    facts = desk.facts()
    password = (desk.data / "admin-password").read_text().strip()
    assert lines[0].startswith(f"minicloud is up at {facts['url']} after ")
    assert f"  admin    user admin, project admin, password {password}" in lines
    assert len(lines[lines.index("Next:") + 1 :]) == 3
    assert desk.answers()
    assert os.getsid(facts["pid"]) == facts["pid"]


def test_everything_in_the_folder_is_its_owners_alone(desk: Desk) -> None:
    desk.up()
    assert stat.S_IMODE(desk.data.stat().st_mode) == 0o700
    open_to_others = [
        path.name for path in desk.data.iterdir() if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert open_to_others == []
    assert stat.S_IMODE((desk.data / "control.sock").stat().st_mode) == 0o600


def test_flags_hold_in_the_background_also_empty_ones_and_no_secret_stands_in_a_command_line(desk: Desk) -> None:
    desk.up("--admin-password", "very-secret", "--import-allowed-ports", "")
    assert desk.facts()["settings"]["import_allowed_ports"] == ""
    pid = desk.facts()["pid"]
    assert b"very-secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert b"very-secret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"very-secret" not in (desk.data / "minicloud.json").read_bytes()
    assert "OS_PASSWORD=very-secret" in desk.does("env", "--variables")


def test_the_same_again_is_content_and_another_wish_is_refused(desk: Desk) -> None:
    desk.up()
    pid = desk.facts()["pid"]
    for words in (["--detach"], ["--wait"], []):
        assert f"minicloud is up already at {desk.facts()['url']} (process {pid}" in desk.does("up", *words)
    refused = desk.run("up", "--detach", "--hosts", "7")
    assert refused.returncode == 1
    assert f"is in use by process {pid} at {desk.facts()['url']}" in refused.stderr


def test_a_cloud_that_is_starting_is_waited_for(desk: Desk) -> None:
    first = desk.does("up", "--driver", "fake", "--port", "0", "--detach", "--no-wait")
    assert first.startswith("minicloud is starting (process ")
    give_up = time.monotonic() + 30
    while not (desk.data / "minicloud.pid").exists():
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert "minicloud is up already at" in desk.does("up", "--wait")
    assert desk.answers()


def test_a_taken_port_names_the_cloud_that_has_it_and_nothing_is_left(desk: Desk, tmp_path: Path) -> None:
    desk.up()
    other = Desk(tmp_path / "other")
    refused = other.run("up", "--driver", "fake", "--port", str(desk.facts()["port"]), "--detach")
    assert refused.returncode == 1
    assert f"is taken by another minicloud (process {desk.facts()['pid']})" in refused.stderr
    assert not (other.data / "minicloud.json").exists()
    assert not (other.data / "minicloud.pid").exists()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_foreground_cleanly_within_seconds(desk: Desk, sent: signal.Signals) -> None:
    process = desk.foreground()
    assert desk.answers()
    began = time.monotonic()
    process.send_signal(sent)
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert out.endswith("minicloud has stopped\n")
    assert "Traceback" not in err
    assert time.monotonic() - began < 15
    assert not (desk.data / "minicloud.json").exists()


def test_a_hang_up_reads_the_policy_again_and_the_cloud_goes_on(desk: Desk) -> None:
    process = desk.foreground()
    assert desk.answers()
    (desk.data / "policy.yaml").write_text('"os_compute_api:servers:create": "role:admin"\n')
    process.send_signal(signal.SIGHUP)
    assert desk.answers()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert "policy.yaml was read again: it changes 1 rule" in err


def test_down_stops_and_says_so_and_again_is_content(desk: Desk) -> None:
    desk.up()
    pid = desk.facts()["pid"]
    assert "minicloud has stopped" in desk.does("down")
    assert ended(pid)
    assert "no cloud is up in" in desk.does("down")


def test_a_killed_cloud_goes_on_where_it_was(desk: Desk) -> None:
    desk.up()
    made = json.loads(desk.does("saga", "demo", "start", "--json"))
    pid = desk.facts()["pid"]
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert json.loads(desk.run("status", "--json").stdout) | {"servers": {}, "hosts": []} == {
        "up": False,
        "starting": False,
        "data": str(desk.data),
        "pid": None,
        "servers": {},
        "hosts": [],
        "open_sagas": 1,
        "stuck_sagas": 0,
    }
    desk.up()
    desk.does("saga", "demo", "tell", made["demo"])
    give_up = time.monotonic() + 30
    while json.loads(desk.does("saga", "list", "--json")):
        assert time.monotonic() < give_up
    story = desk.does("explain", made["saga"])
    assert "after a restart PlayDemo is found running: it goes on" in story
    assert "PlayDemo has finished" in story


def test_a_cloud_in_memory_is_read_by_asking_it_and_leaves_no_records(desk: Desk) -> None:
    desk.up("--memory")
    made = json.loads(desk.does("saga", "demo", "start", "--json"))
    [saga] = json.loads(desk.does("saga", "list", "--json"))
    assert saga["id"] == made["saga"]
    assert "PlayDemo: step listen begins" in desk.does("explain", made["saga"])
    assert "1 under way" in desk.does("status")
    assert not (desk.data / "cloud.db").exists()


def test_purge_leaves_nothing(desk: Desk) -> None:
    desk.up()
    pid = desk.facts()["pid"]
    refused = desk.run("down", "--purge")
    assert refused.returncode != 0
    assert desk.answers()
    assert f"removed {desk.data}" in desk.does("down", "--purge", "--yes")
    assert ended(pid)
    assert not desk.data.exists()
    assert "there is nothing at" in desk.does("down", "--purge", "--yes")


def test_an_image_comes_from_a_file(desk: Desk, tmp_path: Path) -> None:
    desk.up()
    file = tmp_path / "disk.raw"
    file.write_bytes(os.urandom(3_000_000))
    made = json.loads(desk.does("image", "import", str(file), "--name", "mine", "--public", "--json"))
    assert (made["name"], made["status"], made["size"], made["disk_format"]) == ("mine", "active", 3_000_000, "raw")
    assert "mine" in desk.does("image", "list")
    refused = desk.run("image", "import", str(file), "--public", "--user", "demo")
    assert refused.returncode == 1
    assert "403" in refused.stderr
    refused = desk.run("image", "import", str(file), "--name", "wrong", "--disk-format", "qcow2")
    assert refused.returncode == 1
    assert "was answered 415: the image was declared as qcow2, but its content is of no known format" in refused.stderr
    assert "<br" not in refused.stderr
    assert "wrong" not in desk.does("image", "list")
