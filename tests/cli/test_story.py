"""Stories: notes and saga logs in, sentences out. The golden file is what ``minicloud explain`` prints of one server."""

from pathlib import Path
from typing import Any

import pytest

from minicloud.base.trace import Note
from minicloud.cli import story
from minicloud.cli.sentences import SENTENCES, Facts, sentence_of
from minicloud.conductor.log import LogLine
from minicloud.operations.reads import Saga, Subject

GOLDEN = Path(__file__).parents[1] / "golden" / "explain" / "server.txt"
BEGAN = 1_800_000_000.0
WEB = "6f1c2d3e-0000-4000-8000-000000000001"
ASKED = "req-aaaaaaaa-0000-4000-8000-000000000001"
REBOOTED = "req-aaaaaaaa-0000-4000-8000-000000000002"
PROVIDER = "99999999-0000-4000-8000-000000000001"
NAMES = {PROVIDER: "host-1", "u1": "demo", "p1": "demo", "i1": "minilinux", "n1": "private"}


def note(after: float, word: str, *, request: str = ASKED, resource: str = WEB, span: str = "", **facts: Any) -> Note:
    return Note(BEGAN + after, word, request, resource, span, facts)


def line(seq: int, step: str, event: Any, after: float, *, attempt: int = 1, error: str | None = None) -> LogLine:
    at = f"2027-01-15T08:00:{after:09.6f}"
    return LogLine(saga_id="s1", seq=seq, step=step, attempt=attempt, event=event, at=at, error=error)


def saga(*lines: LogLine, kind: str = "CreateServer", request: str = ASKED, state: str = "finished") -> Saga:
    return Saga(
        id="s1",
        kind=kind,
        resource=WEB,
        request_id=request,
        state=state,
        attempt=1,
        created_at="2027-01-15T08:00:00.005000",
        updated_at="2027-01-15T08:00:01.000000",
        error=None,
        log=list(lines),
    )


def subject(*sagas: Saga, requests: list[str] | None = None) -> Subject:
    ids = [ASKED] if requests is None else requests
    return Subject(kind="server", id=WEB, name="web", state="ACTIVE", resource=WEB, request_ids=ids, sagas=list(sagas))


def a_create() -> tuple[Subject, list[Note]]:
    """Two hosts, of which one is refused by a filter; then a boot on the other; later the guest powers off by itself."""
    log = [
        line(1, "claim", "done", 0.005),
        line(2, "place", "done", 0.005),
        line(3, "ports", "done", 0.005),
        line(4, "wire", "started", 0.005),
        line(5, "wire", "done", 0.020),
        line(6, "spawn", "started", 0.020),
        line(7, "spawn", "done", 0.500),
        line(8, "publish", "done", 0.500),
    ]
    argv = ["qemu-system-x86_64", "-name", "web one", "-m", "512"]
    notes = [
        note(0.001, "policy", resource="", rule="os_compute_api:servers:create", check="role:member", allowed=True),
        note(0.002, "quota", resource="", service="compute", project="p1", asked={"instances": 1}, used={"instances": 3}, overs=[]),
        note(0.003, "server_asked", resource="", server=WEB, name="web", flavor="m1.tiny", image="i1"),
        note(0.0051, "placement_request", resources={"VCPU": 1, "MEMORY_MB": 512}, required=[], forbidden=[], groups=1, only=None),
        note(0.0052, "placement_candidates", count=2),
        note(0.0053, "filter", filter="ComputeFilter", host="host-1", passed=True, why="is up"),
        note(0.0054, "filter", filter="ComputeFilter", host="host-2", passed=False, why="is disabled: repair"),
        note(0.0055, "weigh", host="host-1", scores={"RAMWeigher": 1.0, "CPUWeigher": 0.5}, total=1.5),
        note(0.0056, "selected", host="host-1", alternates=[], of=1),
        note(0.0057, "claim", consumer=WEB, allocations={PROVIDER: {"VCPU": 1, "MEMORY_MB": 512}}),
        note(0.0058, "port_created", port="port-1", network="n1", addresses=["10.0.0.5"]),
        note(0.008, "request", resource="", method="POST", path="/compute/v2.1/servers", version="2.1", status=202,
             seconds=0.008, user="u1", project="p1"),
        note(0.0059, "saga_step", saga="CreateServer", step="claim", attempt=1, event="done", error=None),
        note(0.021, "step", saga="CreateServer", step="spawn", seconds=0.479),
        note(0.022, "image", span="step", checksum="abcdef0123456789", format="qcow2", seconds=0.001),
        note(0.060, "command", span="step/start_machine", argv=argv, seconds=0.03, code=0),
        note(0.030, "start_machine", span="step", argv=argv, pid=4242, seconds=0.4),
        note(0.440, "message", span="step", act="handle", topic="compute", host="host-1", type="ensure_server",
             seconds=0.418, error=None),
        note(0.441, "message", span="step", act="call", topic="compute", host="host-1", type="ensure_server",
             seconds=0.42, error=None),
        note(0.442, "group_commit", writers=2),
        note(0.443, "brand_new_word", colour="blue", owner="u1"),
        note(0.444, "filter", verdict="of another version"),
        note(60.0, "power_changed", request="", host="host-1", machine=WEB, state="shutdown"),
    ]  # fmt: skip
    return subject(saga(*log)), notes


