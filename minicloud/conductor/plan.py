"""What a saga does next, decided from its log alone: a pure function, so that every history can be tried in a test."""

from typing import Any

import msgspec

from minicloud.conductor.log import Event
from minicloud.conductor.step import Placed, Step


class Forward(msgspec.Struct, frozen=True):
    """Run this step."""

    placed: Placed


class Undo(msgspec.Struct, frozen=True):
    """Undo this step."""

    placed: Placed


class NextAttempt(msgspec.Struct, frozen=True):
    """The failed attempt is undone: begin the next one."""


class Finish(msgspec.Struct, frozen=True):
    """All steps are done."""


class RolledBack(msgspec.Struct, frozen=True):
    """Everything that started is undone."""


Move = Forward | Undo | NextAttempt | Finish | RolledBack


def key(placed: Placed, attempt: int) -> tuple[str, int]:
    """Under which name and attempt a step's events stand: steps outside of Attempts happen once, under 0."""
    return (placed.step.name, attempt if placed.group is not None else 0)


def next_move(line: list[Placed], newest: dict[tuple[str, int], Event], state: str, attempt: int) -> Move:
    """The next move of a saga in this state with these newest events."""
    if state == "running":
        for placed in line:
            if newest.get(key(placed, attempt)) != "done":
                return Forward(placed)
        return Finish()
    for placed in reversed(line):
        if state == "retrying" and placed.group is None:
            continue
        event = newest.get(key(placed, attempt))
        if event is not None and event != "undone" and placed.step.undoable:
            return Undo(placed)
    return NextAttempt() if state == "retrying" else RolledBack()


def past_return(line: list[Placed], newest: dict[tuple[str, int], Event], attempt: int) -> bool:
    """Whether a step that must not be undone has started."""
    return any(placed.step.final and key(placed, attempt) in newest for placed in line)


def records_only(step: Step[Any]) -> bool:
    """Whether the step touches rows alone, so that it can share a commit with its neighbours."""
    return step.act is None
