"""A story out of notes and saga logs: chapters by request, lines in the order of time. Pure: notes in, sentences out."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from minicloud.base.clock import moment
from minicloud.base.trace import Note
from minicloud.cli.sentences import Facts, Sentence, sentence_of
from minicloud.cli.show import duration

if TYPE_CHECKING:
    from minicloud.operations.reads import Saga, Subject

BY_ITSELF = "by itself"
_WRITTEN_AT_THE_END = frozenset({"command", "message", "request", "heartbeat"})
"""Notes whose moment is the end of what took their ``seconds``; a span's is its beginning."""
_RARELY_MATTER = frozenset({"group_commit", "heartbeat", "script"})


class Line(msgspec.Struct, kw_only=True):
    """One thing that happened: ``after`` is seconds since the chapter began, ``seconds`` how long it took."""

    after: float
    depth: int
    text: str
    seconds: float | None = None
    more: list[str] = []
    word: str


class Chapter(msgspec.Struct, kw_only=True):
    """What one request brought about, or what happened without one."""

    request_id: str
    title: str
    began: float
    seconds: float
    lines: list[Line]


def tell(
    subject: "Subject", notes: Iterable[Note], names: dict[str, str], *, everything: bool = False
) -> list[Chapter]:
    """The chapters of a story, in the order in which they began.

    What sagas did is told by notes, whose moments are exact, and where those are gone by the sagas' own logs. Words that
    nobody has a sentence for are shown with their facts as they are. ``everything`` keeps the notes that rarely matter.
    """
    by_request: dict[str, list[Note]] = {}
    for note in notes:
        if everything or note.word not in _RARELY_MATTER:
            by_request.setdefault(note.request_id, []).append(note)
    for saga in subject.sagas:
        by_request.setdefault(saga.request_id, [])
    chapters = [
        _chapter(request_id, found, [s for s in subject.sagas if s.request_id == request_id], names, everything)
        for request_id, found in by_request.items()
    ]
    return sorted((chapter for chapter in chapters if chapter.lines), key=lambda chapter: chapter.began)


def written(subject: "Subject", chapters: list[Chapter]) -> list[str]:
    """The story as lines of text."""
    state = f" is {subject.state}" if subject.state else ""
    lines = [f"{subject.kind} {subject.name}{state}" + (f" ({subject.id})" if subject.id != subject.name else "")]
    if not chapters:
        lines.append("Nothing is written of it: was the cloud up with this data folder when it happened?")
    for chapter in chapters:
        lines += ["", f"{chapter.title}  [{_clock(chapter.began)} UTC, {duration(chapter.seconds)} in all]"]
        if chapter.request_id:
            lines.append(f"  {chapter.request_id}")
        for line in chapter.lines:
            took = f"  ({duration(line.seconds)})" if line.seconds is not None else ""
            indent = "  " * line.depth
            lines.append(f"  {_offset(line.after):>9}  {indent}{line.text}{took}")
            lines += [f"{'':13}{indent}  {extra}" for extra in line.more]
    return lines


def _chapter(
    request_id: str, notes: list[Note], sagas: list["Saga"], names: dict[str, str], everything: bool
) -> Chapter:
    noted = {_step_of(note.facts) for note in notes if note.word == "saga_step"}
    events = [(_began(note), note) for note in notes]
    events += [(note.at, note) for saga in sagas for note in _from_log(saga) if _step_of(note.facts) not in noted]
    # Stable: what began in the same microsecond stays in the order in which it was written.
    events.sort(key=lambda event: event[0])
    request = next((note for _, note in events if note.word == "request"), None)
    began = events[0][0] if events else 0.0
    answered = {fact for _, note in events if note.word == "message" and note.facts.get("act") == "call"
                for fact in [(note.facts.get("host"), note.facts.get("type"))]}  # fmt: skip
    ran = [note.facts.get("argv") for _, note in events if note.word == "command"]
    lines = []
    end = began
    for at, note in events:
        seconds = note.facts.get("seconds")
        end = max(end, at + (seconds if isinstance(seconds, int | float) else 0.0))
        if _told_by_caller(note, answered) and not everything:
            continue
        said = sentence_of(note, Facts(_without_what_ran(note, ran), names))
        lines.append(_line(at - began, note, said))
    if request is not None:
        title = sentence_of(request, Facts(request.facts, names)).text
        lines = [line for line in lines if line.word != "request"]
    elif request_id:
        title = " and ".join(dict.fromkeys(saga.kind for saga in sagas)) or "a request"
    else:
        title = BY_ITSELF
    return Chapter(request_id=request_id, title=title, began=began, seconds=end - began, lines=lines)


def _without_what_ran(note: Note, ran: list[Any]) -> dict[str, Any]:
    """A command line is shown once: where it ran."""
    if note.word == "start_machine" and note.facts.get("argv") in ran:
        return {key: value for key, value in note.facts.items() if key != "argv"}
    return note.facts


def _line(after: float, note: Note, said: Sentence) -> Line:
    seconds = note.facts.get("seconds")
    depth = note.span.count("/") + 1 if note.span else 0
    return Line(
        after=after,
        depth=depth,
        text=said.text,
        seconds=seconds if isinstance(seconds, int | float) else None,
        more=said.more,
        word=note.word,
    )


def _began(note: Note) -> float:
    seconds = note.facts.get("seconds")
    if note.word in _WRITTEN_AT_THE_END and isinstance(seconds, int | float):
        return note.at - seconds
    return note.at


def _from_log(saga: "Saga") -> list[Note]:
    """The events of a saga as notes."""
    found = []
    for entry in saga.log:
        facts = {
            "saga": saga.kind,
            "step": entry.step,
            "attempt": entry.attempt,
            "event": entry.event,
            "error": entry.error,
        }
        at = moment(entry.at).timestamp()
        found.append(Note(at, "saga_step", saga.request_id, saga.resource, "", facts))
    return found


def _step_of(facts: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(facts.get(key) for key in ("saga", "step", "attempt", "event"))


def _told_by_caller(note: Note, answered: set[tuple[object, object]]) -> bool:
    """A host's own note of a message that it answered well says nothing that the caller's does not."""
    facts = note.facts
    if note.word != "message" or facts.get("act") != "handle" or facts.get("error"):
        return False
    return (facts.get("host"), facts.get("type")) in answered


def _offset(seconds: float) -> str:
    return f"+{seconds * 1000:.1f} ms" if seconds < 1 else f"+{seconds:.3f} s"


def _clock(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