def test_a_server_is_explained_as_in_the_golden_file() -> None:
    who, notes = a_create()
    told = "\n".join(story.written(who, story.tell(who, notes, NAMES))) + "\n"
    assert told == GOLDEN.read_text()


def texts(chapters: list[story.Chapter]) -> list[str]:
    return [one.text for chapter in chapters for one in chapter.lines]


def test_lines_stand_in_the_order_in_which_things_began() -> None:
    who, notes = a_create()
    for chapter in story.tell(who, reversed(notes), NAMES):
        after = [one.after for one in chapter.lines]
        assert after == sorted(after)
    shuffled = texts(story.tell(who, list(reversed(notes)), NAMES))
    assert sorted(shuffled) == sorted(texts(story.tell(who, notes, NAMES)))


def test_unknown_words_and_facts_of_another_version_are_shown_as_they_are() -> None:
    who, notes = a_create()
    told = texts(story.tell(who, notes, NAMES))
    assert "brand_new_word: colour=blue, owner=demo" in told
    assert "filter: verdict=of another version" in told


def test_what_the_log_tells_is_not_told_twice_and_what_only_a_note_knows_is_kept() -> None:
    done = note(0.001, "saga_step", saga="CreateServer", step="claim", attempt=1, event="done", error=None)
    lost = note(0.002, "saga_step", saga="CreateServer", step="place", attempt=1, event="done", error=None)
    told = texts(story.tell(subject(saga(line(1, "claim", "done", 0.001))), [done, lost], {}))
    assert told == ["CreateServer: step claim is done", "CreateServer: step place is done"]


def test_a_saga_whose_notes_were_trimmed_is_still_told_from_its_log() -> None:
    chapters = story.tell(subject(saga(line(1, "claim", "done", 0.001), state="running")), [], {})
    assert [chapter.title for chapter in chapters] == ["CreateServer"]
    assert texts(chapters) == ["CreateServer: step claim is done"]


def test_a_failure_says_what_failed_and_what_was_taken_back() -> None:
    log = [
        line(1, "spawn", "started", 0.001),
        line(2, "spawn", "failed", 0.002, error="host has 100 MiB free"),
        line(3, "spawn", "undone", 0.003),
    ]
    assert texts(story.tell(subject(saga(*log)), [], {})) == [
        "CreateServer: step spawn begins",
        "CreateServer: step spawn failed: host has 100 MiB free",
        "CreateServer: step spawn is taken back",
    ]


def test_each_request_has_its_chapter_and_what_nobody_asked_for_has_one_too() -> None:
    notes = [
        note(10, "server_taken", request=REBOOTED, action="reboot_soft", task_state="rebooting"),
        note(1, "server_asked", name="web", flavor="m1.tiny", image=None, server=WEB),
        note(20, "power_changed", request="", host="host-1", machine=WEB, state="shutdown"),
    ]
    chapters = story.tell(subject(requests=[ASKED, REBOOTED]), notes, {})
    assert [chapter.request_id for chapter in chapters] == [ASKED, REBOOTED, ""]
    assert chapters[2].title == story.BY_ITSELF


def test_a_hosts_failure_is_shown_although_the_caller_tells_of_it() -> None:
    handled = note(
        0.1, "message", act="handle", topic="compute", host="host-1", type="ensure_server", seconds=0.1, error="no room"
    )
    called = note(
        0.1, "message", act="call", topic="compute", host="host-1", type="ensure_server", seconds=0.1, error="no room"
    )
    assert texts(story.tell(subject(), [handled, called], {})) == [
        "host host-1 handled ensure_server; it failed: no room",
        "asked host host-1: ensure_server; it failed: no room",
    ]


def test_what_rarely_matters_is_kept_when_everything_is_asked_for() -> None:
    who, notes = a_create()
    few, all_of_it = texts(story.tell(who, notes, NAMES)), texts(story.tell(who, notes, NAMES, everything=True))
    assert set(all_of_it) - set(few) == {"2 transactions shared one commit", "host host-1 handled ensure_server"}


def test_nothing_known_is_said() -> None:
    assert story.written(subject(), [])[-1].startswith("Nothing is written of it")


@pytest.mark.parametrize("word", sorted(SENTENCES))
def test_no_sentence_breaks_on_facts_that_it_does_not_know(word: str) -> None:
    strange = {"unheard": ["of"], "seconds": 0.1}
    told = sentence_of(Note(0.0, word, "", "", "", strange), Facts(strange, {}))
    assert told.text


def test_a_move_is_told_in_words() -> None:
    def told(word: str, **facts: Any) -> str:
        return sentence_of(Note(0.0, word, "", "", "", facts), Facts(facts, {WEB: "web"})).text

    begun = told("migration", migration="m", server=WEB, type="resize", status="migrating", source="host-1")
    assert begun == "the resize of web from host-1 is migrating"
    assert told("pack_disk", disk="disk", blob="b") == "disk is packed for the way"
    assert told("state_reset", server=WEB, before="active", task="resize_prep", now="error") == (
        "server web was active, resize_prep; it is set to error"
    )
