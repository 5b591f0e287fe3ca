"""The trace: notes with their scope, spans with their time, and the latest notes of a cloud that leaves nothing behind."""

import pytest

from minicloud.base import trace


def test_nothing_is_noted_where_nobody_records() -> None:
    trace.note("unheard")
    with trace.span("unheard") as facts:
        assert facts == {}
    assert trace.request_id() == trace.resource() == ""


def test_notes_carry_whose_request_and_which_resource_they_belong_to() -> None:
    taken = trace.Recording()
    with trace.recording(taken), trace.about(request_id="req-1"):
        with trace.about(resource="web"):
            trace.note("filter", host="host-1", passed=True)
        trace.note("answered")
    assert [(n.word, n.request_id, n.resource) for n in taken.notes] == [
        ("filter", "req-1", "web"),
        ("answered", "req-1", ""),
    ]
    assert taken.facts("filter") == [{"host": "host-1", "passed": True}]


def test_a_span_tells_its_time_its_facts_and_what_broke_it() -> None:
    taken = trace.Recording()
    with trace.recording(taken):
        with trace.span("outer", a=1) as facts:
            trace.note("inside")
            facts["b"] = 2
        with pytest.raises(ValueError, match="broken"), trace.span("bad"):
            raise ValueError("broken")
    inside, outer, bad = taken.notes
    assert (inside.span, outer.span) == ("outer", "")
    assert outer.at <= inside.at
    assert outer.facts == {"a": 1, "b": 2, "seconds": outer.facts["seconds"]}
    assert bad.facts["error"] == "broken"


def test_the_latest_notes_are_kept_and_read_as_from_a_file() -> None:
    latest = trace.Latest(most=3)
    for number, (request, resource) in enumerate([("req-1", "web"), ("req-1", ""), ("req-2", "web"), ("", "web")]):
        latest.take(trace.Note(float(10 - number), f"w{number}", request, resource, "", {}))
    assert [n.word for n in latest.read()] == ["w3", "w2", "w1"]
    assert [n.word for n in latest.read(resource="web")] == ["w3", "w2"]
    assert [n.word for n in latest.read(request_id="req-1")] == ["w1"]
    assert [n.word for n in latest.read(request_id="")] == ["w3"]
    assert [n.word for n in latest.read(since=8.0)] == ["w2", "w1"]
    assert [n.word for n in latest.read(limit=1)] == ["w1"]
