"""The program as a whole: help, version, one-line errors, quick answers; nothing here needs a cloud."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minicloud import __version__
from minicloud.base.errors import Conflict
from minicloud.cli import show


def minicloud(*words: str, data: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the real command on a data folder of the test's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MINICLOUD_", "OS_"))}
    return subprocess.run(
        [sys.executable, "-m", "minicloud", *words],
        env=inherited | {"MINICLOUD_DATA": str(data), "NO_COLOR": "1"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_version(tmp_path: Path) -> None:
    assert minicloud("--version", data=tmp_path).stdout == f"minicloud {__version__}\n"


def test_help_shows_every_word_and_needs_nothing_heavy(tmp_path: Path) -> None:
    done = minicloud("--help", data=tmp_path)
    for word in ("up", "down", "status", "env", "doctor", "explain", "ssh", "console", "inspect", "image", "saga"):
        assert f" {word} " in done.stdout
    heavy = "import sys, minicloud.cli.program as p; print([m for m in ('minicloud.cloud', 'uvicorn', 'starlette', 'yaml', 'asyncio', 'sqlite3') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout
    assert json.loads(loaded.replace("'", '"')) == []


def test_to_run_a_word_and_to_look_into_a_folder_needs_nothing_heavy_either(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from minicloud.cli import main\n"
        "try:\n"
        f"    sys.argv = ['minicloud', 'status', '--data', {str(tmp_path)!r}]\n"
        "    main()\n"
        "except SystemExit:\n"
        "    names = ('minicloud.cloud', 'minicloud.products', 'minicloud.drivers.fabric.linux', 'uvicorn', 'pydantic')\n"
        "    print([name for name in names if name in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["down"], "no cloud is up in "),
        (["saga", "list"], "no cloud has ever been up in "),
        (["ssh", "web"], "no cloud is up in "),
        (["console", "web"], "no cloud is up in "),
        (["explain", "web"], "no cloud has ever been up in "),
        (["env"], "clouds.yaml: start the cloud with `minicloud up"),
        (["inspect", "reconcilers"], "no cloud is up in "),
        (["image", "import", "disk.img"], "no cloud is up in "),
    ],
    ids=" ".join,
)
def test_without_a_cloud_every_command_says_so_in_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    done = minicloud(*words, data=tmp_path / "none")
    told = (done.stdout + done.stderr).strip()
    assert said in told
    assert len(told.splitlines()) == 1
    assert done.returncode == (0 if words == ["down"] else 1)
    assert not (tmp_path / "none").exists()


def test_status_of_no_cloud_names_the_next_step(tmp_path: Path) -> None:
    done = minicloud("status", data=tmp_path / "none")
    assert done.returncode == 1
    assert (
        done.stdout.splitlines()
        == [
            "minicloud is not up",
            f"  data     {tmp_path / 'none'}",
            f"Next: minicloud up --data {tmp_path / 'none'}",
        ]
        or done.stdout.splitlines()[-1] == f"Next: minicloud up --data {tmp_path / 'none'}"
    )
    assert json.loads(minicloud("status", "--json", data=tmp_path / "none").stdout)["up"] is False


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["up", "--hosts", "0"], {}, "error: The setting hosts must be at least 1"),
        (["up", "--driver", "vmware"], {}, "error: The setting driver (flag) is not fit"),
        (["up"], {"MINICLOUD_PORT": "many"}, "error: The setting port (environment) is not fit"),
        (["up", "--listen", "192.0.2.1"], {}, "error: cannot listen on 192.0.2.1"),
        (["up", "--port", "99999"], {}, "error: the port must lie between 0 and 65535"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_unfit_settings_are_one_line_without_a_trail(
    tmp_path: Path, words: list[str], environment: dict[str, str], said: str
) -> None:
    done = minicloud(*words, data=tmp_path / "cloud", **environment)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(said)
    assert "Traceback" not in done.stderr


def test_a_folder_with_other_things_is_neither_used_nor_purged(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("words")
    for words in (["up", "--driver", "fake"], ["up", "--driver", "fake", "--detach"], ["down", "--purge", "--yes"]):
        done = minicloud(*words, data=tmp_path)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("error: ")
    assert (tmp_path / "thesis.tex").read_text() == "words"


def test_settings_tell_where_they_come_from_and_keep_the_password_to_themselves(tmp_path: Path) -> None:
    (tmp_path / "minicloud.toml").write_text("hosts = 3\nadmin_password = 'secret'\n")
    done = minicloud("inspect", "settings", "--json", data=tmp_path, MINICLOUD_REGION="Two")
    found = {row["name"]: (row["value"], row["source"]) for row in json.loads(done.stdout)}
    assert found["hosts"] == (3, "minicloud.toml")
    assert found["region"] == ("Two", "environment")
    assert found["port"] == (5000, "default")
    assert "secret" not in done.stdout


@pytest.mark.parametrize("what", ["routes", "policies", "sagas", "settings", "commands"])
def test_what_a_cloud_is_made_of_is_listed_without_one(tmp_path: Path, what: str) -> None:
    done = minicloud("inspect", what, "--json", data=tmp_path / "none")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) > 3
    assert not (tmp_path / "none").exists()


def test_errors_are_one_line_and_defects_name_their_trail(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup("several", [ValueError("other"), Conflict("the port\nis taken: take another")])
    show.failure(group)
    show.failure(FileNotFoundError(2, "No such file or directory", "/nowhere"))
    show.failure(ZeroDivisionError("by zero"))
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "error: the port is taken: take another"
    assert second == "error: /nowhere: No such file or directory"
    assert third.startswith(
        "error: unexpected ZeroDivisionError: by zero; this is a defect of minicloud, its trail is in "
    )
    trail = Path(third.rpartition(" ")[2])
    assert "ZeroDivisionError" in trail.read_text()
    trail.unlink()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0004, "0.4 ms"),
        (0.012, "12 ms"),
        (3.21, "3.2 s"),
        (125, "2 min"),
        (7500, "2 h 5 min"),
        (270000, "3 d 3 h"),
    ],
)
def test_durations_as_people_say_them(seconds: float, said: str) -> None:
    assert show.duration(seconds) == said


def test_tables_for_pipes_have_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(["id", "up"], [["a", True], ["bcd", None]], nothing="none")
    show.table(["id"], [], nothing="there is none")
    assert capsys.readouterr().out == "ID   UP\na    yes\nbcd  -\nthere is none\n"
