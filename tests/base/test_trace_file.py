"""The trace file: nothing gets lost or out of order, others may read along, and no trouble of the file reaches the cloud."""

import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minicloud.base import trace
from minicloud.base.errors import Conflict, NotFound
from minicloud.base.trace import Note
from minicloud.base.trace_file import SCHEMA, TraceFile, TraceReader


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "trace.db")


@pytest.fixture
def file(path: str) -> Iterator[TraceFile]:
    with TraceFile(path) as file:
        yield file


def a_note(number: int, *, at: float | None = None, **scope: str) -> Note:
    scope = {"request_id": "", "resource": "", "span": "", **scope}
    return Note(time.time() if at is None else at, "step", facts={"number": number}, **scope)


def numbers(notes: list[Note]) -> list[int]:
    return [note.facts["number"] for note in notes]


def within(seconds: float, condition: Any) -> None:
    """Wait for a thread or a process that works in real time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_notes_come_back_as_they_were_taken(file: TraceFile) -> None:
    with trace.recording(file), trace.about(request_id="req-1", resource="server-1"), trace.span("schedule", hosts=2):
        trace.note("filter", host="h1", passed=False, why="ram", seen=[1, 2.5, None, {"a": True}])
    span, note = file.read(request_id="req-1")
    assert (note.word, note.request_id, note.resource, note.span) == ("filter", "req-1", "server-1", "schedule")
    assert note.facts == {"host": "h1", "passed": False, "why": "ram", "seen": [1, 2.5, None, {"a": True}]}
    assert span.word == "schedule"
    assert span.facts["hosts"] == 2
    assert abs(note.at - time.time()) < 60


def test_notes_are_found_by_request_by_resource_by_both_and_by_time(file: TraceFile) -> None:
    hour = time.time() - 3600
    file.take(a_note(1, at=hour + 10, request_id="req-1", resource="a"))
    file.take(a_note(2, at=hour + 20, request_id="req-1", resource="b"))
    file.take(a_note(3, at=hour + 30, request_id="req-2", resource="a"))
    file.take(a_note(4, at=hour + 40))
    assert numbers(file.read(request_id="req-1")) == [1, 2]
    assert numbers(file.read(resource="a")) == [1, 3]
    assert numbers(file.read(request_id="req-2", resource="a")) == [3]
    assert numbers(file.read(request_id="", resource="")) == [4]
    assert numbers(file.read(since=hour + 20)) == [2, 3, 4]
    assert numbers(file.read()) == [1, 2, 3, 4]
    assert file.read(request_id="req-3") == []
    assert file.request_ids("a") == ["req-1", "req-2"]
    assert file.request_ids("") == []


def test_notes_stand_in_the_order_of_time_and_of_many_the_newest_are_told(file: TraceFile) -> None:
    hour = time.time() - 3600
    for number, at in ((1, 30.0), (2, 10.0), (3, 20.0), (4, 20.0)):
        file.take(a_note(number, at=hour + at))
    assert numbers(file.read()) == [2, 3, 4, 1]
    assert numbers(file.read(limit=2)) == [4, 1]


def test_lookups_use_the_indexes(path: str) -> None:
    TraceFile(path).close()
    with sqlite3.connect(path) as connection:
        for column in ("request_id", "resource"):
            plan = connection.execute(
                f"EXPLAIN QUERY PLAN SELECT word FROM notes WHERE {column} = ? AND {column} != '' ORDER BY at DESC",
                ("x",),
            ).fetchall()
            assert f"notes_by_{column.removesuffix('_id')}" in plan[0][-1]
    connection.close()


def test_notes_of_many_threads_all_arrive(file: TraceFile) -> None:
    def work(thread: int) -> None:
        for number in range(2000):
            file.take(a_note(number, request_id=f"req-{thread}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert numbers(file.read(request_id=f"req-{number}")) == list(range(2000))


def test_a_few_notes_are_written_without_being_asked_for(file: TraceFile, path: str) -> None:
    file.take(a_note(1))
    with TraceReader(path) as reader:
        within(20, lambda: numbers(reader.read()) == [1])
        file.take(a_note(2))
        within(20, lambda: numbers(reader.read()) == [1, 2])


def test_closing_writes_the_rest_and_what_comes_later_is_quietly_lost(path: str) -> None:
    file = TraceFile(path)
    file.take(a_note(1))
    file.close()
    file.close()
    file.take(a_note(2))
    file.flush()
    with TraceReader(path) as reader:
        assert numbers(reader.read()) == [1]
    with TraceFile(path) as again:
        again.take(a_note(3))
        assert numbers(again.read()) == [1, 3]


def test_another_process_reads_while_the_cloud_writes(file: TraceFile, path: str) -> None:
    file.take(a_note(7, request_id="req-1"))
    file.flush()
    program = (
        "import sys; from minicloud.base.trace_file import TraceReader\n"
        "print([note.facts['number'] for note in TraceReader(sys.argv[1]).read(request_id='req-1')])"
    )
    told = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.strip() == "[7]"
    file.take(a_note(8, request_id="req-1"))
    assert numbers(file.read(request_id="req-1")) == [7, 8]


def test_a_reader_cannot_write(path: str) -> None:
    TraceFile(path).close()
    with TraceReader(path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM notes")


def test_the_oldest_notes_go_when_there_are_too_many(path: str) -> None:
    with TraceFile(path, most_notes=1000) as file:
        for number in range(5000):
            file.take(a_note(number))
            if number % 100 == 0:
                file.flush()
        kept = numbers(file.read())
    assert kept[-1] == 4999
    assert 1000 <= len(kept) <= 1200
    assert kept == list(range(kept[0], 5000))


def test_notes_older_than_the_days_to_keep_go(path: str) -> None:
    with TraceFile(path, keep_days=2) as file:
        file.take(a_note(1, at=time.time() - 3 * 86_400))
        file.take(a_note(2, at=time.time() - 1 * 86_400))
    with TraceFile(path, keep_days=2) as file:
        file.take(a_note(3))
        assert numbers(file.read()) == [2, 3]


def test_facts_that_are_not_plain_cost_nothing_but_themselves(file: TraceFile) -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    with trace.recording(file):
        trace.note("odd", thing=Odd(), path=Path("/tmp/x"), raw=b"ab")
        trace.note("worse", text="\udcff")
        trace.note("large", text="x" * 1_000_000)
        with trace.about(request_id="req-1", resource="half \udcff"):
            trace.note("half")
        trace.note("fine", number=1)
    odd, worse, large, half, fine = file.read()
    assert odd.facts == {"thing": "odd", "path": "/tmp/x", "raw": "YWI="}
    assert list(worse.facts) == ["unreadable"]
    assert len(large.facts["cut"]) < 40_000
    assert half.resource == "half ?"
    assert fine.facts == {"number": 1}


def test_a_file_that_somebody_holds_is_waited_for_and_nothing_is_lost_or_doubled(path: str) -> None:
    with TraceFile(path) as file:
        assert file._connection is not None
        file._connection.execute("PRAGMA busy_timeout=1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        file.take(a_note(1))
        file.flush()
        file.take(a_note(2))
        file.flush()
        other.execute("COMMIT")
        other.close()
        assert file.stopped is None
        assert numbers(file.read()) == [1, 2]


def test_a_newer_file_is_refused_by_both_sides(path: str) -> None:
    TraceFile(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA + 1}")
    connection.close()
    for opener in (TraceFile, TraceReader):
        with pytest.raises(Conflict, match="newer minicloud") as refused:
            opener(path)
        assert refused.value.kind == "newer_schema"


def test_a_reader_without_a_file_says_so_and_makes_none(path: str) -> None:
    with pytest.raises(NotFound, match="no trace"):
        TraceReader(path)
    assert not os.path.exists(path)


def test_a_broken_file_is_set_aside(path: str, caplog: pytest.LogCaptureFixture) -> None:
    Path(path).write_bytes(b"this is not a database, not even a small one" * 100)
    with TraceFile(path) as file:
        file.take(a_note(1))
        assert numbers(file.read()) == [1]
    assert Path(path + ".broken").exists()
    assert "set aside" in caplog.text


def test_a_folder_that_is_not_there_stops_tracing_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), TraceFile(str(tmp_path / "nowhere" / "trace.db")) as file:
        for number in range(2000):
            file.take(a_note(number))
        file.flush()
        assert file.stopped is not None
    assert caplog.text.count("Tracing has stopped") == 1


FULL_DISK = """
import logging, resource, sys, time
from minicloud.base import trace
from minicloud.base.trace_file import TraceFile
logging.basicConfig()
file = TraceFile(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
with trace.recording(file):
    for number in range(20_000):
        trace.note("step", number=number, text="x" * 100)
        if number % 1000 == 0:
            file.flush()
file.close()
print("goes on", file.stopped)
"""


def test_a_full_disk_stops_tracing_with_one_line_and_the_process_goes_on(path: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.startswith("goes on")
    assert "None" not in ran.stdout
    assert ran.stderr.count("Tracing has stopped") == 1
    assert len(ran.stderr.strip().splitlines()) == 1
    with TraceReader(path) as reader:
        assert len(reader.read(limit=100_000)) > 100


def test_the_file_is_private(path: str) -> None:
    with TraceFile(path) as file:
        file.take(a_note(1))
        file.flush()
        for name in os.listdir(os.path.dirname(path)):
            assert os.stat(os.path.join(os.path.dirname(path), name)).st_mode & 0o077 == 0
