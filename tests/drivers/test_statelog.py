"""The durable map of simulated drivers: what it acknowledged is there after a SIGKILL, torn ends are not, and it stays small."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from minicloud.base.errors import Failed
from minicloud.drivers import statelog
from minicloud.drivers.statelog import StateLog

_WRITER = """
import sys
from pathlib import Path
from minicloud.drivers.statelog import StateLog
log = StateLog(Path(sys.argv[1]))
n = 0
while True:
    log.put("machines", f"host{n % 7}", str(n), {"n": n, "filling": "x" * 500})
    if n >= 10:
        log.drop("machines", f"host{(n - 10) % 7}", str(n - 10))
    sys.stdout.write(f"{n}\\n"); sys.stdout.flush()
    n += 1
"""


def test_what_was_put_is_found_again(tmp_path: Path) -> None:
    log = StateLog(tmp_path / "deep" / "world.jsonl")
    log.put("machines", "h1", "a", {"power": "running"})
    log.put("machines", "h1", "b", {"power": "running"})
    log.put("machines", "h2", "a", {"power": "paused"})
    log.put("machines", "h1", "a", {"power": "shutdown"})
    log.drop("machines", "h1", "b")
    log.drop("machines", "h1", "never-was")
    log.close()
    again = StateLog(tmp_path / "deep" / "world.jsonl")
    assert again.rows("machines", "h1") == {"a": {"power": "shutdown"}}
    assert again.rows("machines", "h2") == {"a": {"power": "paused"}}
    assert again.rows("disks", "h1") == {}
    assert sorted(again.hosts("machines")) == ["h1", "h2"]
    assert again.get("machines", "h1", "b") is None
    assert os.stat(tmp_path / "deep" / "world.jsonl").st_mode & 0o777 == 0o600
    again.close()


def test_a_torn_line_was_never_promised(tmp_path: Path) -> None:
    path = tmp_path / "world.jsonl"
    log = StateLog(path)
    log.put("machines", "h1", "a", 1)
    log.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'["machines","h1","b",{"po')
    again = StateLog(path)
    assert again.rows("machines", "h1") == {"a": 1}
    again.put("machines", "h1", "c", 3)
    again.close()
    third = StateLog(path)
    assert third.rows("machines", "h1") == {"a": 1, "c": 3}
    third.close()


def test_damage_in_the_middle_is_said_and_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "world.jsonl"
    path.write_bytes(b'["machines","h1","a",1]\nrubbish\n["machines","h1","b",1]\n')
    with pytest.raises(Failed, match="is damaged"):
        StateLog(path)
    with pytest.raises(Failed, match="cannot open"):
        StateLog(tmp_path / "world.jsonl" / "below-a-file")


def test_it_stays_small_while_machines_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statelog, "_COMPACT_BYTES", 100_000)
    path = tmp_path / "world.jsonl"
    log = StateLog(path)
    log.put("machines", "h1", "stays", "for ever")
    for n in range(2000):
        log.put("machines", "h1", str(n), "x" * 500)
        log.drop("machines", "h1", str(n))
    assert path.stat().st_size < 110_000
    assert log.rows("machines", "h1") == {"stays": "for ever"}
    log.close()
    assert StateLog(path).rows("machines", "h1") == {"stays": "for ever"}
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_log_that_was_closed_takes_nothing(tmp_path: Path) -> None:
    log = StateLog(tmp_path / "world.jsonl")
    log.close()
    with pytest.raises(Failed, match="closed"):
        log.put("machines", "h1", "a", 1)
    assert log.rows("machines", "h1") == {}, "what was not written is not shown"


def test_without_a_file_it_is_memory() -> None:
    log = StateLog()
    log.put("machines", "h1", "a", 1)
    assert log.rows("machines", "h1") == {"a": 1}
    log.drop("machines", "h1", "a")
    assert log.rows("machines", "h1") == {}
    log.close()


def test_a_full_disk_is_said_and_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "world.jsonl"
    log = StateLog(path)
    log.put("machines", "h1", "a", 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        with pytest.raises(Failed, match="cannot write"):
            log.put("machines", "h1", "b", "x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert log.rows("machines", "h1") == {"a": 1}
    log.put("machines", "h1", "c", 3)
    log.close()
    assert StateLog(path).rows("machines", "h1") == {"a": 1, "c": 3}


@pytest.mark.crash
def test_what_was_acknowledged_survives_a_sigkill(tmp_path: Path) -> None:
    for round in range(3):
        path = tmp_path / f"world{round}.jsonl"
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                if int(line) >= 500 + 137 * round:
                    break
            writer.kill()
            rest = writer.stdout.read().split(b"\n")
            last = max([int(line), *(int(word) for word in rest[:-1] if word)])
        log = StateLog(path)
        there = {int(key) for host in log.hosts("machines") for key in log.rows("machines", host)}
        # Of number n the acknowledgement came after its own put and the drop of n - 10; one more call may have begun.
        assert set(range(last - 9, last + 1)) - there <= {last - 9}
        assert there <= set(range(last - 9, last + 2))
        log.close()
