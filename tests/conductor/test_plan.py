"""What a saga does next is decided from its log alone: every rule of the plan, and every log that a run can leave."""

import itertools
from typing import Any

import pytest

from minicloud.conductor import plan
from minicloud.conductor.log import Event
from minicloud.conductor.step import Attempts, Saga, Step, Steps, placed, shape


def nothing(*_: Any) -> None:
    """What the steps of these plans do."""


class Travel(Saga):
    """One step, two that may be tried again, a last one."""

    @classmethod
    def steps(cls) -> Steps["Travel"]:
        return [
            Step("pack", record=nothing, unrecord=nothing),
            Attempts(
                [Step("book", record=nothing, unrecord=nothing), Step("fly", record=nothing, unrecord=nothing)], limit=3
            ),
            Step("write", record=nothing),
        ]


LINE = placed(Travel)


def said(move: plan.Move) -> str:
    """A move in a word or two."""
    match move:
        case plan.Forward(placed=at):
            return f"forward {at.step.name}"
        case plan.Undo(placed=at):
            return f"undo {at.step.name}"
        case _:
            return type(move).__name__


def next_of(newest: dict[tuple[str, int], Event], state: str = "running", attempt: int = 1) -> str:
    return said(plan.next_move(LINE, newest, state, attempt))


def test_steps_go_in_order_and_a_started_one_is_done_again() -> None:
    assert next_of({}) == "forward pack"
    assert next_of({("pack", 0): "done"}) == "forward book"
    assert next_of({("pack", 0): "done", ("book", 1): "started"}) == "forward book"
    done: dict[tuple[str, int], Event] = {("pack", 0): "done", ("book", 1): "done", ("fly", 1): "done"}
    assert next_of(done) == "forward write"
    assert next_of({**done, ("write", 0): "done"}) == "Finish"


def test_undo_goes_backwards_through_all_that_started_whether_it_finished_or_not() -> None:
    newest: dict[tuple[str, int], Event] = {("pack", 0): "done", ("book", 1): "done", ("fly", 1): "failed"}
    seen = []
    while (move := plan.next_move(LINE, newest, "unwinding", 1)) != plan.RolledBack():
        assert isinstance(move, plan.Undo)
        seen.append(move.placed.step.name)
        newest[plan.key(move.placed, 1)] = "undone"
    assert seen == ["fly", "book", "pack"]


def test_another_attempt_undoes_the_group_alone_and_begins_under_another_number() -> None:
    newest: dict[tuple[str, int], Event] = {("pack", 0): "done", ("book", 1): "done", ("fly", 1): "failed"}
    assert next_of(newest, "retrying") == "undo fly"
    newest["fly", 1] = "undone"
    assert next_of(newest, "retrying") == "undo book"
    newest["book", 1] = "undone"
    assert next_of(newest, "retrying") == "NextAttempt"
    assert next_of(newest, "running", 2) == "forward book"
    newest["book", 2] = "done"
    assert next_of(newest, "running", 2) == "forward fly"


def test_an_undo_that_failed_is_tried_again_and_a_step_without_undo_is_passed_over() -> None:
    newest: dict[tuple[str, int], Event] = {("pack", 0): "undo_failed", ("write", 0): "started"}
    assert next_of(newest, "unwinding") == "undo pack"


def test_every_log_leads_to_an_end() -> None:
    """Whatever events stand there in whatever state: doing what the plan says ends, and never in more moves than there are steps."""
    events: tuple[Event | None, ...] = (None, "started", "done", "failed", "undone", "undo_failed")
    names = [("pack", 0), ("book", 1), ("fly", 1), ("write", 0)]
    for state in ("running", "retrying", "unwinding"):
        for combination in itertools.product(events, repeat=len(names)):
            newest = {name: event for name, event in zip(names, combination, strict=True) if event is not None}
            now, attempt = state, 1
            for _ in range(12):
                match plan.next_move(LINE, newest, now, attempt):
                    case plan.Forward(placed=at):
                        newest[plan.key(at, attempt)] = "done"
                    case plan.Undo(placed=at):
                        newest[plan.key(at, attempt)] = "undone"
                    case plan.NextAttempt():
                        now, attempt = "running", attempt + 1
                    case _:
                        break
            else:
                pytest.fail(f"no end from {state} with {combination}")


def test_the_point_of_no_return_is_passed_when_its_step_starts() -> None:
    class Burn(Saga):
        @classmethod
        def steps(cls) -> Steps["Burn"]:
            return [Step("pour", record=nothing), Step("light", record=nothing, final=True)]

    line = placed(Burn)
    assert not plan.past_return(line, {("pour", 0): "done"}, 1)
    assert plan.past_return(line, {("pour", 0): "done", ("light", 0): "started"}, 1)


def test_steps_that_a_log_could_not_tell_apart_are_refused() -> None:
    class Twins(Saga):
        @classmethod
        def steps(cls) -> Steps["Twins"]:
            return [Step("same", record=nothing), Step("same", record=nothing)]

    class TwoGroups(Saga):
        @classmethod
        def steps(cls) -> Steps["TwoGroups"]:
            return [Attempts([Step("a", record=nothing)], limit=2), Attempts([Step("b", record=nothing)], limit=2)]

    with pytest.raises(TypeError, match="two steps of one name"):
        placed(Twins)
    with pytest.raises(TypeError, match="one at most"):
        placed(TwoGroups)
    assert shape(Travel) == ["pack", "book", "fly", "write"]
