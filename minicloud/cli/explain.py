"""``minicloud explain``: the story of a server, volume, image, port, request or saga, from the trace and the sagas' logs."""

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minicloud.base.trace import Note
from minicloud.cli import show
from minicloud.cli.folder import Folder
from minicloud.cli.options import Data, Json, folder_of

if TYPE_CHECKING:
    from minicloud.operations.reads import Subject

_ID = re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b")
MOST_NOTES = 20_000
MOST_NAMES = 400
MOST_REQUESTS = 50


def explain(
    what: Annotated[
        str,
        typer.Argument(
            help="Name or id of a server, volume, snapshot, backup, group, transfer, image or port; a request id (req-...); a saga's id."
        ),
    ],
    data: Data = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Also what rarely matters: heartbeats, shared commits, what hosts were asked and did, scripts line by line.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Tell what happened, in the order of time, and why: policy, quota, every filter's verdict, claims, commands, times.

    Example: minicloud explain web

    Example: minicloud explain a-volume

    Example: minicloud explain req-5f0d2c2e-6c5e-4a2e-9d53-0d2c2f0e7a11 --json
    """
    from minicloud.cli import story

    folder = folder_of(data)
    subject, notes, names = material(folder, what)
    chapters = story.tell(subject, notes, names, everything=everything)
    if json:
        show.as_json({"subject": subject, "chapters": chapters})
    else:
        show.lines(story.written(subject, chapters))


def material(folder: Folder, what: str) -> tuple[Any, list[Note], dict[str, str]]:
    """What a story is made of: the subject with its sagas, the notes of its requests and of itself, names of what they mention.

    Raises NotFound when nothing is known of it, Conflict when a name is ambiguous.
    """
    from minicloud.base.errors import NotFound
    from minicloud.base.ids import is_request_id
    from minicloud.cli.reading import notes, read
    from minicloud.operations.reads import Subject

    subject: Subject = read(folder, "subject", Subject, text=what)
    found = about(subject, partial(notes, folder))
    if is_request_id(what) and not found and not subject.sagas:
        raise NotFound(
            f"nothing is known of {what}: is it a request to this cloud ({folder.path}), and not too long ago?"
        )
    ids = mentioned(found)[:MOST_NAMES]
    names: dict[str, str] = read(folder, "names", dict[str, str], ids=ids) if ids else {}
    return subject, found, names


def about(subject: "Subject", notes: Callable[..., list[Note]]) -> list[Note]:
    """The notes of its requests, and those that name it. ``notes`` reads the trace as ``TraceReader.read`` does."""
    found: list[Note] = []
    for request_id in subject.request_ids:
        found += notes(request_id=request_id, limit=MOST_NOTES)
    if subject.resource is not None:
        # What happened to it by itself, when nobody had asked for anything.
        by_itself = notes(resource=subject.resource, limit=MOST_NOTES)
        found += [note for note in by_itself if note.request_id not in subject.request_ids]
        theirs = {"", subject.resource, *(saga.resource for saga in subject.sagas)}
        found = [note for note in found if note.resource in theirs]
        if subject.kind != "server":
            found += _beside(subject.resource, {note.request_id for note in found}, notes)
    return found


def _beside(resource: str, told: set[str], notes: Callable[..., list[Note]]) -> list[Note]:
    """What else names it: of each request that is not told yet, the lines that do, and what was asked."""
    naming = [note for note in notes(mentions=resource, limit=MOST_NOTES) if note.request_id not in told]
    requests = list(dict.fromkeys(note.request_id for note in naming if note.request_id))[-MOST_REQUESTS:]
    found = [note for note in naming if note.request_id in requests]
    for request_id in requests:
        of_it = notes(request_id=request_id, limit=MOST_NOTES)
        found += [note for note in of_it if note.word == "request" and resource not in repr(note.facts)]
    return sorted(found, key=lambda note: note.at)


def mentioned(notes: list[Note]) -> list[str]:
    """Every id in the notes' facts."""
    ids: dict[str, None] = {}
    for note in notes:
        ids |= dict.fromkeys(_ID.findall(repr(note.facts)))
    return list(ids)
