"""The trace: what happened, in order, and why, as small notes keyed by request and by resource.

Two words write it: ``note("filter", host=..., passed=False, why=...)`` and ``with span("schedule"):``. Both cost about a
microsecond and nothing at all where nobody records. Scope travels in a context variable, so notes made in a database
thread or in a saga's task still know whose request they belong to. ``Recording`` collects; ``trace_file.py`` keeps.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import msgspec


class Note(msgspec.Struct):
    """One thing that happened. ``at`` is seconds since the epoch; a span's note carries ``seconds`` in its facts."""

    at: float
    word: str
    request_id: str
    resource: str
    span: str
    facts: dict[str, Any]


class Sink(Protocol):
    """Who takes notes."""

    def take(self, note: Note) -> None:
        """Keep one note; must be quick and callable from any thread."""


class _Scope(msgspec.Struct, frozen=True):
    sink: Sink
    request_id: str = ""
    resource: str = ""
    span: str = ""


_scope: ContextVar[_Scope | None] = ContextVar("trace_scope", default=None)


def note(word: str, **facts: Any) -> None:
    """Write down that something happened, with the facts that decided it. Facts must be plain values."""
    scope = _scope.get()
    if scope is not None:
        scope.sink.take(Note(time.time(), word, scope.request_id, scope.resource, scope.span, facts))


@contextmanager
def span(word: str, **facts: Any) -> Iterator[dict[str, Any]]:
    """Notes made inside belong to this span; its own note, with ``seconds`` and any facts added, is written when it ends."""
    scope = _scope.get()
    if scope is None:
        yield facts
        return
    path = f"{scope.span}/{word}" if scope.span else word
    token = _scope.set(_Scope(scope.sink, scope.request_id, scope.resource, path))
    at, began = time.time(), time.perf_counter()
    try:
        yield facts
    except BaseException as error:
        facts["error"] = str(error) or type(error).__name__
        raise
    finally:
        _scope.reset(token)
        facts["seconds"] = round(time.perf_counter() - began, 6)
        scope.sink.take(Note(at, word, scope.request_id, scope.resource, scope.span, facts))


@contextmanager
def about(*, request_id: str | None = None, resource: str | None = None) -> Iterator[None]:
    """Everything noted inside is about this request, this resource, or both. Work for another request begins outside of all spans."""
    scope = _scope.get()
    if scope is None:
        yield
        return
    token = _scope.set(
        _Scope(
            scope.sink,
            scope.request_id if request_id is None else request_id,
            scope.resource if resource is None else resource,
            scope.span if request_id is None or request_id == scope.request_id else "",
        )
    )
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def recording(sink: Sink) -> Iterator[None]:
    """Notes made inside, and in tasks started inside, go to this sink."""
    token = _scope.set(_Scope(sink))
    try:
        yield
    finally:
        _scope.reset(token)


def request_id() -> str:
    """The request that the current work belongs to, or an empty text."""
    scope = _scope.get()
    return scope.request_id if scope is not None else ""


def resource() -> str:
    """The resource that the current work is about, or an empty text."""
    scope = _scope.get()
    return scope.resource if scope is not None else ""


class Recording:
    """A sink that remembers, for tests: ``with recording(Recording()) as ...``; ask ``words()`` or ``facts(word)``."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def take(self, note: Note) -> None:
        self.notes.append(note)

    def words(self) -> list[str]:
        """The words in order."""
        return [n.word for n in self.notes]

    def facts(self, word: str) -> list[dict[str, Any]]:
        """The facts of each note with this word, in order."""
        return [n.facts for n in self.notes if n.word == word]


class Latest:
    """A sink that remembers the latest notes, for clouds that leave nothing behind."""

    def __init__(self, most: int = 10_000, *, notes: Iterable[Note] = ()) -> None:
        self.notes: deque[Note] = deque(notes, maxlen=most)

    def take(self, note: Note) -> None:
        self.notes.append(note)

    def read(
        self,
        *,
        request_id: str | None = None,
        resource: str | None = None,
        since: float | None = None,
        mentions: str | None = None,
        limit: int = 10_000,
    ) -> list[Note]:
        """As ``TraceReader.read``."""
        found = [
            note
            for note in list(self.notes)
            if (request_id is None or note.request_id == request_id)
            and (resource is None or note.resource == resource)
            and (since is None or note.at >= since)
            and (mentions is None or mentions in repr(note.facts))
        ]
        return sorted(found, key=lambda note: note.at)[-limit:]
