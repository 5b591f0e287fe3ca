"""What a new process does with the sagas of an old one: go on, roll back, or say that it cannot."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from minicloud.base import trace
from minicloud.base.errors import Failed
from minicloud.conductor import log
from minicloud.conductor.executor import Executor
from minicloud.conductor.recovery import recover, verdict
from minicloud.conductor.step import Attempts, Saga, Step, Steps
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.engines.database import Transaction
from tests.support.worlds import Crash, Outside, Points, an_outside

pytestmark = pytest.mark.anyio


class Old(Saga):
    """As an earlier program had it."""

    thing: str
    done: list[str] = []

    @property
    def about(self) -> str:
        return self.thing

    @classmethod
    def steps(cls) -> Steps["Old"]:
        return [
            Step("one", act=work, undo=unwork),
            Step("two", act=work, undo=unwork),
            Step("three", act=work),
        ]


async def work(saga: Any, world: World) -> None:
    """Leaves a mark outside."""
    await world.blobs.delete("x")


async def unwork(saga: Any, world: World) -> None:
    saga.done.append("undone")


def shaped(*steps: Step[Any] | Attempts[Any], **fields: Any) -> type[Saga]:
    """A saga of the same name, as this program has it."""

    class New(Old):
        @classmethod
        def steps(cls) -> Any:
            return steps

    New.__name__ = "Old"
    return New


def a_step(name: str, **words: Any) -> Step[Any]:
    return Step(name, **{"act": work, "undo": unwork, **words})


def a_row(**changes: Any) -> log.SagaRow:
    row = log.SagaRow(
        id="s",
        kind="Old",
        resource="t",
        request_id="",
        state="running",
        attempt=1,
        shape=["one", "two", "three"],
        body='{"thing": "t"}',
        created_at="",
        updated_at="",
    )
    return row.with_(**changes)


def test_the_same_shape_goes_on() -> None:
    assert verdict(a_row(), {("one", 0), ("two", 0)}, Old) == "resume"


def test_another_shape_is_rolled_back_as_long_as_its_steps_are_known() -> None:
    longer = shaped(a_step("zero"), a_step("one"), a_step("two"), a_step("three"))
    assert verdict(a_row(), {("one", 0)}, longer) == "roll_back"
    assert verdict(a_row(), {("one", 0), ("two", 0)}, shaped(a_step("one"))) == "stuck"


def test_past_the_point_of_no_return_another_shape_goes_on() -> None:
    renewed = shaped(a_step("one"), a_step("two", final=True), a_step("three"), a_step("four"))
    assert verdict(a_row(), {("one", 0), ("two", 0)}, renewed) == "resume"
    assert verdict(a_row(), {("one", 0)}, renewed) == "roll_back"


def test_a_step_that_went_into_a_group_would_not_be_found_again() -> None:
    grouped = shaped(Attempts([a_step("one"), a_step("two")], limit=2), a_step("three"))
    assert verdict(a_row(), {("one", 0)}, grouped) == "stuck"
    assert verdict(a_row(), {("one", 1)}, Old) == "stuck"


def test_nobody_guesses_what_an_unknown_or_unreadable_saga_meant() -> None:
    assert verdict(a_row(), set(), None) == "stuck"
    assert verdict(a_row(body='{"thing": 5}'), set(), Old) == "stuck"


async def begun(outside: Outside, kind: type[Saga], *, dies_at: int) -> str:
    """A saga whose process died before a point; its id."""
    points = Points({dies_at})

    def begin(tx: Transaction, executor: Executor) -> str:
        return executor.begin(tx, kind(thing="t"))  # type: ignore[call-arg]

    try:
        async with Executor(outside.world(points), [kind]) as executor:
            points.counting = True
            await executor.world.database.write(lambda tx: begin(tx, executor))
            await executor.idle()
    except BaseExceptionGroup as group:
        if group.split(Crash)[1] is not None:
            raise
    rows = await outside.database.read(log.unfinished)
    return rows[0].id


async def test_an_upgrade_in_the_middle_of_a_saga_takes_it_back() -> None:
    async with AsyncExitStack() as stack:
        outside, notes = await an_outside(stack), trace.Recording()
        saga_id = await begun(outside, Old, dies_at=5)
        longer = shaped(a_step("zero"), a_step("one"), a_step("two"), a_step("three"))
        stack.enter_context(trace.recording(notes))
        async with Executor(outside.world(), [longer]) as executor:
            assert await recover(executor) == {saga_id: "roll_back"}
            assert await executor.ended(saga_id) == "rolled_back"
        row = (await outside.database.read(lambda tx: log.progress(tx, saga_id))).row
        assert row.error is not None
        assert "no Old of the steps one, two, three" in row.error.message
        assert notes.facts("recover") == [{"saga": "Old", "state": "running", "decision": "roll_back"}]


async def test_a_saga_that_nobody_knows_any_more_is_shown_as_stuck_and_taken_up_by_the_program_that_knows_it() -> None:
    async with AsyncExitStack() as stack:
        outside = await an_outside(stack)
        saga_id = await begun(outside, Old, dies_at=3)
        async with Executor(outside.world(), []) as executor:
            assert await recover(executor) == {saga_id: "stuck"}
            assert await executor.ended(saga_id) == "stuck"
        async with Executor(outside.world(), [Old]) as executor:
            assert await recover(executor) == {saga_id: "resume"}
            assert await executor.ended(saga_id) == "rolled_back"


async def test_a_body_that_cannot_be_read_any_more_is_shown_as_stuck_and_harms_no_other_saga() -> None:
    async with AsyncExitStack() as stack:
        outside = await an_outside(stack)
        damaged = await begun(outside, Old, dies_at=3)

        def damage(tx: Transaction) -> None:
            records.change(tx, records.get(tx, log.SagaRow, damaged), body='{"thing": ["not", "text"]}')

        await outside.database.write(damage)
        async with Executor(outside.world(), [Old]) as executor:
            sound = await outside.database.write(lambda tx: executor.begin(tx, Old(thing="other")))
            assert await recover(executor) == {damaged: "stuck", sound: "resume"}
            assert await executor.ended(damaged) == "stuck"
            assert await executor.ended(sound) == "finished"


async def test_a_stuck_saga_past_its_point_of_no_return_goes_on_forward() -> None:
    forward = shaped(a_step("one"), a_step("two", final=True), a_step("three"))
    async with AsyncExitStack() as stack:
        outside = await an_outside(stack)
        saga_id = await begun(outside, forward, dies_at=6)

        def stick(tx: Transaction) -> None:
            log.move(tx, log.progress(tx, saga_id), state="stuck", error=Failed("somebody marked it"))

        await outside.database.write(stick)
        async with Executor(outside.world(), [forward]) as executor:
            await recover(executor)
            assert await executor.ended(saga_id) == "finished"
